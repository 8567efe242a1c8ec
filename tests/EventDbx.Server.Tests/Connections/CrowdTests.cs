using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Crowds of connections that say nothing, or next to nothing, in clear text and over TLS.</summary>
public sealed class CrowdTests : IAsyncDisposable
{
    const int OpenersAtOnce = 16;

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

    async Task StartAsync(bool tls, ConnectionLimits? limits)
    {
        _server = new(static options => options)
        {
            ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = tls }, ConnectionLimits = limits },
        };
        await _server.InitializeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_crowd_that_is_slow_or_silent_keeps_nobody_out(bool tls)
    {
        var (idle, slow, limits) = TestTiers.Choose<(int, int, ConnectionLimits?)>(
            (500, 100, new(400, 250, ServerLimits.FirstByteTimeout)), (5_000, 1_000, null), (5_000, 1_000, null));
        await StartAsync(tls, limits);
        var (most, near) = limits is null ? (ServerLimits.ConnectionsMax, ServerLimits.ConnectionsPerAddressMax) : (limits.Max, limits.PerAddress);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var crowd = Task.WhenAll(Enumerable.Range(0, OpenersAtOnce).Select(opener => Task.Run(
            async () =>
            {
                for (var i = opener; i < idle + slow; i += OpenersAtOnce)
                {
                    if (i % 6 == 0)
                        _ = DribbleAsync(await OpenAsync(i, speaks: true), inBody: i % 12 == 0, over.Token);
                    else
                        await WaitThereAsync(i, speaks: i % 2 == 0);
                }
            },
            Cancellation)));

        // While it comes, and once it is there.
        var appended = 0;
        do
        {
            await AskAsync("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            await AppendAsync(appended++);
            Assert.InRange(Server.Host.Status().Connections, 0, most);
        }
        while (!crowd.IsCompleted || appended < 25);
        await crowd;
        // This machine is one address, whatever it calls itself: its limit is what stays, and the owner's socket is counted apart.
        Assert.InRange(Server.Host.Status().Connections, 1, near + 1);
        Assert.Equal(Server.Host.Port, (await StatusQuery.AskAsync(Server.SocketPath, "kim", Cancellation)).Port);
        Assert.Equal(appended, (await Server.GetAsync("/v1/aggregates/crowd/1")).Json.GetProperty("version").GetInt32());
        if (OperatingSystem.IsLinux())
            Assert.InRange(Directory.GetFiles("/proc/self/fd").Length, 1, idle + slow + near + 1_000);
        await over.CancelAsync();

        async Task WaitThereAsync(int number, bool speaks)
        {
            var stream = await OpenAsync(number, speaks);
            try
            {
                if (speaks)
                    await SayAsync(stream, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
            }
            catch (IOException)
            {
                // Closed for others meanwhile.
            }
        }
    }

    [Fact]
    public async Task The_oldest_that_waits_is_closed_for_a_new_one_and_one_in_use_is_not()
    {
        await StartAsync(tls: false, new(100, 3, ServerLimits.FirstByteTimeout));
        await using var used = await Server.ConnectAsync();
        await SayAsync(used, Head(length: 40).Replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", StringComparison.Ordinal));
        // Asked to go on with its body, it has a request under way.
        await used.ReadExactlyAsync(new byte["HTTP/1.1 100 Continue\r\n\r\n".Length], Cancellation);
        await SayAsync(used, "{");
        await WaitForAsync(1);
        await using var oldest = await Server.ConnectAsync();
        await WaitForAsync(2);
        await using var newer = await Server.ConnectAsync();
        await WaitForAsync(3);
        await using var newest = await Server.ConnectAsync();
        Assert.Equal("", await RestServer.ReadToEndAsync(oldest));
        await SayAsync(newest, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", await RestServer.ReadToEndAsync(newest), StringComparison.Ordinal);
        await SayAsync(used, "}".PadLeft(39));
        var buffer = new byte[1024];
        var read = await used.ReadAsync(buffer, Cancellation);
        Assert.StartsWith("HTTP/1.1 400 ", Encoding.ASCII.GetString(buffer, 0, read), StringComparison.Ordinal);

        async Task WaitForAsync(int connections)
        {
            while (Server.Host.Status().Connections < connections)
                await Task.Yield();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_never_sends_a_byte_is_closed_after_a_while(bool tls)
    {
        await StartAsync(tls, new(100, 100, TimeSpan.FromSeconds(1)));
        await using var silent = await Server.ConnectAsync();
        await using var spoke = await Server.ConnectAsSpokenAsync();
        await SayAsync(spoke, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        Assert.Equal("", await RestServer.ReadToEndAsync(silent));
        await SayAsync(spoke, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        var said = await RestServer.ReadToEndAsync(spoke);
        Assert.Equal(2, said.Split("HTTP/1.1 200 ").Length - 1);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_body_of_100_MB_is_cut_off_at_the_limit_and_the_connection_closed(bool tls, bool announced)
    {
        await StartAsync(tls, limits: null);
        // What the kernel holds on its way comes on top; the body itself was grown to its limit, by doubling, and no further.
        var bound = announced ? 8_000_000 : (4L * Limits.RequestBytesMax) + 8_000_000;
        // Other tests allocate meanwhile, so it may be a later one that shows what one costs.
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > bound; attempt++)
            least = Math.Min(least, await CostOfHugeBodyAsync(tls, announced));
        Assert.InRange(least, 0, bound);
        Assert.Equal(200, (await Server.GetAsync("/health", token: null)).Status);
    }

    /// <summary>Sends one that is far too long and looks at its end; bytes allocated meanwhile, by whomever.</summary>
    async Task<long> CostOfHugeBodyAsync(bool tls, bool announced)
    {
        const int Huge = 100_000_000;
        await using var stream = await Server.ConnectAsSpokenAsync();
        var framing = announced ? $"Content-Length: {Huge}" : "Transfer-Encoding: chunked";
        byte[] piece = new byte[64 * 1024];
        piece.AsSpan().Fill((byte)' ');
        byte[] chunk = announced ? piece : [.. Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"), .. piece, (byte)'\r', (byte)'\n'];
        var before = GC.GetTotalAllocatedBytes();
        await SayAsync(stream, $"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Server.Root}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n");
        var reading = RestServer.ReadToEndAsync(stream);
        var sent = 0L;
        try
        {
            while (sent < Huge && !reading.IsCompleted)
            {
                await stream.WriteAsync(chunk, Cancellation);
                sent += chunk.Length;
            }
        }
        catch (IOException)
        {
            // Closed at the other end.
        }

        var said = await reading;
        var allocated = GC.GetTotalAllocatedBytes() - before;
        Assert.InRange(sent, 0, announced ? 12_000_000 : Limits.RequestBytesMax + 12_000_000);
        // Whoever goes on sending may find the connection reset before the answer is read; where it was read, it says why.
        if (said.Length > 0 || !tls)
        {
            Assert.StartsWith("HTTP/1.1 413 ", said, StringComparison.Ordinal);
            Assert.Contains("Connection: close", said, StringComparison.OrdinalIgnoreCase);
        }

        return allocated;
    }

    string Head(int length) =>
        $"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Server.Root}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n";

    static ValueTask SayAsync(Stream stream, string text) => stream.WriteAsync(Encoding.ASCII.GetBytes(text), Cancellation);

    /// <summary>One of the crowd, from one of several addresses of this machine; closed meanwhile, it is a stream that leads nowhere.</summary>
    async Task<Stream> OpenAsync(int number, bool speaks)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        lock (_opened)
            _opened.Add(socket);
        if (OperatingSystem.IsLinux())
            socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)(1 + (number % 8))]), 0));
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, Server.Host.Port, Cancellation);
        }
        catch (SocketException)
        {
            // More of them come at once than wait at the door.
            return Stream.Null;
        }

        Stream stream = new NetworkStream(socket, ownsSocket: true);
        if (!speaks || Server.Host.Status().Tls is null)
            return stream;
        var secured = new System.Net.Security.SslStream(stream, false, static (_, certificate, _, _) => certificate is not null);
        lock (_opened)
            _opened.Add(secured);
        try
        {
            await secured.AuthenticateAsClientAsync("localhost");
            return secured;
        }
        catch (Exception closed) when (closed is IOException or System.Security.Authentication.AuthenticationException)
        {
            return Stream.Null;
        }
    }

    /// <summary>One byte a second, for as long as it is listened to.</summary>
    async Task DribbleAsync(Stream stream, bool inBody, CancellationToken over)
    {
        try
        {
            if (inBody)
                await SayAsync(stream, Head(length: 1_000));
            foreach (var letter in "GET /health HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"u8.ToArray())
            {
                await stream.WriteAsync(new[] { letter }, over);
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, over);
            }
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    /// <summary>An event under an id of its own, so that asking again after a cut is safe.</summary>
    Task AppendAsync(int number)
    {
        var id = Guid.CreateVersion7();
        var body = $$"""{"aggregate_type":"crowd","aggregate_id":"1","event_type":"e{{number}}","payload":{},"event_id":"{{id}}"}""";
        return AskAsync(Head(body.Length).Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal) + body);
    }

    /// <summary>By a connection of its own, as a newcomer. Where a burst of others came between its connection and its request, it asks again.</summary>
    async Task AskAsync(string request)
    {
        const int Attempts = 10;
        for (var attempt = 1; ; attempt++)
        {
            var said = "";
            try
            {
                await using var stream = await Server.ConnectAsSpokenAsync().WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
                await SayAsync(stream, request);
                said = await RestServer.ReadToEndAsync(stream).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
            }
            catch (Exception cut) when (attempt < Attempts && (cut is IOException or SocketException or System.Security.Authentication.AuthenticationException))
            {
                continue;
            }

            if (said.Length == 0 && attempt < Attempts)
                continue;
            Assert.StartsWith("HTTP/1.1 200 ", said, StringComparison.Ordinal);
            return;
        }
    }
}
