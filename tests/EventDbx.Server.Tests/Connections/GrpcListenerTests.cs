using System.Net;
using System.Text.Json;
using EventDbx.Server.Configuration;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tests.Daemon;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary><c>grpc.bind_addr</c>: gRPC shares the port of the rest, or has one of its own.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class GrpcListenerTests : IAsyncDisposable
{
    RestServer? _server;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    RestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    async Task StartAsync(string address, bool tls = false, ConnectionLimits? limits = null, Func<ServerOptions, ServerOptions>? change = null)
    {
        _server = new(static options => options)
        {
            ChangeOptions = options => (change ?? (static same => same))(options with { Config = options.Config with { GrpcBindAddr = address, TlsEnabled = tls }, ConnectionLimits = limits }),
        };
        await _server.InitializeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task With_a_listener_of_its_own_gRPC_is_served_there_alone_and_nothing_else_is(bool tls)
    {
        await StartAsync("127.0.0.1:0", tls);
        var port = Server.Host.GrpcPort!.Value;
        Assert.NotEqual(Server.Host.Port, port);
        var scheme = tls ? "https" : "http";
        Assert.Equal([$"{scheme}://127.0.0.1:{Server.Host.Port}", $"{scheme}://127.0.0.1:{port}", $"unix:{Server.SocketPath}"], Server.Host.Status().Addresses);
        Assert.Equal((false, true, true, false), (Server.Host.ServesGrpc(Door.Main), Server.Host.ServesGrpc(Door.Grpc), Server.Host.ServesGrpc(Door.Socket), Server.Host.ServesGrpc(Door.Admin)));

        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var client = Server.ClientOf(version);
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(client, $"{scheme}://127.0.0.1:{port}/health")).Status);
            var (status, said) = await AskAsync(client, $"{scheme}://127.0.0.1:{port}/v1/aggregates");
            Assert.Equal(HttpStatusCode.NotFound, status);
            Assert.Contains($"This port serves gRPC alone (grpc.bind_addr). REST and GraphQL are on port {Server.Host.Port}.", said, StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(client, $"{scheme}://127.0.0.1:{port}/admin/tokens")).Status);
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(client, $"{scheme}://127.0.0.1:{Server.Host.Port}/v1/aggregates")).Status);
        }

        if (!tls)
            return;
        using var clear = new HttpClient();
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(clear, $"http://127.0.0.1:{port}/health")).Status);
    }

    [Theory]
    [InlineData("0.0.0.0:7070", 7070)] // As published.
    [InlineData("0.0.0.0:7070", 9000)] // As published, where the server is elsewhere: nobody has asked for 7070.
    [InlineData("192.0.2.1:9000", 9000)] // The same port: its address is not looked at.
    public async Task Where_the_port_is_that_of_the_server_it_is_shared(string address, int port)
    {
        await StartAsync(address, change: options => options with { Config = options.Config with { Port = port } });
        Assert.Null(Server.Host.GrpcPort);
        Assert.Equal(2, Server.Host.Status().Addresses.Count);
        Assert.True(Server.Host.ServesGrpc(Door.Main));
    }

    [Fact]
    public async Task Where_gRPC_is_off_nothing_listens_for_it()
    {
        await StartAsync("127.0.0.1:0", change: static options => options with { Config = options.Config with { ApiGrpc = false } });
        Assert.Null(Server.Host.GrpcPort);
    }

    [Fact]
    public async Task Both_ports_are_counted_together()
    {
        await StartAsync("127.0.0.1:0", limits: new(100, 3, ServerLimits.FirstByteTimeout));
        await using var oldest = await Server.ConnectAsync();
        while (Server.Host.Status().Connections < 1)
            await Task.Yield();
        using var one = new System.Net.Sockets.TcpClient();
        await one.ConnectAsync(IPAddress.Loopback, Server.Host.GrpcPort!.Value, Cancellation);
        using var two = new System.Net.Sockets.TcpClient();
        await two.ConnectAsync(IPAddress.Loopback, Server.Host.GrpcPort!.Value, Cancellation);
        using var three = new System.Net.Sockets.TcpClient();
        await three.ConnectAsync(IPAddress.Loopback, Server.Host.GrpcPort!.Value, Cancellation);
        Assert.Equal("", await RestServer.ReadToEndAsync(oldest).WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_refused_at_the_start_and_leaves_the_directory_free()
    {
        await StartAsync("0.0.0.0:7070");
        using var directory = new TemporaryDirectory();
        var options = new ServerOptions
        {
            Config = new() { DataDir = directory.Path, GrpcBindAddr = $"127.0.0.1:{Server.Host.Port}" }, Auth = RestServer.Auth, Version = "x", Bind = IPAddress.Loopback, Port = 0,
            Database = new() { Directory = directory.Path, Encrypted = false },
        };
        var refused = await Assert.ThrowsAsync<DaemonException>(() => ServerHost.StartAsync(options, Cancellation));
        Assert.StartsWith($"gRPC cannot listen on 127.0.0.1:{Server.Host.Port}: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--grpc-bind", refused.Message, StringComparison.Ordinal);
        Assert.Null(Database.FindHolder(directory.Path));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1", null)]
    [InlineData("127.0.0.1", "0.0.0.0", "gRPC")]
    [InlineData("0.0.0.0", "127.0.0.1", "main")]
    [InlineData("0.0.0.0", "0.0.0.0", "both")]
    public async Task What_others_can_read_along_at_is_named_whichever_port_it_is(string main, string grpc, string? exposed)
    {
        await StartAsync($"{grpc}:0", change: options => options with { Bind = IPAddress.Parse(main) });
        var status = Server.Host.Status();
        var config = new ServerConfig { DataDir = Server.DataDir };
        var notices = StartNotices.Of(config, status, Server.Host.InClear, adminExposed: false);
        Assert.Equal(exposed is null ? Exposure.Loopback : Exposure.Plaintext, status.Exposure);
        if (exposed is null)
        {
            Assert.Empty(notices);
            return;
        }

        var notice = Assert.Single(notices);
        Assert.Equal(exposed is "main" or "both", notice.Contains($"http://0.0.0.0:{Server.Host.Port}", StringComparison.Ordinal));
        Assert.Equal(exposed is "main" or "both", notice.Contains("`--bind 127.0.0.1`", StringComparison.Ordinal));
        Assert.Equal(exposed is "gRPC" or "both", notice.Contains($"http://0.0.0.0:{Server.Host.GrpcPort}", StringComparison.Ordinal));
        Assert.Equal(exposed is "gRPC" or "both", notice.Contains("--grpc-bind", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_that_is_configured_so_listens_on_both_and_says_so()
    {
        await using var dbx = new Dbx();
        var refused = await dbx.RunAsync("config", "--grpc-bind", "localhost:9090");
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("an IP address and a port", refused.Error, StringComparison.Ordinal);
        var port = FreePort.Take();
        Assert.Equal(0, (await dbx.RunAsync("config", "--grpc-bind", $"127.0.0.1:{port}")).Code);
        await dbx.StartServerAsync();
        using var status = JsonDocument.Parse((await dbx.RunAsync("status", "--json")).Out);
        Assert.Equal($"http://127.0.0.1:{port}", status.RootElement.GetProperty("addresses")[1].GetString());

        await using var other = new Dbx();
        Assert.Equal(0, (await other.RunAsync("config", "--grpc-bind", $"127.0.0.1:{port}")).Code);
        var failed = await other.RunAsync("start", "--port=0", "--bind=127.0.0.1");
        Assert.Equal(1, failed.Code);
        Assert.Contains($"gRPC cannot listen on 127.0.0.1:{port}: ", failed.Error, StringComparison.Ordinal);
    }

    static async Task<(HttpStatusCode Status, string Said)> AskAsync(HttpClient client, string url)
    {
        using var answer = await client.GetAsync(new Uri(url), Cancellation);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancellation));
    }
}
