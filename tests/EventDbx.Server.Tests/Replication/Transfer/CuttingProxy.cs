using System.Net;
using System.Net.Sockets;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Stands between two nodes, passes on what both say, and cuts the connection at one byte.</summary>
/// <remarks>
/// Frames are hidden inside TLS, its records are not: a frame is written at once, so each begins and ends with a record. Records are counted, both ways together as they pass; a cut at record and offset
/// is a cut at the edges of frames, and everywhere else.
/// </remarks>
internal sealed class CuttingProxy : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _ended = new();
    readonly Lock _gate = new();
    readonly List<Task> _connections = [];
    readonly Task _accepting;

    public CuttingProxy(int target)
    {
        Target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The port behind it.</summary>
    public int Target { get; set; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Bytes of records that passed, one after the other, of the newest connection.</summary>
    public List<int> Records { get; } = [];

    /// <summary>Called when the byte is reached, instead of cutting.</summary>
    public Action? Instead { get; set; }

    /// <summary>At which record, from 0, and behind how many bytes of it; null: nowhere.</summary>
    public (int Record, int Behind)? CutAt { get; set; }

    /// <summary>Whether it has cut.</summary>
    public bool HasCut { get; private set; }

    public void Reset((int Record, int Behind)? cutAt)
    {
        lock (_gate)
        {
            (CutAt, HasCut) = (cutAt, false);
            Records.Clear();
        }
    }

    async Task AcceptAsync()
    {
        while (!_ended.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_ended.Token);
            }
            catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            lock (_gate)
            {
                Records.Clear();
                _connections.Add(ServeAsync(client));
            }
        }
    }

    async Task ServeAsync(Socket client)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, Target, _ended.Token);
                using var over = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
                var (up, down) = (PumpAsync(client, server, over), PumpAsync(server, client, over));
                await Task.WhenAny(up, down);
                await over.CancelAsync();
                client.Dispose();
                server.Dispose();
                await Task.WhenAll(up, down);
            }
            catch (Exception over) when (over is SocketException or OperationCanceledException or ObjectDisposedException or EndOfStreamException)
            {
                // One of them is gone, or the target is away.
            }
        }
    }

    async Task PumpAsync(Socket from, Socket to, CancellationTokenSource over)
    {
        try
        {
            var header = new byte[5];
            while (await ReadAsync(from, header, over.Token))
            {
                var body = new byte[(header[3] << 8) | header[4]];
                if (!await ReadAsync(from, body, over.Token))
                    return;
                byte[] record = [.. header, .. body];
                if (Pass(record) is var pass && pass < record.Length)
                {
                    await to.SendAsync(record.AsMemory(0, pass), over.Token);
                    // What was sent before a cut arrives: the connection is closed in order, and stays cut.
                    to.Shutdown(SocketShutdown.Send);
                    return;
                }

                await to.SendAsync(record, over.Token);
            }
        }
        catch (Exception gone) when (gone is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other pump, or its end, has gone.
        }
    }

    /// <summary>How much of a record passes.</summary>
    int Pass(byte[] record)
    {
        Action? instead = null;
        lock (_gate)
        {
            if (HasCut && Instead is null)
                return 0;
            var at = Records.Count;
            Records.Add(record.Length);
            if (CutAt is not { } cut || HasCut || cut.Record != at)
                return record.Length;
            HasCut = true;
            if (Instead is null)
                return Math.Min(cut.Behind, record.Length - 1);
            instead = Instead;
        }

        instead();
        return record.Length;
    }

    static async Task<bool> ReadAsync(Socket from, Memory<byte> buffer, CancellationToken cancellation)
    {
        while (buffer.Length > 0)
        {
            var read = await from.ReceiveAsync(buffer, cancellation);
            if (read == 0)
                return false;
            buffer = buffer[read..];
        }

        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Stop();
        await _accepting;
        Task[] connections;
        lock (_gate)
            connections = [.. _connections];
        await Task.WhenAll(connections).WaitAsync(TimeSpan.FromSeconds(30));
        _ended.Dispose();
    }
}
