using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EventDbx.Server.Tests.Link;

/// <summary>Something that listens on the socket of a directory and behaves as a test wants it to: also badly.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    readonly Socket _listener;
    readonly CancellationTokenSource _stop = new();
    readonly Func<int, string, string?> _answer;
    readonly Task _accepting;
    readonly List<string> _requests = [];

    /// <param name="path">Of the socket.</param>
    /// <param name="answer">From the number of a request, from 1, and its text to a response; null cuts the connection off.</param>
    public ScriptedServer(string path, Func<int, string, string?> answer)
        : this(new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified), new UnixDomainSocketEndPoint(path), answer)
    {
    }

    /// <summary>On a port of this machine.</summary>
    public ScriptedServer(Func<int, string, string?> answer)
        : this(new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp), new IPEndPoint(IPAddress.Loopback, 0), answer)
    {
    }

    ScriptedServer(Socket listener, EndPoint at, Func<int, string, string?> answer)
    {
        (_listener, _answer) = (listener, answer);
        _listener.Bind(at);
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>As they came, head and body.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    public static string Json(string body, string status = "200 OK", string headers = "") =>
        $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{headers}\r\n{body}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var connection = await _listener.AcceptAsync(_stop.Token);
                await ServeAsync(connection);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    async Task ServeAsync(Socket connection)
    {
        while (await ReadAsync(connection) is { } request)
        {
            int number;
            lock (_requests)
            {
                _requests.Add(request);
                number = _requests.Count;
            }

            if (_answer(number, request) is not { } answer)
                return;
            await connection.SendAsync(Encoding.UTF8.GetBytes(answer), _stop.Token);
        }
    }

    async Task<string?> ReadAsync(Socket connection)
    {
        var bytes = new byte[64 * 1024];
        for (var length = 0; ;)
        {
            var read = await connection.ReceiveAsync(bytes.AsMemory(length), _stop.Token);
            if (read == 0)
                return null;
            var text = Encoding.UTF8.GetString(bytes, 0, length += read);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
                continue;
            const string name = "Content-Length: ";
            var at = text.IndexOf(name, StringComparison.Ordinal);
            var body = at < 0 || at > end ? 0 : int.Parse(text[(at + name.Length)..text.IndexOf("\r\n", at, StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture);
            if (Encoding.UTF8.GetByteCount(text[(end + 4)..]) >= body)
                return text;
        }
    }
}
