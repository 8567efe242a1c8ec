using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A receiver of lines, as good or as bad as a test wants it.</summary>
internal sealed class LineReceiver : IAsyncDisposable
{
    readonly Func<LineConnection, Task> _behave;
    readonly Lock _gate = new();
    readonly List<LineConnection> _connections = [];
    readonly List<Task> _running = [];
    readonly List<ulong> _positions = [];
    TcpListener _listener;
    Task _accepting;

    /// <param name="behave">What it does with a connection, which is closed afterwards; null: it reads to the end.</param>
    public LineReceiver(Func<LineConnection, Task>? behave = null)
    {
        _behave = behave ?? (connection => connection.ReadToEndAsync());
        _listener = new(IPAddress.Loopback, 0);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync(_listener);
    }

    public int Port { get; }

    /// <summary>Connections so far.</summary>
    public int Connections
    {
        get
        {
            lock (_gate)
                return _connections.Count;
        }
    }

    /// <summary>The positions of the events that were read, in the order in which they were.</summary>
    public ulong[] Positions
    {
        get
        {
            lock (_gate)
                return [.. _positions];
        }
    }

    internal void Note(string line)
    {
        using var json = JsonDocument.Parse(line);
        lock (_gate)
            _positions.Add(json.RootElement.GetProperty("position").GetUInt64());
    }

    /// <summary>Stops listening and cuts every connection off.</summary>
    public async Task StopAsync()
    {
        _listener.Stop();
        await _accepting;
        lock (_gate)
            _connections.ForEach(connection => connection.Reset());
        await Task.WhenAll(_running);
    }

    /// <summary>Listens again, at the same port.</summary>
    public void Restart()
    {
        _listener = new(IPAddress.Loopback, Port);
        _listener.Start();
        _accepting = AcceptAsync(_listener);
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                var connection = new LineConnection(this, await listener.AcceptSocketAsync());
                lock (_gate)
                {
                    _connections.Add(connection);
                    _running.Add(RunAsync(connection));
                }
            }
        }
        catch (Exception stopped) when (stopped is SocketException or InvalidOperationException)
        {
            // It stops.
        }
    }

    async Task RunAsync(LineConnection connection)
    {
        await Task.Yield();
        try
        {
            await _behave(connection);
        }
        catch (Exception cut) when (cut is SocketException or ObjectDisposedException or IOException)
        {
            // A test did that.
        }

        connection.Socket.Dispose();
    }
}

/// <summary>One connection of a <see cref="LineReceiver"/>.</summary>
internal sealed class LineConnection(LineReceiver receiver, Socket socket)
{
    readonly StringBuilder _rest = new();

    public Socket Socket => socket;

    /// <summary>Notes lines down until there is no more, or as many as were asked for. What is behind those stays with the system.</summary>
    /// <returns>False: the other end came first.</returns>
    public async Task<bool> ReadToEndAsync(int lines = int.MaxValue)
    {
        var buffer = new byte[16 * 1024];
        while (lines > 0)
        {
            var seen = await socket.ReceiveAsync(buffer, SocketFlags.Peek);
            if (seen == 0)
                return false;
            var taken = 0;
            for (var end = buffer.AsSpan(0, seen).IndexOf((byte)'\n'); end >= 0 && lines > 0; end = buffer.AsSpan(taken, seen - taken).IndexOf((byte)'\n'))
            {
                receiver.Note(_rest.Append(Encoding.UTF8.GetString(buffer, taken, end)).ToString());
                _rest.Clear();
                (taken, lines) = (taken + end + 1, lines - 1);
            }

            if (lines > 0)
            {
                _rest.Append(Encoding.UTF8.GetString(buffer, taken, seen - taken));
                taken = seen;
            }

            for (var left = taken; left > 0;)
                left -= await socket.ReceiveAsync(buffer.AsMemory(0, left));
        }

        return true;
    }

    /// <summary>Takes what comes, as a reader with a buffer does, and notes lines down as long as each goes well; then it closes, and forgets the rest.</summary>
    public async Task ReadLinesAsync(Func<bool> goesWell)
    {
        using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8, false, 64 * 1024);
        while (await reader.ReadLineAsync() is { } line && goesWell())
            receiver.Note(line);
    }

    /// <summary>The same with the first line alone, after which it closes at once.</summary>
    public async Task ReadLineAsync()
    {
        using var reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8, false, 64 * 1024);
        if (await reader.ReadLineAsync() is { } line)
            receiver.Note(line);
    }

    /// <summary>Cuts it off.</summary>
    public void Reset()
    {
        try
        {
            socket.LingerState = new(true, 0);
        }
        catch (Exception gone) when (gone is ObjectDisposedException or SocketException)
        {
            return;
        }

        socket.Dispose();
    }
}
