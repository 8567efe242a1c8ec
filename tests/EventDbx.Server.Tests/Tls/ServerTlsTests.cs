using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tests.Rest;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Tls;

/// <summary>A server that speaks TLS: which certificate its next connection gets, and who gets one.</summary>
public sealed class ServerTlsTests : IAsyncDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly TestCa _ca = new("Server CA");
    readonly RestServer _server;
    bool _own;
    string? _clientCa;

    public ServerTlsTests() => _server = new(static options => options)
    {
        ChangeOptions = options => options with
        {
            Config = options.Config with
            {
                TlsEnabled = true, TlsCertFile = _own ? CertificatePath : null, TlsKeyFile = _own ? KeyPath : null, TlsClientCaFile = _clientCa,
            },
        },
    };

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    string CertificatePath => _directory["server.pem"];

    string KeyPath => _directory["server.key"];

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _ca.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Without_a_certificate_one_is_made_for_its_owner_only_and_stays_the_same()
    {
        await _server.InitializeAsync();
        var tls = _server.Host.Status().Tls!;
        Assert.Equal(200, (await _server.AppendAsync("t", "1", "e", "{}")).Status);
        Assert.Equal((Path.Combine(_server.DataDir, "tls.crt"), true, false), (tls.Certificate, tls.SelfSigned, tls.ClientCertificates));
        Assert.Equal(tls.Fingerprint, await FingerprintAsync());
        foreach (var name in (string[])["tls.crt", "tls.key"])
        {
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_server.DataDir, name)));
        }

        await _server.Host.DisposeAsync();
        await _server.StartAsync();
        Assert.Equal(tls, _server.Host.Status().Tls);
        Assert.Equal(tls.Fingerprint, await FingerprintAsync());

        // One that a CA issued may take its place.
        var issued = _ca.Issue();
        Replace(Path.Combine(_server.DataDir, "tls.crt"), issued.Certificate);
        Replace(Path.Combine(_server.DataDir, "tls.key"), issued.Key);
        Assert.Equal(issued.Fingerprint, await FingerprintAsync());
        Assert.False(_server.Host.Status().Tls!.SelfSigned);
    }

    [Fact]
    public async Task A_made_certificate_is_for_this_machine_and_ten_years()
    {
        await _server.InitializeAsync();
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(_server.DataDir, "tls.crt"));
        Assert.True(certificate.MatchesHostname("localhost"));
        Assert.True(certificate.MatchesHostname("127.0.0.1"));
        Assert.True(certificate.MatchesHostname("::1"));
        Assert.False(certificate.MatchesHostname("127.0.0.2"));
        Assert.Equal(ECCurve.NamedCurves.nistP256.Oid.Value, certificate.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value);
        Assert.InRange(certificate.NotAfter - certificate.NotBefore, TimeSpan.FromDays(3650), TimeSpan.FromDays(3655));
    }

    [Fact]
    public async Task Its_addresses_say_https_and_the_socket_of_the_owner_stays_as_it_is()
    {
        await _server.InitializeAsync();
        var status = _server.Host.Status();
        Assert.Equal([$"https://127.0.0.1:{_server.Host.Port}", $"unix:{_server.SocketPath}"], status.Addresses);
        Assert.Equal(Exposure.Loopback, status.Exposure);
        Assert.Equal(status.Tls, (await StatusQuery.AskAsync(_server.SocketPath, "kim", Cancellation)).Tls);
        Assert.Equal(status.Tls, ServerStatus.Read((await _server.GetAsync("/admin/status")).Json).Tls);
    }

    [Theory]
    [InlineData("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", true)]
    [InlineData("PRI * HTTP/2.0\r\n\r\n", true)]
    [InlineData("\0\0\0\0nonsense", false)]
    public async Task Clear_text_on_its_port_is_told_so_or_closed(string said, bool answered)
    {
        await _server.InitializeAsync();
        var answer = await _server.SayAsync(said);
        if (answered)
        {
            Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", answer, StringComparison.Ordinal);
            Assert.Contains("This port speaks TLS", answer, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal("", answer);
        }

        Assert.Equal(200, (await _server.GetAsync("/health", token: null)).Status);
    }

    [Fact]
    public async Task Tls_on_a_port_without_it_gets_no_handshake_and_harms_nobody()
    {
        await using var plain = new RestServer();
        await plain.InitializeAsync();
        await using var stream = await plain.ConnectAsync();
        await using var tls = new SslStream(stream, true, static (_, certificate, _, _) => certificate is not null);
        await Assert.ThrowsAnyAsync<Exception>(() => tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, Cancellation));
        Assert.Equal(200, (await plain.GetAsync("/health", token: null)).Status);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task It_speaks_both_versions_and_http_1_1(SslProtocols version)
    {
        await _server.InitializeAsync();
        await using var tls = await HandshakeAsync(options =>
        {
            options.EnabledSslProtocols = version;
            options.ApplicationProtocols = [SslApplicationProtocol.Http11];
        });
        Assert.Equal((version, SslApplicationProtocol.Http11), (tls.SslProtocol, tls.NegotiatedApplicationProtocol));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_certificate_of_ones_own_is_shown_with_those_up_to_its_root(bool rsa, bool olderKey)
    {
        using var intermediate = new TestCa("Issuing CA", _ca);
        var own = intermediate.Issue(rsa: rsa);
        Write(own.Certificate + intermediate.Pem, olderKey ? own.OlderKey : own.Key);
        await _server.InitializeAsync();
        Assert.Equal(own.Fingerprint, _server.Host.Status().Tls!.Fingerprint);
        Assert.False(_server.Host.Status().Tls!.SelfSigned);
        // A client that knows the root only.
        await using var tls = await HandshakeAsync(options =>
        {
            options.RemoteCertificateValidationCallback = null;
            options.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.Add(X509Certificate2.CreateFromPem(_ca.Pem));
        });
        Assert.True(tls.IsAuthenticated);
    }

    [Fact]
    public async Task A_certificate_that_is_replaced_is_used_by_the_next_connection()
    {
        var (first, second) = (_ca.Issue(), _ca.Issue(rsa: true));
        Write(first.Certificate, first.Key);
        await _server.InitializeAsync();
        await using var kept = await HandshakeAsync();
        Assert.Equal(first.Fingerprint, Fingerprint(kept));

        Replace(CertificatePath, second.Certificate);
        Assert.Equal(first.Fingerprint, await FingerprintAsync());
        Replace(KeyPath, second.Key);
        Assert.Equal(second.Fingerprint, await FingerprintAsync());
        Assert.Equal(second.Fingerprint, _server.Host.Status().Tls!.Fingerprint);
        Assert.Single(Said(LogLevel.Information, "The certificate was replaced"));
        Assert.Single(Said(LogLevel.Warning, "cannot be used"));

        // Who was connected stays so.
        await kept.WriteAsync("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray(), Cancellation);
        Assert.StartsWith("HTTP/1.1 200 ", await RestServer.ReadToEndAsync(kept), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_that_leads_elsewhere_is_a_replacement()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a right there.");
        var (first, second) = (_ca.Issue(), _ca.Issue());
        foreach (var (name, issued) in new[] { ("one", first), ("two", second) })
        {
            Directory.CreateDirectory(_directory[name]);
            File.WriteAllText(_directory[$"{name}/cert"], issued.Certificate);
            File.WriteAllText(_directory[$"{name}/key"], issued.Key);
        }

        // As Kubernetes replaces them: the directory is a link, and moves.
        Directory.CreateSymbolicLink(_directory["now"], _directory["one"]);
        File.CreateSymbolicLink(CertificatePath, _directory["now/cert"]);
        File.CreateSymbolicLink(KeyPath, _directory["now/key"]);
        _own = true;
        await _server.InitializeAsync();
        Assert.Equal(first.Fingerprint, await FingerprintAsync());
        Directory.Delete(_directory["now"]);
        Directory.CreateSymbolicLink(_directory["now"], _directory["two"]);
        Assert.Equal(second.Fingerprint, await FingerprintAsync());
        Assert.Empty(Said(LogLevel.Warning, "cannot be used"));
    }

    [Fact]
    public async Task Files_that_cannot_be_used_change_nothing_and_are_told_of_once()
    {
        var (first, second) = (_ca.Issue(), _ca.Issue());
        Write(first.Certificate, first.Key);
        await _server.InitializeAsync();
        Action[] troubles =
        [
            () => File.WriteAllText(CertificatePath, second.Certificate[..(second.Certificate.Length / 2)]),
            () => File.WriteAllText(KeyPath, ""),
            () => File.WriteAllText(KeyPath, second.EncryptedKey),
            () => File.WriteAllText(KeyPath, second.Key),
            () => File.Delete(CertificatePath),
        ];
        foreach (var trouble in troubles)
        {
            trouble();
            for (var i = 0; i < 3; i++)
                Assert.Equal(first.Fingerprint, await FingerprintAsync());
        }

        Assert.Equal(troubles.Length, Said(LogLevel.Warning, "cannot be used").Count);
        Write(second.Certificate, second.Key);
        Assert.Equal(second.Fingerprint, await FingerprintAsync());
        Assert.Equal(200, (await _server.GetAsync("/health", token: null)).Status);
        lock (_server.Lines)
            Assert.DoesNotContain(_server.Lines, line => line.Message.Contains("PRIVATE KEY-----\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_a_client_CA_only_who_shows_a_certificate_of_it_comes_in()
    {
        using var clients = new TestCa("Client CA");
        using var strangers = new TestCa("Client CA");
        using var issuing = new TestCa("Issuing CA", clients);
        _clientCa = _directory["clients.pem"];
        await File.WriteAllTextAsync(_clientCa, clients.Pem + issuing.Pem, Cancellation);
        var own = _ca.Issue();
        Write(own.Certificate, own.Key);
        await _server.InitializeAsync();
        Assert.True(_server.Host.Status().Tls!.ClientCertificates);

        foreach (var good in new[] { clients.Issue(use: TestCa.ClientUse), issuing.Issue(use: TestCa.ClientUse, rsa: true) })
            Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(good, "/health"), StringComparison.Ordinal);
        // It opens no door that a token opens.
        Assert.StartsWith("HTTP/1.1 401 ", await AskAsync(clients.Issue(use: TestCa.ClientUse), "/v1/aggregates"), StringComparison.Ordinal);
        foreach (var bad in new[]
        {
            null, strangers.Issue(use: TestCa.ClientUse), clients.Issue(use: TestCa.ServerUse), clients.Issue(TimeSpan.FromMinutes(-1), TestCa.ClientUse), own,
        })
        {
            Assert.Equal("", await AskAsync(bad, "/health"));
        }

        // The owner's socket asks for none.
        Assert.NotNull(await StatusQuery.AskAsync(_server.SocketPath, "kim", Cancellation));

        // A CA that is replaced counts for the next connection.
        Replace(_clientCa, strangers.Pem);
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(strangers.Issue(use: TestCa.ClientUse), "/health"), StringComparison.Ordinal);
        Assert.Equal("", await AskAsync(clients.Issue(use: TestCa.ClientUse), "/health"));
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_who_says_nothing()
    {
        await _server.InitializeAsync();
        await using var silent = await _server.ConnectAsync();
        while (_server.Host.Status().Connections == 0)
            await Task.Yield();
        await _server.Host.StopAsync(TimeSpan.FromMinutes(10)).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal("", await RestServer.ReadToEndAsync(silent));
    }

    void Write(string certificate, string key)
    {
        _own = true;
        File.WriteAllText(CertificatePath, certificate);
        File.WriteAllText(KeyPath, key);
    }

    static void Replace(string path, string content)
    {
        File.WriteAllText(path + ".new", content);
        File.Move(path + ".new", path, overwrite: true);
    }

    List<LogLine> Said(LogLevel level, string words)
    {
        lock (_server.Lines)
            return [.. _server.Lines.Where(line => line.Source == "tls" && line.Level == level && line.Message.Contains(words, StringComparison.Ordinal))];
    }

    async Task<SslStream> HandshakeAsync(Action<SslClientAuthenticationOptions>? change = null)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = "localhost", RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null, AllowTlsResume = false };
        change?.Invoke(options);
        var tls = new SslStream(await _server.ConnectAsync(), leaveInnerStreamOpen: false);
        try
        {
            await tls.AuthenticateAsClientAsync(options, Cancellation);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    async Task<string> FingerprintAsync()
    {
        await using var tls = await HandshakeAsync();
        return Fingerprint(tls);
    }

    static string Fingerprint(SslStream tls) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(tls.RemoteCertificate!.GetRawCertData()))}";

    /// <summary>What a client with this certificate is answered; nothing where the handshake is refused, which in TLS 1.3 a client learns when it reads.</summary>
    async Task<string> AskAsync(TestCa.Issued? certificate, string path)
    {
        using var shown = certificate?.ToCertificate();
        try
        {
            await using var tls = await HandshakeAsync(options =>
            {
                if (shown is not null)
                    options.ClientCertificateContext = SslStreamCertificateContext.Create(shown, null, offline: true);
            });
            await tls.WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Cancellation);
            return await RestServer.ReadToEndAsync(tls);
        }
        catch (Exception refused) when (refused is AuthenticationException or IOException or SocketException)
        {
            return "";
        }
    }
}
