using System.Net;
using System.Net.Sockets;

namespace EventDbx.Benchmarks;

/// <summary>The other end of a plugin, as quick as it can be: it reads, answers where an answer is wanted, and counts.</summary>
internal sealed class PluginReceiver : IDisposable
{
    static readonly byte[] s_answer = "HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray();

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly bool _http;
    long _events;

    /// <param name="http">Answers requests; false: reads lines.</param>
    public PluginReceiver(bool http)
    {
        _http = http;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public long Events => Interlocked.Read(ref _events);

    public void Dispose() => _listener.Dispose();

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync().ConfigureAwait(false);
                client.NoDelay = true;
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // Measured.
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await (_http ? AnswerAsync(client.GetStream()) : ReadAsync(client.GetStream())).ConfigureAwait(false);
            }
            catch (IOException)
            {
                // The other end has gone.
            }
        }
    }

    async Task ReadAsync(NetworkStream stream)
    {
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var read)
            Interlocked.Add(ref _events, buffer.AsSpan(0, read).Count((byte)'\n'));
    }

    async Task AnswerAsync(NetworkStream stream)
    {
        var buffer = new byte[64 * 1024];
        var filled = 0;
        while (await stream.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false) is > 0 and var read)
        {
            filled += read;
            while (LengthOf(buffer.AsSpan(0, filled)) is { } length && length <= filled)
            {
                buffer.AsSpan(length, filled - length).CopyTo(buffer);
                filled -= length;
                Interlocked.Increment(ref _events);
                await stream.WriteAsync(s_answer).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Bytes of the first request; null: its headers have not come yet.</summary>
    static int? LengthOf(ReadOnlySpan<byte> request)
    {
        var headers = request.IndexOf("\r\n\r\n"u8);
        if (headers < 0)
            return null;
        var at = request[..headers].IndexOf("Content-Length: "u8);
        var value = request[(at + "Content-Length: ".Length)..headers];
        var end = value.IndexOf((byte)'\r');
        return headers + 4 + int.Parse(end < 0 ? value : value[..end], System.Globalization.CultureInfo.InvariantCulture);
    }
}
