using System.Diagnostics;
using System.Text.Json;
using EventDbx.Server.Tests.Tls;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>TLS as the real program speaks it, with curl as the client.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class TlsDaemonTests : IAsyncDisposable
{
    readonly Dbx _dbx = new();

    public TlsDaemonTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Daemons are Unix's.");

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Fact]
    public async Task A_certificate_is_made_at_the_first_start_with_tls_and_its_fingerprint_is_said_everywhere()
    {
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1", "--tls", "--json");
        Assert.True(started.Code == 0, started.Error);
        var fingerprint = JsonDocument.Parse(started.Out).RootElement.GetProperty("tls_fingerprint").GetString()!;
        var certificate = Path.Combine(_dbx.DataDir, "tls.crt");
        Assert.Contains($"TLS certificate {certificate}, fingerprint {fingerprint}\n", started.Error, StringComparison.Ordinal);
        var status = await StatusAsync();
        Assert.Equal((fingerprint, certificate), (status.GetProperty("tls").GetProperty("fingerprint").GetString(), status.GetProperty("tls").GetProperty("certificate").GetString()));
        Assert.Contains($"  tls_fingerprint={fingerprint}\n", (await _dbx.RunAsync("status")).Out, StringComparison.Ordinal);
        Assert.Contains($" fingerprint={fingerprint} ", await LogAsync(), StringComparison.Ordinal);
        Assert.Equal("""{"status":"ok"}""", (await CurlAsync(status, "--cacert", certificate)).Out);
        // Who does not have the certificate does not trust it.
        Assert.Equal(60, (await CurlAsync(status)).Code);

        // Kept for the next start; the opposite is kept, too.
        Assert.Equal(0, (await _dbx.RunAsync("restart", "--port=0")).Code);
        Assert.Equal(fingerprint, (await StatusAsync()).GetProperty("tls").GetProperty("fingerprint").GetString());
        Assert.Equal(0, (await _dbx.RunAsync("restart", "--port=0", "--no-tls")).Code);
        Assert.Equal(JsonValueKind.Null, (await StatusAsync()).GetProperty("tls").ValueKind);
        Assert.Equal(0, (await _dbx.RunAsync("restart", "--port=0")).Code);
        Assert.StartsWith("http://", Address(await StatusAsync()), StringComparison.Ordinal);
        Assert.Equal(2, (await _dbx.RunAsync("restart", "--tls", "--no-tls")).Code);
    }

    [Fact]
    public async Task Files_that_are_replaced_while_it_runs_are_used_by_the_next_connection()
    {
        using var ca = new TestCa("Test CA");
        var (first, second) = (ca.Issue(), ca.Issue(rsa: true));
        _dbx.Home.Write("first.pem", first.Certificate);
        _dbx.Home.Write("second.pem", second.Certificate);
        _dbx.Home.Write("chain.pem", first.Certificate);
        _dbx.Home.Write("key.pem", first.Key);
        _dbx.Home.Write("ca.pem", ca.Pem);
        Assert.Equal(0, (await _dbx.RunAsync("config", "--tls", "true", "--tls-cert", "chain.pem", "--tls-key", "key.pem")).Code);
        Assert.Contains("Warning: everybody on this machine may read or write the TLS key", (await StartedAsync()).Error, StringComparison.Ordinal);
        var status = await StatusAsync();
        Assert.Equal("""{"status":"ok"}""", (await CurlAsync(status, "--cacert", _dbx.Home["ca.pem"])).Out);
        Assert.Equal(first.Fingerprint, status.GetProperty("tls").GetProperty("fingerprint").GetString());

        _dbx.Home.Write("key.new", second.Key);
        _dbx.Home.Write("chain.new", second.Certificate);
        File.Move(_dbx.Home["key.new"], _dbx.Home["key.pem"], overwrite: true);
        Assert.Equal("""{"status":"ok"}""", (await CurlAsync(status, "--cacert", _dbx.Home["ca.pem"])).Out);
        Assert.Equal(first.Fingerprint, (await StatusAsync()).GetProperty("tls").GetProperty("fingerprint").GetString());
        File.Move(_dbx.Home["chain.new"], _dbx.Home["chain.pem"], overwrite: true);
        Assert.Contains("RSA", (await CurlAsync(status, "--cacert", _dbx.Home["ca.pem"], "--write-out", "%{certs}")).Out, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(second.Fingerprint, (await StatusAsync()).GetProperty("tls").GetProperty("fingerprint").GetString());
        Assert.Contains($"The certificate was replaced: new connections get the one with the fingerprint {second.Fingerprint}.", await LogAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_show_a_certificate_where_a_CA_is_named()
    {
        using var ca = new TestCa("Client CA");
        var client = ca.Issue(use: TestCa.ClientUse);
        _dbx.Home.Write("clients.pem", ca.Pem);
        _dbx.Home.Write("client.crt", client.Certificate);
        _dbx.Home.Write("client.key", client.Key);
        Assert.Equal(0, (await _dbx.RunAsync("config", "--tls", "true", "--tls-client-ca", "clients.pem")).Code);
        await StartedAsync();
        var status = await StatusAsync();
        var certificate = Path.Combine(_dbx.DataDir, "tls.crt");
        Assert.Equal("""{"status":"ok"}""", (await CurlAsync(status, "--cacert", certificate, "--cert", _dbx.Home["client.crt"], "--key", _dbx.Home["client.key"])).Out);
        var without = await CurlAsync(status, "--cacert", certificate);
        Assert.Equal((true, ""), (without.Code != 0, without.Out));
        // Commands of this machine come by the socket.
        Assert.Equal(0, (await _dbx.RunAsync("aggregate", "list")).Code);
    }

    [Fact]
    public async Task A_server_whose_certificate_is_missing_is_not_started_nor_is_one_that_runs_stopped_for_it()
    {
        await _dbx.StartServerAsync();
        var told = await _dbx.RunAsync("config", "--tls", "true", "--tls-cert", "no.pem", "--tls-key", "no.key");
        Assert.Equal(0, told.Code);
        Assert.Contains($"A server does not start like this. There is no file {_dbx.Home["no.pem"]} (tls.cert_file).", told.Error, StringComparison.Ordinal);
        var restarted = await _dbx.RunAsync("restart", "--port=0");
        Assert.Equal((1, $"Error: There is no file {_dbx.Home["no.pem"]} (tls.cert_file).\n"), (restarted.Code, restarted.Error));
        Assert.StartsWith("http://", Address(await StatusAsync()), StringComparison.Ordinal);
        Assert.Equal(0, (await _dbx.RunAsync("stop")).Code);
        Assert.Equal(1, (await _dbx.RunAsync("start", "--port=0")).Code);
        Assert.Equal(0, (await _dbx.RunAsync("config", "--clear-tls-cert")).Code);
        await StartedAsync();
        Assert.StartsWith("https://", Address(await StatusAsync()), StringComparison.Ordinal);
    }

    async Task<Outcome> StartedAsync()
    {
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");
        Assert.True(started.Code == 0, started.Error);
        return started;
    }

    async Task<JsonElement> StatusAsync() => JsonDocument.Parse((await _dbx.RunAsync("status", "--json")).Out).RootElement;

    static string Address(JsonElement status) => status.GetProperty("addresses")[0].GetString()!;

    Task<string> LogAsync() => File.ReadAllTextAsync(Path.Combine(_dbx.DataDir, "logs", "eventdbx.log"), TestContext.Current.CancellationToken);

    static async Task<Outcome> CurlAsync(JsonElement status, params string[] arguments)
    {
        using var curl = Process.Start(new ProcessStartInfo("curl", ["--silent", .. arguments, $"{Address(status)}/health"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        return await Dbx.EndOfAsync(curl);
    }
}
