using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>The other end of a plugin, which fails on purpose, and remembers what it got.</summary>
internal abstract class ChaosReceiver(int seed) : IAsyncDisposable
{
    readonly Lock _gate = new();
    readonly Random _random = new(seed);
    readonly List<(string Aggregate, ulong Version, int Number)> _got = [];
    readonly HashSet<int> _numbers = [];
    readonly CancellationTokenSource _ended = new();
    TcpListener? _listener;
    Task _running = Task.CompletedTask;
    int _breaks;

    public int Port { get; private set; }

    /// <summary>Different events that it got.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _numbers.Count;
        }
    }

    /// <summary>How often it broke off in a way that leaves the other end in doubt about what arrived.</summary>
    public int Breaks => Volatile.Read(ref _breaks);

    public IReadOnlyList<(string Aggregate, ulong Version, int Number)> Got
    {
        get
        {
            lock (_gate)
                return [.. _got];
        }
    }

    /// <summary>One in so many things that come by fails; 0: none.</summary>
    public int FailsOneIn { get; set; }

    /// <summary>Whether it hangs, too: that costs somebody's time-out.</summary>
    public bool Hangs { get; set; }

    protected CancellationToken Ended => _ended.Token;

    public void Start()
    {
        _listener = new(IPAddress.Loopback, Port);
        _listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _running = AcceptAsync(_listener);
    }

    /// <summary>Nobody is there for a while.</summary>
    public async Task RestartAsync(TimeSpan away)
    {
        Broke();
        _listener!.Stop();
        foreach (var client in Clients)
            Reset(client.Client);
        await _running;
        await Task.Delay(away, TimeProvider.System, TestContext.Current.CancellationToken);
        Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener?.Stop();
        foreach (var client in Clients)
            client.Close();
        await _running;
        _ended.Dispose();
    }

    protected abstract Task ServeAsync(NetworkStream stream);

    /// <summary>Ends a connection as a process that dies with unread bytes does. An orderly end would say that all was read, which over TCP is all that is ever said.</summary>
    protected static void Reset(Socket? socket)
    {
        try
        {
            if (socket is not null)
                socket.LingerState = new(enable: true, seconds: 0);
            socket?.Dispose();
        }
        catch (Exception over) when (over is ObjectDisposedException or SocketException)
        {
            // It has ended by itself.
        }
    }

    protected void Broke() => Interlocked.Increment(ref _breaks);

    /// <summary>Whether this one fails, and how: a number below <paramref name="kinds"/>, of which the last is to hang; or null.</summary>
    protected int? Fails(int kinds)
    {
        lock (_gate)
            return FailsOneIn > 0 && _random.Next(FailsOneIn) == 0 ? _random.Next(Hangs ? kinds : kinds - 1) : null;
    }

    protected void Take(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        using var record = JsonDocument.ParseValue(ref reader);
        var root = record.RootElement;
        lock (_gate)
        {
            var number = root.GetProperty("payload").GetProperty("n").GetInt32();
            _got.Add((root.GetProperty("aggregate_id").GetString()!, root.GetProperty("version").GetUInt64(), number));
            _numbers.Add(number);
        }
    }

    List<TcpClient> Clients
    {
        get
        {
            lock (_clients)
                return [.. _clients];
        }
    }

    readonly List<TcpClient> _clients = [];

    async Task AcceptAsync(TcpListener listener)
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(_ended.Token);
                lock (_clients)
                    _clients.Add(client);
                serving.Add(ServeAsync(client));
            }
        }
        catch (Exception over) when (over is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Stopped.
        }

        await Task.WhenAll(serving);
    }

    async Task ServeAsync(TcpClient client)
    {
        try
        {
            await using var stream = client.GetStream();
            await ServeAsync(stream);
        }
        catch (Exception lost) when (lost is IOException or SocketException or OperationCanceledException or ObjectDisposedException or JsonException)
        {
            // The other end has gone, or this one; what was cut off is no event.
        }
        finally
        {
            client.Dispose();
            lock (_clients)
                _clients.Remove(client);
        }
    }
}

/// <summary>Answers 500, closes instead of answering, closes when it has the event and has not said so, or never answers.</summary>
internal sealed class ChaosHttpReceiver(int seed) : ChaosReceiver(seed)
{
    static readonly byte[] s_taken = "HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray();
    static readonly byte[] s_failed = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"u8.ToArray();

    protected override async Task ServeAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 16 * 1024, leaveOpen: true);
        var body = new char[16 * 1024];
        while (await reader.ReadLineAsync(Ended) is { Length: > 0 } first)
        {
            var length = 0;
            while (await reader.ReadLineAsync(Ended) is { Length: > 0 } header)
            {
                if (header.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                    length = int.Parse(header.AsSpan(15), System.Globalization.CultureInfo.InvariantCulture);
            }

            // Of ASCII alone.
            if (await reader.ReadBlockAsync(body.AsMemory(0, length), Ended) < length)
                return;
            var failure = Fails(4);
            if (failure == 3)
                await stream.ReadExactlyAsync(new byte[1], Ended); // Until the other end has had enough.
            if (failure == 1)
                return;
            if (failure != 0)
                Take(Encoding.UTF8.GetBytes(body, 0, length));
            if (failure == 2)
            {
                Broke();
                return;
            }

            await stream.WriteAsync(failure == 0 ? s_failed : s_taken, Ended);
            Assert.StartsWith("POST ", first, StringComparison.Ordinal);
        }
    }
}

/// <summary>Reads lines, closes its connection in the middle of them, or reads nothing for a while.</summary>
internal sealed class ChaosTcpReceiver(int seed) : ChaosReceiver(seed)
{
    protected override async Task ServeAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 64 * 1024, leaveOpen: true);
        while (await reader.ReadLineAsync(Ended) is { } line)
        {
            // A line that was cut off by the end of a connection is none.
            if (!line.EndsWith('}'))
                return;
            switch (Fails(2))
            {
                case 0:
                    Broke();
                    Reset(stream.Socket);
                    return;
                case 1:
                    await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Ended);
                    break;
            }

            Take(Encoding.UTF8.GetBytes(line));
        }
    }
}
