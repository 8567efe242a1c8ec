using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventDbx.Server.Replication;

/// <summary>The certificate that one end of one session shows: signed by itself, of P-256, and its subject is the nonce of that end.</summary>
/// <remarks>It says nothing of who shows it: that the first frames do, signed (<see cref="SessionTranscript"/>). So who comes from anywhere learns random bytes.</remarks>
internal sealed class SessionCertificate : IDisposable
{
    public const int NonceBytes = 32;

    /// <summary>Of ALPN.</summary>
    public static SslApplicationProtocol Protocol { get; } = new("dbx-repl/2");

    const string Curve = "1.2.840.10045.3.1.7";
    const string SubjectPrefix = "CN=";

    static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    SessionCertificate(X509Certificate2 certificate, byte[] nonce) => (Certificate, Nonce) = (certificate, nonce);

    public X509Certificate2 Certificate { get; }

    /// <summary>32 random bytes.</summary>
    public byte[] Nonce { get; }

    /// <summary>A new one.</summary>
    public static SessionCertificate Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        var request = new CertificateRequest(SubjectPrefix + Convert.ToHexStringLower(nonce), key, HashAlgorithmName.SHA256);
        // Nobody looks at its time: it lives as long as the connection. The clocks of two machines need not agree.
        var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        if (OperatingSystem.IsWindows())
        {
            // SChannel takes no key that lies in memory alone.
            using (certificate)
                return new(X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null), nonce);
        }

        return new(certificate, nonce);
    }

    /// <summary>The nonce of a certificate that the other end has shown; null where it is none of these.</summary>
    public static byte[]? NonceOf(X509Certificate2? shown)
    {
        if (shown is null)
            return null;
        try
        {
            var subject = shown.Subject;
            if (subject.Length != SubjectPrefix.Length + (2 * NonceBytes) || !subject.StartsWith(SubjectPrefix, StringComparison.Ordinal))
                return null;
            using var key = shown.GetECDsaPublicKey();
            if (key?.ExportParameters(includePrivateParameters: false).Curve.Oid.Value != Curve)
                return null;
            var digits = subject.AsSpan(SubjectPrefix.Length);
            return digits.ContainsAnyExcept(HexDigits) ? null : Convert.FromHexString(digits);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>How the dialled end speaks TLS with it.</summary>
    public SslServerAuthenticationOptions ServerOptions() => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(Certificate, null, offline: true),
        ClientCertificateRequired = true,
        ApplicationProtocols = [Protocol],
        EnabledSslProtocols = SslProtocols.Tls13,
        AllowRenegotiation = false,
        // One session, one pair of certificates.
        AllowTlsResume = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Chain(),
        RemoteCertificateValidationCallback = IsFit,
    };

    /// <summary>How the dialling end does.</summary>
    public SslClientAuthenticationOptions ClientOptions() => new()
    {
        // In TLS of version 1.3 a name is sent in clear: there is none to send, for the key is what counts.
        TargetHost = "",
        ClientCertificateContext = SslStreamCertificateContext.Create(Certificate, null, offline: true),
        ApplicationProtocols = [Protocol],
        EnabledSslProtocols = SslProtocols.Tls13,
        AllowRenegotiation = false,
        AllowTlsResume = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = Chain(),
        RemoteCertificateValidationCallback = IsFit,
    };

    public void Dispose() => Certificate.Dispose();

    /// <summary>Nothing is fetched for the sake of a certificate that a stranger has sent.</summary>
    static X509ChainPolicy Chain() => new()
    {
        DisableCertificateDownloads = true, RevocationMode = X509RevocationMode.NoCheck, TrustMode = X509ChainTrustMode.CustomRootTrust, VerificationFlags = X509VerificationFlags.AllFlags,
    };

    /// <summary>Who signed it does not count, and neither does its time: only that it is one of these.</summary>
    static bool IsFit(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => NonceOf(certificate as X509Certificate2) is not null;
}
