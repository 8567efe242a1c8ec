using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventDbx.Server.Tests.Tls;

/// <summary>A CA of a test, and what it issues.</summary>
internal sealed class TestCa : IDisposable
{
    public const string ServerUse = "1.3.6.1.5.5.7.3.1";
    public const string ClientUse = "1.3.6.1.5.5.7.3.2";

    static int s_serial = 1;

    readonly X509Certificate2 _certificate;

    public TestCa(string name, TestCa? issuer = null)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        if (issuer is null)
        {
            _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(400));
            return;
        }

        using var issued = request.Create(issuer._certificate, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(399), Serial());
        _certificate = issued.CopyWithPrivateKey(key);
    }

    /// <summary>Its own certificate.</summary>
    public string Pem => _certificate.ExportCertificatePem() + "\n";

    /// <summary>A certificate and its key for localhost.</summary>
    public Issued Issue(TimeSpan? validity = null, string use = ServerUse, bool rsa = false)
    {
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = RSA.Create(2048);
        var request = rsa
            ? new CertificateRequest("CN=localhost", other, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest("CN=localhost", ec, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new(use)], false));
        var end = DateTimeOffset.UtcNow + (validity ?? TimeSpan.FromDays(90));
        var generator = X509SignatureGenerator.CreateForRSA(_certificate.GetRSAPrivateKey()!, RSASignaturePadding.Pkcs1);
        using var certificate = request.Create(_certificate.SubjectName, generator, end.AddDays(-100), end, Serial());
        return new(
            certificate.ExportCertificatePem() + "\n",
            (rsa ? other.ExportPkcs8PrivateKeyPem() : ec.ExportPkcs8PrivateKeyPem()) + "\n",
            (rsa ? other.ExportRSAPrivateKeyPem() : ec.ExportECPrivateKeyPem()) + "\n",
            rsa ? other.ExportEncryptedPkcs8PrivateKeyPem("secret", Encryption) : ec.ExportEncryptedPkcs8PrivateKeyPem("secret", Encryption),
            $"sha256:{Convert.ToHexStringLower(SHA256.HashData(certificate.RawData))}");
    }

    public void Dispose() => _certificate.Dispose();

    static PbeParameters Encryption => new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000);

    static byte[] Serial() => [1, .. BitConverter.GetBytes(Interlocked.Increment(ref s_serial))];

    /// <param name="Certificate">PEM.</param>
    /// <param name="Key">PKCS #8, PEM.</param>
    /// <param name="OlderKey">The same in the older form of its kind, PEM.</param>
    /// <param name="EncryptedKey">The same with a passphrase, PEM.</param>
    /// <param name="Fingerprint">Of the certificate.</param>
    internal sealed record Issued(string Certificate, string Key, string OlderKey, string EncryptedKey, string Fingerprint)
    {
        /// <summary>For the client's side of a handshake.</summary>
        public X509Certificate2 ToCertificate() => X509Certificate2.CreateFromPem(Certificate, Key);
    }
}
