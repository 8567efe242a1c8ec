using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tests.Daemon;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>What a stop does to connections of either version.</summary>
[CiTier("It waits for limits of time, one after the other.")]
public sealed class DrainTests
{
    /// <summary>More than lies on the way of an answer that nobody reads.</summary>
    const int Events = 10, EventBytes = 1_000_000;

    const uint Refused = 7;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public async Task A_server_that_is_told_to_stop_finishes_a_slow_answer_and_then_ends(int version, bool tls)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are Unix's.");
        await using var dbx = new Dbx();
        var server = await dbx.StartServerAsync(tls ? ["--tls"] : []);
        using var status = JsonDocument.Parse((await dbx.RunAsync("status", "--json")).Out);
        var port = status.RootElement.GetProperty("port").GetInt32();
        var token = (await dbx.RunAsync("token", "generate", "--group", "ops", "--user", "kim", "--root")).Out.Split('\n')[0]["token=".Length..];
        using var client = ClientOf(port, version, tls, token);
        for (var i = 0; i < Events; i++)
        {
            using var body = new StringContent(
                $$"""{"aggregate_type":"big","aggregate_id":"1","event_type":"grew","payload":{"text":"{{new string('x', EventBytes)}}"} }""", Encoding.UTF8, "application/json");
            using var taken = await client.PostAsync(new Uri("/v1/events", UriKind.Relative), body, Cancellation);
            Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        }

        using var asked = new HttpRequestMessage(HttpMethod.Post, "/v1/evidence") { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        using var slow = await client.SendAsync(asked, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal((HttpStatusCode.OK, version), (slow.StatusCode, slow.Version.Major));
        await using var answer = await slow.Content.ReadAsStreamAsync(Cancellation);
        var piece = new byte[1];
        await answer.ReadExactlyAsync(piece, Cancellation);

        Dbx.Signal(server.Pid, "TERM");
        await RefusedAsync(port);
        Assert.True(server.Identity!.Value.Runs);
        using var whole = new MemoryStream();
        whole.Write(piece);
        await answer.CopyToAsync(whole, Cancellation);
        Assert.InRange(whole.Length, Events * EventBytes, int.MaxValue);
        Assert.Contains("{\"end\":", Encoding.UTF8.GetString(whole.GetBuffer().AsSpan(Math.Max(0, (int)whole.Length - 500), 500)), StringComparison.Ordinal);
        var read = Stopwatch.GetTimestamp();
        await Dbx.WaitForAsync(() => !server.Identity!.Value.Runs);
        // Long before the deadline.
        Assert.InRange(Stopwatch.GetElapsedTime(read), TimeSpan.Zero, ServerRun.StopDeadline * 0.8);
    }

    [Fact]
    public async Task A_request_that_comes_after_the_goodbye_is_refused_so_that_its_client_sends_it_elsewhere()
    {
        await using var server = new RestServer();
        await server.InitializeAsync();
        for (var i = 0; i < 3; i++)
            await server.AppendAsync("big", "b", "grew", $$"""{"text":"{{new string('x', 65_000)}}"}""");
        await using var idle = await RawHttp2.OpenAsync(server);
        await using var raw = await RawHttp2.OpenAsync(server, window: 0);
        await raw.RequestAsync(1, "GET", "/v1/aggregates/big/b/events", server.Root);
        await raw.HeadAsync(1);

        var stopping = server.Host.StopAsync(TimeSpan.FromSeconds(60));
        await raw.UntilAsync(static frame => frame.Type == Frame.GoAway);
        // One on which nothing is under way ends at once.
        Assert.Contains(await idle.RestAsync(), static frame => frame.Type == Frame.GoAway);
        await raw.RequestAsync(3, "GET", "/health");
        Assert.Equal(Refused, (await raw.UntilAsync(static frame => frame.Type == Frame.Reset && frame.Stream == 3)).Error);
        Assert.False(stopping.IsCompleted);

        await raw.AllowAsync(0, 1_000_000);
        await raw.AllowAsync(1, 1_000_000);
        await raw.UntilAsync(static frame => frame is { Type: Frame.Data, Stream: 1, Ends: true });
        // Long before the deadline, though its client keeps the connection and says nothing.
        await raw.RestAsync().WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        await stopping.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
    }

    [Fact]
    public async Task A_stop_cuts_off_at_its_deadline_a_stream_that_nobody_takes()
    {
        await using var server = new RestServer();
        await server.InitializeAsync();
        for (var i = 0; i < 3; i++)
            await server.AppendAsync("big", "b", "grew", $$"""{"text":"{{new string('x', 65_000)}}"}""");
        await using var raw = await RawHttp2.OpenAsync(server, window: 0);
        await raw.RequestAsync(1, "GET", "/v1/aggregates/big/b/events", server.Root);
        await raw.HeadAsync(1);
        await server.Host.StopAsync(TimeSpan.FromMilliseconds(200)).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.DoesNotContain(await raw.RestAsync(), static frame => frame is { Type: Frame.Data, Ends: true });
    }

    static HttpClient ClientOf(int port, int version, bool tls, string token)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false, SslOptions = new() { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
            ConnectCallback = async (to, cancellation) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 64 * 1024 };
                await socket.ConnectAsync(to.DnsEndPoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = new($"{(tls ? "https" : "http")}://127.0.0.1:{port}"), DefaultRequestVersion = new(version, version == 1 ? 1 : 0), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    static async Task RefusedAsync(int port)
    {
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, Cancellation);
            }
            catch (SocketException)
            {
                return;
            }

            await Task.Yield();
        }
    }
}
