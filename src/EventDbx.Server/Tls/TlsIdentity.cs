using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventDbx.Server.Tls;

/// <summary>What a server shows in a handshake, and what it asks of clients: certificate, key and CA, found to go together.</summary>
internal sealed class TlsIdentity
{
    const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    readonly SslStreamCertificateContext _context;
    readonly X509Certificate2Collection? _clientCas;

    TlsIdentity(X509Certificate2 certificate, X509Certificate2Collection chain, X509Certificate2Collection? clientCas)
    {
        Fingerprint = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(certificate.RawData))}";
        NotAfter = new DateTimeOffset(certificate.NotAfter);
        IssuedItself = IsRoot(certificate);
        // Offline: no certificate that the file lacks is fetched from wherever a certificate says.
        _context = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        _clientCas = clientCas;
    }

    /// <summary>Of the certificate: <c>sha256:</c> and 64 hex digits.</summary>
    public string Fingerprint { get; }

    /// <summary>When it expires.</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>Whether no CA issued it.</summary>
    public bool IssuedItself { get; }

    /// <summary>Whether clients have to show a certificate.</summary>
    public bool AsksClients => _clientCas is not null;

    /// <summary>For one handshake; ALPN is the listener's to say.</summary>
    public SslServerAuthenticationOptions Options()
    {
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = _context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            AllowRenegotiation = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            ClientCertificateRequired = AsksClients,
        };
        if (_clientCas is not null)
        {
            options.CertificateChainPolicy = PolicyOf(_clientCas);
            options.RemoteCertificateValidationCallback = static (_, certificate, _, errors) => certificate is not null && errors == SslPolicyErrors.None;
        }

        return options;
    }

    /// <summary>From the texts of the files.</summary>
    /// <exception cref="TlsException">One is not what it should be, or they do not go together.</exception>
    public static TlsIdentity Parse(TlsFiles files, string certificates, string key, string? clientCas)
    {
        var chain = CertificatesOf(certificates, files.Certificate);
        var own = chain[0];
        X509Certificate2 whole;
        try
        {
            whole = X509Certificate2.CreateFromPem(own.ExportCertificatePem(), Key(key, files.Key));
        }
        catch (Exception wrong) when (wrong is CryptographicException or ArgumentException)
        {
            throw new TlsException(
                $"The key in {files.Key} does not belong to the first certificate in {files.Certificate}, or is of a kind that is not known here. The server's own " +
                "certificate stands first, its key is RSA or EC in PEM.", wrong);
        }

        if (OperatingSystem.IsWindows())
        {
            // There a key that lives in memory only cannot be used in a handshake.
            using var inMemory = whole;
            whole = X509CertificateLoader.LoadPkcs12(inMemory.Export(X509ContentType.Pkcs12), password: null);
        }

        chain.RemoveAt(0);
        return new(whole, chain, clientCas is null ? null : CasOf(clientCas, files.ClientCa!));
    }

    /// <summary>The text of a key's file, if it is one that can be used.</summary>
    /// <exception cref="TlsException">It has a passphrase, or is none.</exception>
    public static string Key(string text, string path)
    {
        if (text.Contains("BEGIN ENCRYPTED PRIVATE KEY", StringComparison.Ordinal) || text.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal))
        {
            throw new TlsException(
                $"The key in {path} has a passphrase, and a server starts where nobody can type one. `openssl pkey -in {Path.GetFileName(path)} -out plain.key` writes it without; keep that to its owner.");
        }

        return text.Contains("PRIVATE KEY-----", StringComparison.Ordinal)
            ? text
            : throw new TlsException($"{path} holds no private key: one in PEM, `-----BEGIN PRIVATE KEY-----`, is accepted.");
    }

    static X509Certificate2Collection CertificatesOf(string text, string path)
    {
        X509Certificate2Collection found = [];
        try
        {
            found.ImportFromPem(text);
        }
        catch (CryptographicException broken)
        {
            throw new TlsException($"A certificate in {path} is broken: {broken.Message}", broken);
        }

        return found.Count > 0 ? found : throw new TlsException($"{path} holds no certificate: one or several in PEM, `-----BEGIN CERTIFICATE-----`, are accepted.");
    }

    static X509Certificate2Collection CasOf(string text, string path)
    {
        var cas = CertificatesOf(text, path);
        return cas.Any(IsRoot) ? cas : throw new TlsException($"No certificate in {path} is a root, one that issued itself: add the root that those of your clients lead to.");
    }

    static X509ChainPolicy PolicyOf(X509Certificate2Collection cas)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.ApplicationPolicy.Add(new(ClientAuthentication));
        foreach (var ca in cas)
            (IsRoot(ca) ? policy.CustomTrustStore : policy.ExtraStore).Add(ca);
        return policy;
    }

    static bool IsRoot(X509Certificate2 certificate) => certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);
}
