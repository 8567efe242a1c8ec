using System.Net;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Connections;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Clients that do not take their answers, or take their time, while others come.</summary>
public sealed class AnswerTakingTests : IAsyncDisposable
{
    const int Near = 3;

    /// <summary>Of one page: more than kernels hold of it on their way.</summary>
    const int Events = 60;

    const int EventBytes = 65_000;

    const string LastChunk = "\r\n0\r\n\r\n";

    readonly List<IDisposable> _opened = [];
    RestServer? _server;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    RestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _opened)
            one.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
    }

    async Task StartAsync(TimeSpan stall, bool tls = false)
    {
        _server = new(static options => options)
        {
            ChangeOptions = options => options with
            {
                Config = options.Config with { TlsEnabled = tls, PageLimit = 1_000 },
                ConnectionLimits = new(100, Near, ServerLimits.FirstByteTimeout) { Stall = stall },
            },
        };
        await _server.InitializeAsync();
        for (var i = 0; i < Events; i++)
            await _server.AppendAsync("big", "b", "grew", $$"""{"text":"{{new string('x', EventBytes)}}"}""");
    }

    [Fact]
    public async Task Answers_of_requests_that_came_in_a_row_and_that_nobody_takes_keep_nobody_out()
    {
        await StartAsync(stall: TimeSpan.FromMilliseconds(500));
        for (var i = 0; i < Near; i++)
        {
            var stream = await OpenAsync();
            await SayAsync(stream, string.Concat(Enumerable.Repeat(Page, 8)));
            // The first answer has begun; all of them do not fit on the way.
            await stream.ReadExactlyAsync(new byte[1], Cancellation);
        }

        await AskUntilAnsweredAsync();
    }

    [Fact]
    public async Task Who_proves_to_be_nobody_keeps_no_connection_by_not_taking_refusals()
    {
        await StartAsync(stall: TimeSpan.FromHours(1));
        var request = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("GET /v1/aggregates HTTP/1.1\r\nHost: x\r\n\r\n", 1_000)));
        for (var i = 0; i < Near; i++)
        {
            var stream = await OpenAsync();
            stream.Socket.Blocking = false;
            try
            {
                // Until nothing more is taken, for want of room for answers.
                while (stream.Socket.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectWrite))
                    stream.Socket.Send(request);
            }
            catch (SocketException full) when (full.SocketErrorCode == SocketError.WouldBlock)
            {
            }
        }

        await AskUntilAnsweredAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_is_taken_slowly_comes_whole_though_others_press(bool tls)
    {
        await StartAsync(stall: TimeSpan.FromSeconds(20), tls);
        Stream slow = await OpenAsync();
        if (tls)
        {
            var secured = new System.Net.Security.SslStream(slow, false, static (_, certificate, _, _) => certificate is not null);
            await secured.AuthenticateAsClientAsync("localhost");
            slow = secured;
        }

        await SayAsync(slow, Page);
        var (said, piece) = (0L, new byte[32 * 1024]);
        var head = "";
        while (head.IndexOf("\r\n\r\n", StringComparison.Ordinal) < 0)
        {
            var read = await slow.ReadAsync(piece, Cancellation);
            said += read;
            head += Encoding.ASCII.GetString(piece, 0, read);
        }

        Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
        // The last chunk may come in pieces.
        var tail = "";
        for (var round = 0; ; round++)
        {
            var read = await slow.ReadAsync(piece, Cancellation);
            said += read;
            tail += Encoding.Latin1.GetString(piece, Math.Max(0, read - 8), Math.Min(8, read));
            tail = tail[Math.Max(0, tail.Length - 8)..];
            // Either the server closes, once all is there, or the last chunk says so.
            if (read == 0 || tail.EndsWith(LastChunk, StringComparison.Ordinal))
                break;
            // As many as it takes to close whoever waits.
            if (round % 4 == 0)
            {
                for (var i = 0; i < Near; i++)
                    await PressAsync();
            }
        }

        Assert.InRange(said, Events * EventBytes, (Events * EventBytes) + 200_000);
        Assert.True(tail.EndsWith(LastChunk, StringComparison.Ordinal) || !head.Contains("chunked", StringComparison.Ordinal), "The end was cut off.");
    }

    [Fact]
    public async Task One_that_closes_with_an_answer_not_taken_is_counted_until_it_has_been()
    {
        await StartAsync(stall: TimeSpan.FromSeconds(5));
        for (var i = 0; i < Near; i++)
        {
            var stream = await OpenAsync();
            await SayAsync(stream, string.Concat(Enumerable.Repeat(Page, 8)));
            await stream.ReadExactlyAsync(new byte[1], Cancellation);
            stream.Socket.Shutdown(SocketShutdown.Send);
        }

        Assert.Equal(Near, Server.Host.Status().Connections);
        await AskUntilAnsweredAsync();
        Assert.InRange(Server.Host.Status().Connections, 0, Near);
    }

    /// <summary>Where all others are in use it is the one that presses who is sent away: that is not what is asked here.</summary>
    async Task PressAsync()
    {
        try
        {
            await SayAsync(await OpenAsync(), "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        catch (Exception sentAway) when (sentAway is SocketException or IOException)
        {
        }
    }

    string Page => $"GET /v1/aggregates/big/b/events?take={Events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Server.Root}\r\n\r\n";

    static ValueTask SayAsync(Stream stream, string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text), Cancellation);

    /// <summary>With little room for what it does not take.</summary>
    async Task<NetworkStream> OpenAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096 };
        _opened.Add(socket);
        await socket.ConnectAsync(IPAddress.Loopback, Server.Host.Port, Cancellation);
        return new(socket, ownsSocket: true);
    }

    async Task AskUntilAnsweredAsync()
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(120)); // a hang detector
        while (true)
        {
            try
            {
                var said = await Server.SayAsync("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").WaitAsync(late.Token);
                if (said.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal))
                    return;
                Assert.Equal("", said);
            }
            catch (Exception cut) when (cut is IOException or SocketException)
            {
                // Not let in yet.
            }
        }
    }
}
