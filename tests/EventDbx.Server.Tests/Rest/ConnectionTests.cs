using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Rest;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Connections that are many, slow, or in the way of a stop.</summary>
public sealed class ConnectionTests : IAsyncLifetime
{
    const string Event = """{"aggregate_type":"c","aggregate_id":"1","event_type":"e","payload":{}}""";

    readonly RestServer _server = new(static options => options, static limits =>
    {
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(2);
        limits.MinRequestBodyDataRate = new MinDataRate(240, TimeSpan.FromSeconds(1.5));
    });

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    static ValueTask SayAsync(NetworkStream stream, string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text), Cancellation);

    string Head(int length, string more = "") =>
        $"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_server.Root}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n";

    /// <summary>What has come, once it holds this text.</summary>
    static async Task<string> ReadUntilAsync(NetworkStream stream, string wanted)
    {
        var said = "";
        var buffer = new byte[8192];
        while (!said.Contains(wanted, StringComparison.Ordinal))
        {
            var read = await stream.ReadAsync(buffer, Cancellation);
            Assert.True(read > 0, $"Closed after: {said}");
            said += Encoding.UTF8.GetString(buffer, 0, read);
        }

        return said;
    }

    [CiTier("It waits for limits of time, one after the other.")]
    [Fact]
    public async Task Idle_and_slow_connections_do_not_disturb_health_and_slow_ones_are_given_up()
    {
        var streams = new List<NetworkStream>();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        try
        {
            for (var i = 0; i < 600; i++)
                streams.Add(await _server.ConnectAsync());
            var slow = streams.Skip(500).Select(stream => DribbleAsync(stream, ending.Token)).ToArray();
            var reading = streams.Skip(500).Select(RestServer.ReadToEndAsync).ToArray();
            for (var i = 0; i < 20; i++)
            {
                var started = Stopwatch.GetTimestamp();
                Assert.Equal(200, (await _server.GetAsync("/health", token: null)).Status);
                Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(30));
            }

            Assert.InRange(_server.Host.Status().Connections, 500, 700);
            foreach (var said in await Task.WhenAll(reading))
                Assert.True(said.Length == 0 || said.StartsWith("HTTP/1.1 408 ", StringComparison.Ordinal), said);
            await ending.CancelAsync();
            await Task.WhenAll(slow);
            Assert.Equal(200, (await _server.GetAsync("/health", token: null)).Status);
        }
        finally
        {
            foreach (var stream in streams)
                await stream.DisposeAsync();
        }

        // One byte a second, for as long as it is listened to.
        static async Task DribbleAsync(NetworkStream stream, CancellationToken ending)
        {
            try
            {
                foreach (var letter in "GET /health HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz"u8.ToArray())
                {
                    await stream.WriteAsync(new[] { letter }, ending);
                    await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ending);
                }
            }
            catch (Exception over) when (over is IOException or OperationCanceledException)
            {
            }
        }
    }

    [Fact]
    public async Task A_body_that_comes_too_slowly_is_408()
    {
        await using var stream = await _server.ConnectAsync();
        await SayAsync(stream, Head(1000) + "{");
        var said = await RestServer.ReadToEndAsync(stream);
        Assert.StartsWith("HTTP/1.1 408 ", said, StringComparison.Ordinal);
        Assert.EndsWith("\"retryable\":true}", said, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"request_timeout\"", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_is_revoked_while_its_body_is_on_the_way_writes_nothing()
    {
        var token = await _server.IssueAsync(new() { Group = "ops", User = "slow" });
        var jti = _server.Host.Tokens.List(_server.Owner).Single(listing => listing.User == "slow").Jti;
        await using var stream = await _server.ConnectAsync();
        await SayAsync(stream, Head(Event.Length).Replace(_server.Root, token, StringComparison.Ordinal) + Event[..10]);
        await _server.Host.Tokens.RevokeAsync(_server.Owner, jti.ToString(), null, TestContext.Current.CancellationToken);
        var size = _server.Host.Database.LogSize;
        await SayAsync(stream, Event[10..]);

        Assert.StartsWith("HTTP/1.1 401 ", await ReadUntilAsync(stream, "}"), StringComparison.Ordinal);
        Assert.Equal(size, _server.Host.Database.LogSize);
    }

    [Fact]
    public async Task A_refusal_that_read_the_body_leaves_the_connection_open()
    {
        await using var stream = await _server.ConnectAsync();
        foreach (var (body, status) in new[] { ("{}", 400), (Event, 200), ("nonsense", 400), (Event, 200) })
        {
            await SayAsync(stream, Head(body.Length) + body);
            var said = await ReadUntilAsync(stream, "}");
            Assert.StartsWith($"HTTP/1.1 {status} ", said, StringComparison.Ordinal);
            Assert.DoesNotContain("Connection: close", said, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_body_is_not_called_for_before_it_is_wanted()
    {
        await using (var stream = await _server.ConnectAsync())
        {
            await SayAsync(stream, Head(Event.Length, "Expect: 100-continue\r\n").Replace(_server.Root, "nonsense", StringComparison.Ordinal));
            Assert.StartsWith("HTTP/1.1 401 ", await RestServer.ReadToEndAsync(stream), StringComparison.Ordinal);
        }

        await using (var stream = await _server.ConnectAsync())
        {
            await SayAsync(stream, Head(Event.Length, "Expect: 100-continue\r\n"));
            Assert.StartsWith("HTTP/1.1 100 ", await ReadUntilAsync(stream, "\r\n\r\n"), StringComparison.Ordinal);
            await SayAsync(stream, Event);
            Assert.StartsWith("HTTP/1.1 200 ", await ReadUntilAsync(stream, "}"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stop_lets_a_request_finish()
    {
        await using var stream = await _server.ConnectAsync();
        await SayAsync(stream, Head(Event.Length, "Expect: 100-continue\r\n"));
        await ReadUntilAsync(stream, "100 Continue\r\n\r\n");
        var stopping = _server.Host.StopAsync(TimeSpan.FromSeconds(30));
        await RefusedAsync();
        Assert.True(_server.Host.Stopping);
        await SayAsync(stream, Event);
        Assert.Contains("HTTP/1.1 200 ", await RestServer.ReadToEndAsync(stream), StringComparison.Ordinal);
        await stopping;
        using var database = new Reopened(_server.DataDir);
        Assert.Equal(1UL, database.Session.GetAggregate(AggregateKey.Create("c", "1")).Version);
    }

    [Fact]
    public async Task A_stop_cuts_off_at_its_deadline_what_does_not_finish()
    {
        await using var stream = await _server.ConnectAsync();
        await SayAsync(stream, Head(Event.Length, "Expect: 100-continue\r\n"));
        await ReadUntilAsync(stream, "100 Continue\r\n\r\n");
        await _server.Host.StopAsync(TimeSpan.FromMilliseconds(200));
        Assert.DoesNotContain("HTTP/1.1 200 ", await RestServer.ReadToEndAsync(stream), StringComparison.Ordinal);
        using var database = new Reopened(_server.DataDir);
        Assert.Equal(RefusalCode.NotFound, Assert.Throws<RefusedException>(() => database.Session.GetAggregate(AggregateKey.Create("c", "1"))).Refusal.Code);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_an_error_and_leaves_the_directory_free()
    {
        using var directory = new TemporaryDirectory();
        var options = new ServerOptions
        {
            Config = new() { DataDir = directory.Path }, Auth = RestServer.Auth, Version = "x", Bind = System.Net.IPAddress.Loopback, Port = _server.Host.Port,
            Database = new() { Directory = directory.Path, Encrypted = false }, SocketPath = directory["dbx.sock"],
        };
        var failed = await Assert.ThrowsAsync<IOException>(() => ServerHost.StartAsync(options, Cancellation));
        Assert.Contains(_server.Host.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), failed.Message, StringComparison.Ordinal);
        Assert.Null(Database.FindHolder(directory.Path));
        await using var other = await ServerHost.StartAsync(options with { Port = 0 }, Cancellation);
    }

    [Fact]
    public void All_bodies_together_are_bounded()
    {
        var budget = new BodyBudget();
        Assert.True(budget.TryTake(ServerLimits.BodyBytesMax));
        Assert.False(budget.TryTake(1));
        budget.Give(1);
        Assert.True(budget.TryTake(1));
    }

    async Task RefusedAsync()
    {
        while (true)
        {
            try
            {
                await using var stream = await _server.ConnectAsync();
            }
            catch (SocketException)
            {
                return;
            }

            await Task.Yield();
        }
    }

    /// <summary>The directory after the server has gone.</summary>
    sealed class Reopened(string directory) : IDisposable
    {
        readonly Database _database = Database.Open(new() { Directory = directory, Encrypted = false, CreateIfMissing = false });

        public Session Session => _database.OpenSession();

        public void Dispose() => _database.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
