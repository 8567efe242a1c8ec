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
        catch (Exception stopped) when (stopped is SocketException or ObjectDisposedException)
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

    /// <summary>Notes lines down until there is no more, or as many as were asked for; what was read beyond those is not noted.</summary>
    /// <returns>False: the other end came first.</returns>
    public async Task<bool> ReadToEndAsync(int lines = int.MaxValue)
    {
        var buffer = new byte[16 * 1024];
        while (lines > 0)
        {
            var read = await socket.ReceiveAsync(buffer);
            if (read == 0)
                return false;
            _rest.Append(Encoding.UTF8.GetString(buffer, 0, read));
            var text = _rest.ToString();
            var from = 0;
            for (var end = text.IndexOf('\n', StringComparison.Ordinal); end >= 0 && lines > 0; end = text.IndexOf('\n', from))
            {
                receiver.Note(text[from..end]);
                (from, lines) = (end + 1, lines - 1);
            }

            _rest.Clear().Append(text, from, text.Length - from);
        }

        return true;
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
