using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventDbx.Cli;

/// <summary>Which certificate of a server elsewhere is believed, and which one is shown to it.</summary>
/// <remarks>
/// <code>
/// nothing given          the roots of this system, and the name must fit
/// --server-ca            these instead of the system's, and the name must fit
/// --server-fingerprint   this very certificate, whatever it says
/// </code>
/// Nothing switches the check off: who cannot check a certificate can compare its fingerprint.
/// </remarks>
internal sealed class RemoteTrust : IDisposable
{
    const string CaVariable = "EVENTDBX_SERVER_CA";
    const string FingerprintVariable = "EVENTDBX_SERVER_FINGERPRINT";
    const string ClientCertVariable = "EVENTDBX_CLIENT_CERT";
    const string ClientKeyVariable = "EVENTDBX_CLIENT_KEY";

    static readonly Option<string> Ca = Options.Text(
        "--server-ca", "FILE", $"Believe a server whose certificate one of these issued, or is (PEM), instead of the system's authorities (default: {CaVariable}).").Anywhere();

    static readonly Option<string> Fingerprint = Options.Text(
        "--server-fingerprint", "sha256:HEX", $"Believe the server that shows the certificate with this fingerprint, and no other (default: {FingerprintVariable}).").Anywhere();

    static readonly Option<string> ClientCert = Options.Text(
        "--client-cert", "FILE", $"The certificate to show to a server that asks for one (PEM; default: {ClientCertVariable}).").Anywhere();

    static readonly Option<string> ClientKey = Options.Text("--client-key", "FILE", $"Its private key (PEM; default: {ClientKeyVariable}).").Anywhere();

    readonly string _host;
    readonly string _url;
    readonly X509Certificate2Collection? _authorities;
    readonly byte[]? _fingerprint;
    readonly X509Certificate2? _client;

    RemoteTrust(string host, string url, X509Certificate2Collection? authorities, byte[]? fingerprint, X509Certificate2? client) =>
        (_host, _url, _authorities, _fingerprint, _client) = (host, url, authorities, fingerprint, client);

    public static IReadOnlyList<Option> All { get; } = [Ca, Fingerprint, ClientCert, ClientKey];

    /// <summary>The variables that stand for them.</summary>
    public static IReadOnlyList<string> Variables { get; } = [CaVariable, FingerprintVariable, ClientCertVariable, ClientKeyVariable];

    /// <summary>Whether it has a certificate to show.</summary>
    public bool ShowsCertificate => _client is not null;

    /// <summary>For an address that does not encrypt: what would be of no use there is refused.</summary>
    public static RemoteTrust? None(Call call) => All.FirstOrDefault(call.Has) is { } idle
        ? throw new UsageException($"`{idle.Name}` goes with an address that begins with https://.")
        : null;

    /// <exception cref="UsageException">What is given is not of its form.</exception>
    /// <exception cref="IOException">A file cannot be read, or holds nothing of its kind.</exception>
    public static RemoteTrust Of(Call call, string host, string url)
    {
        var pin = Given(call, Fingerprint, FingerprintVariable) is { } text ? ReadFingerprint(text) : null;
        var authorities = Given(call, Ca, CaVariable) is { } file ? ReadAuthorities(call.Shell.Resolve(file)) : null;
        var (cert, key) = (Given(call, ClientCert, ClientCertVariable), Given(call, ClientKey, ClientKeyVariable));
        if (cert is null != key is null)
            throw new UsageException($"`{ClientCert.Name}` and `{ClientKey.Name}` go together; {(cert is null ? ClientCert.Name : ClientKey.Name)} is missing.");
        return new(host, url, authorities, pin, cert is null ? null : ReadClient(call.Shell.Resolve(cert), call.Shell.Resolve(key!)));
    }

    /// <summary>As it is printed everywhere.</summary>
    public static string FingerprintOf(X509Certificate certificate) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()))}";

    /// <summary>TLS over a connection, with a server that is believed.</summary>
    /// <exception cref="ServerUnreachableException">It is not, or does not speak TLS.</exception>
    public async Task<Stream> SecureAsync(Stream plain, CancellationToken cancellation)
    {
        string? refused = null;
        var tls = new SslStream(plain, leaveInnerStreamOpen: false);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = _host,
                    ApplicationProtocols = [SslApplicationProtocol.Http11],
                    ClientCertificateContext = _client is null ? null : SslStreamCertificateContext.Create(_client, additionalCertificates: null, offline: true),
                    RemoteCertificateValidationCallback = (_, certificate, chain, errors) => (refused = Judge(certificate, chain, errors)) is null,
                },
                cancellation).ConfigureAwait(false);
            return tls;
        }
        catch (Exception failed) when (failed is AuthenticationException or IOException)
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw refused is not null
                ? new ServerUnreachableException(refused, again: false)
                : new ServerUnreachableException(
                    $"No TLS with {_url}: {failed.GetBaseException().Message.TrimEnd('.')}. A server without TLS has an address that begins with http://; one that asks for client certificates (tls.client_ca_file) needs `{ClientCert.Name}` and `{ClientKey.Name}`.", again: false);
        }
        catch
        {
            await tls.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public void Dispose()
    {
        _client?.Dispose();
        foreach (var authority in _authorities ?? [])
            authority.Dispose();
    }

    /// <summary>Why a certificate is not believed; null when it is.</summary>
    string? Judge(X509Certificate? shown, X509Chain? chain, SslPolicyErrors errors)
    {
        if (shown is null)
            return $"The server at {_url} shows no certificate.";
        using var certificate = X509CertificateLoader.LoadCertificate(shown.GetRawCertData());
        if (_fingerprint is not null)
        {
            if (!SHA256.HashData(certificate.RawData).AsSpan().SequenceEqual(_fingerprint))
            {
                return $"The server at {_url} shows another certificate than the one with the fingerprint given.\n  given  sha256:{Convert.ToHexStringLower(_fingerprint)}\n  found  {FingerprintOf(certificate)}\n" +
                    "Its certificate was replaced, or somebody else answers in its place. Ask who runs it, on another way, before you trust the new one.";
            }

            if (_authorities is null)
                return null;
        }

        var why = _authorities is null ? OfSystem(errors, chain) : OfAuthorities(certificate, chain);
        if (why is null && errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            why = $"it is for {NamesOf(certificate)}, and not for {_host}";
        if (why is null)
            return null;
        var fingerprint = FingerprintOf(certificate);
        return $"The certificate of {_url} is not trusted: {why}.\n  subject      {certificate.Subject}\n  for          {NamesOf(certificate)}\n" +
            $"  valid        {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd} to {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}\n  fingerprint  {fingerprint}\n" +
            "Nothing was sent. Compare the fingerprint with the one that the server printed when it was started. If it is the same, and only then:\n" +
            $"  {Fingerprint.Name} {fingerprint}\nor {FingerprintVariable}; `{Ca.Name} FILE` believes what an authority of your own issues.";
    }

    static string? OfSystem(SslPolicyErrors errors, X509Chain? chain) =>
        errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) ? StatusOf(chain, "no authority that this system knows has issued it") : null;

    string? OfAuthorities(X509Certificate2 certificate, X509Chain? sent)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities!);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1", null)); // A server's.
        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        return chain.Build(certificate) ? null : StatusOf(chain, "none of the given authorities has issued it");
    }

    static string StatusOf(X509Chain? chain, string unknown)
    {
        var found = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status) ?? X509ChainStatusFlags.NoError;
        return found.HasFlag(X509ChainStatusFlags.NotTimeValid) ? "it is not valid today: expired, or not valid yet; or the clock here is wrong"
            : found.HasFlag(X509ChainStatusFlags.NotValidForUsage) ? "it is not made for servers"
            : (found & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0 || found == X509ChainStatusFlags.NoError ? unknown
            : $"{unknown}, or not well ({found})";
    }

    static string NamesOf(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(names => names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(address => address.ToString()))).ToList();
        return names.Count > 0 ? string.Join(", ", names) : certificate.GetNameInfo(X509NameType.DnsName, forIssuer: false);
    }

    static string? Given(Call call, Option<string> option, string variable)
    {
        if (call.Has(option))
            return string.IsNullOrWhiteSpace(call.Get(option)) ? throw new UsageException($"`{option.Name}` is empty; give it {option.HelpName}.") : call.Get(option)!.Trim();
        return call.Shell.Environment(variable) is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;
    }

    static byte[] ReadFingerprint(string text)
    {
        var hex = text.StartsWith("sha256:", StringComparison.OrdinalIgnoreCase) ? text["sha256:".Length..] : text;
        hex = hex.Replace(":", "", StringComparison.Ordinal);
        return hex.Length == 64 && hex.All(char.IsAsciiHexDigit)
            ? Convert.FromHexString(hex)
            : throw new UsageException($"`{Fingerprint.Name}` is sha256: and 64 hex digits, with colons or without, not `{text}`.");
    }

    static X509Certificate2Collection ReadAuthorities(string path)
    {
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPemFile(path);
        }
        catch (Exception failed) when (failed is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new IOException($"`{Ca.Name}`: {path} cannot be read: {failed.Message}");
        }

        return found.Count > 0 ? found : throw new IOException($"`{Ca.Name}`: {path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----).");
    }

    static X509Certificate2 ReadClient(string certificate, string key)
    {
        try
        {
            var read = X509Certificate2.CreateFromPemFile(certificate, key);
            if (!OperatingSystem.IsWindows())
                return read;
            // Its TLS takes no key that lies in memory alone.
            using (read)
                return X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), password: null);
        }
        catch (Exception failed) when (failed is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new IOException($"`{ClientCert.Name}` and `{ClientKey.Name}`: {certificate} and {key} are no certificate with its key in PEM: {failed.Message}");
        }
    }
}
