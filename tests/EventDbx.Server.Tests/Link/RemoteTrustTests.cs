using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EventDbx.Cli.Output;
using EventDbx.Server.Tests.Conformance;

namespace EventDbx.Server.Tests.Link;

/// <summary>Which certificates <c>dbx --server https://…</c> believes, and what it says of the others.</summary>
public sealed class RemoteTrustTests : IDisposable
{
    readonly TemporaryDirectory _files = new();

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused_with_its_fingerprint_and_nothing_is_sent()
    {
        await using var cli = await StartAsync(Certificate("localhost"));

        var refused = await cli.Line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.Contains("is not trusted: no authority that this system knows has issued it", refused.Error, StringComparison.Ordinal);
        Assert.Contains($"  --server-fingerprint sha256:{Print("server.pem")}\n", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(cli.Line.Environment["EVENTDBX_TOKEN"], refused.Error, StringComparison.Ordinal);
        Assert.True(cli.LeftNothing);
    }

    [Fact]
    public async Task The_fingerprint_in_any_spelling_is_believed_and_another_one_is_not()
    {
        // Of another name, and expired: the fingerprint says which one is meant, and nothing else is asked.
        await using var cli = await StartAsync(Certificate("elsewhere.example.com", from: -20, to: -10));
        var print = Print("server.pem");
        var colons = string.Join(':', print.ToUpperInvariant().Chunk(2).Select(pair => new string(pair)));

        foreach (var spelling in (string[])[$"sha256:{print}", print, colons, $"SHA256:{colons}"])
            Assert.Equal((spelling, ExitCode.Done), (spelling, (await cli.Line.RunAsync("aggregate", "list", "--server-fingerprint", spelling)).Code));
        cli.Line.Environment["EVENTDBX_SERVER_FINGERPRINT"] = print;
        Assert.Equal(ExitCode.Done, (await cli.Line.RunAsync("aggregate", "list")).Code);
        var other = (print[0] == '0' ? "1" : "0") + print[1..];
        var refused = await cli.Line.RunAsync("aggregate", "list", "--server-fingerprint", other);

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.Contains($"  given  sha256:{other}\n  found  sha256:{print}\n", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_or_its_authority_in_a_file_is_believed_for_its_own_name_alone()
    {
        await using var cli = await StartAsync(Certificate("localhost"));
        var port = cli.Server.Port;
        _files.Write("other.pem", Certificate("localhost").Pem);
        _files.Write("none.pem", "no certificate");

        Assert.Equal(ExitCode.Done, (await ListAsync("localhost", "server.pem")).Code);
        var otherName = await ListAsync("127.0.0.1", "server.pem");
        Assert.Equal(ExitCode.Failed, otherName.Code);
        Assert.Contains("it is for localhost, and not for 127.0.0.1", otherName.Error, StringComparison.Ordinal);
        var other = await ListAsync("localhost", "other.pem");
        Assert.Equal(ExitCode.Failed, other.Code);
        Assert.Contains("none of the given authorities has issued it", other.Error, StringComparison.Ordinal);
        foreach (var file in (string[])["none.pem", "absent.pem"])
            Assert.Contains("`--server-ca`", (await ListAsync("localhost", file)).Error, StringComparison.Ordinal);

        Task<Outcome> ListAsync(string host, string ca) => cli.Line.RunAsync("aggregate", "list", "--server", $"https://{host}:{port}", "--server-ca", _files[ca]);
    }

    [Fact]
    public async Task What_an_authority_of_ones_own_has_issued_is_believed_and_not_what_has_expired()
    {
        var (authority, key) = Authority();
        using (authority)
        using (key)
        {
            _files.Write("ca.pem", authority.ExportCertificatePem());
            await using (var cli = await StartAsync(Certificate("localhost", issuer: authority)))
            {
                cli.Line.Environment["EVENTDBX_SERVER_CA"] = _files["ca.pem"];
                Assert.Equal(ExitCode.Done, (await cli.Line.RunAsync("aggregate", "list")).Code);
                // Both that are given have to hold.
                Assert.Equal(ExitCode.Failed, (await cli.Line.RunAsync("aggregate", "list", "--server-fingerprint", new string('0', 64))).Code);
                Assert.Equal(ExitCode.Done, (await cli.Line.RunAsync("aggregate", "list", "--server-fingerprint", Print("server.pem"))).Code);
            }

            await using (var cli = await StartAsync(Certificate("localhost", issuer: authority, from: -20, to: -10)))
            {
                var refused = await cli.Line.RunAsync("aggregate", "list", "--server-ca", _files["ca.pem"]);
                Assert.Equal(ExitCode.Failed, refused.Code);
                Assert.Contains("it is not valid today", refused.Error, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_server_that_asks_for_a_certificate_gets_the_one_that_is_given()
    {
        var (authority, key) = Authority();
        using (authority)
        using (key)
        {
            _files.Write("clients.pem", authority.ExportCertificatePem());
            var client = Certificate("kim", issuer: authority, usage: "1.3.6.1.5.5.7.3.2");
            _files.Write("client.pem", client.Pem);
            _files.Write("client.key", client.Key);
            await using var cli = await StartAsync(Certificate("localhost"), clientCa: _files["clients.pem"]);
            cli.Line.Environment["EVENTDBX_SERVER_FINGERPRINT"] = Print("server.pem");

            var without = await cli.Line.RunAsync("aggregate", "list");
            var with = await cli.Line.RunAsync("aggregate", "list", "--client-cert", _files["client.pem"], "--client-key", _files["client.key"]);
            cli.Line.Environment["EVENTDBX_CLIENT_CERT"] = _files["client.pem"];
            cli.Line.Environment["EVENTDBX_CLIENT_KEY"] = _files["client.key"];
            var byVariables = await cli.Line.RunAsync("aggregate", "list");
            var wrong = await cli.Line.RunAsync("aggregate", "list", "--client-cert", _files["server.pem"], "--client-key", _files["client.key"]);

            Assert.Equal((ExitCode.Failed, ExitCode.Done, ExitCode.Done, ExitCode.Failed), (without.Code, with.Code, byVariables.Code, wrong.Code));
            Assert.Contains("--client-cert", without.Error, StringComparison.Ordinal);
            Assert.Contains("no certificate with its key", wrong.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Clear_text_to_a_port_with_tls_and_tls_to_one_without_are_told_what_is_the_matter()
    {
        await using var secure = await StartAsync(Certificate("localhost"));
        await using var clear = await RemoteCli.StartAsync();

        var plain = await secure.Line.RunAsync("aggregate", "list", "--server", $"http://localhost:{secure.Server.Port}");
        var tls = await clear.Line.RunAsync("aggregate", "list", "--server", $"https://localhost:{clear.Server.Port}");

        Assert.Equal((ExitCode.Failed, ExitCode.Failed), (plain.Code, tls.Code));
        Assert.Contains("use https://", plain.Error, StringComparison.Ordinal);
        Assert.Contains("an address that begins with http://", tls.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _files.Dispose();

    async Task<RemoteCli> StartAsync((string Pem, string Key) certificate, string? clientCa = null)
    {
        _files.Write("server.pem", certificate.Pem);
        _files.Write("server.key", certificate.Key);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_files["server.key"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var cli = await RemoteCli.StartAsync(config => config with { TlsEnabled = true, TlsCertFile = _files["server.pem"], TlsKeyFile = _files["server.key"], TlsClientCaFile = clientCa });
        cli.Line.Environment["EVENTDBX_SERVER"] = $"https://localhost:{cli.Server.Port}";
        return cli;
    }

    string Print(string file)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(_files[file]));
        return Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));
    }

    static (X509Certificate2 Certificate, ECDsa Key) Authority()
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=our own", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return (request.CreateSelfSigned(DateTimeOffset.UtcNow.AddYears(-1), DateTimeOffset.UtcNow.AddYears(1)), key);
    }

    /// <param name="name">The one it is for.</param>
    /// <param name="issuer">With its key; null: itself.</param>
    /// <param name="from">Days from now.</param>
    /// <param name="to">Days from now.</param>
    /// <param name="usage">A server's, or a client's.</param>
    static (string Pem, string Key) Certificate(string name, X509Certificate2? issuer = null, int from = -1, int to = 30, string usage = "1.3.6.1.5.5.7.3.1")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new(usage)], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        var (begin, end) = (DateTimeOffset.UtcNow.AddDays(from), DateTimeOffset.UtcNow.AddDays(to));
        using var certificate = issuer is null ? request.CreateSelfSigned(begin, end) : request.Create(issuer, begin, end, RandomNumberGenerator.GetBytes(8));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
