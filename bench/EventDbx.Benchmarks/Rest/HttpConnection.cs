using System.Buffers;
using System.Buffers.Text;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace EventDbx.Benchmarks.Rest;

/// <summary>One kept-alive connection of the load generator: writes a request, blocks until the answer is whole.</summary>
/// <remarks>
/// A thread and a blocking socket for each, and no more of HTTP than is measured: on two cores the generator takes its time from
/// the server, so it has to be cheap.
/// </remarks>
internal sealed class HttpConnection : IDisposable
{
    static readonly byte[] s_headEnd = "\r\n\r\n"u8.ToArray();

    readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 30_000 };
    readonly ArrayBufferWriter<byte> _request = new(4096);
    readonly byte[] _headers;
    readonly SslStream? _tls;
    byte[] _answer = new byte[16 * 1024];

    /// <param name="token">Bearer token, or null for none.</param>
    /// <param name="tls">Whether the server speaks TLS; whose certificate it is makes no difference to how long it takes.</param>
    public HttpConnection(int port, string? token, bool tls = false)
    {
        _headers = Encoding.ASCII.GetBytes(
            $" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{(token is null ? "" : $"Authorization: Bearer {token}\r\n")}");
        _socket.Connect(IPAddress.Loopback, port);
        if (!tls)
            return;
        _tls = new(new NetworkStream(_socket), leaveInnerStreamOpen: false, static (_, certificate, _, _) => certificate is not null);
        _tls.AuthenticateAsClient("localhost");
    }

    /// <returns>The body, until the next call.</returns>
    public ReadOnlySpan<byte> Get(ReadOnlySpan<byte> path)
    {
        Begin("GET "u8, path);
        _request.Write("\r\n"u8);
        return Exchange();
    }

    /// <inheritdoc cref="Get"/>
    public ReadOnlySpan<byte> Post(ReadOnlySpan<byte> path, ReadOnlySpan<byte> body)
    {
        Begin("POST "u8, path);
        _request.Write("Content-Type: application/json\r\nContent-Length: "u8);
        Utf8Formatter.TryFormat(body.Length, _request.GetSpan(16), out var digits);
        _request.Advance(digits);
        _request.Write(s_headEnd);
        _request.Write(body);
        return Exchange();
    }

    public void Dispose()
    {
        _tls?.Dispose();
        _socket.Dispose();
    }

    void Begin(ReadOnlySpan<byte> method, ReadOnlySpan<byte> path)
    {
        _request.ResetWrittenCount();
        _request.Write(method);
        _request.Write(path);
        _request.Write(_headers);
    }

    ReadOnlySpan<byte> Exchange()
    {
        var request = _request.WrittenSpan;
        _tls?.Write(request);
        for (var sent = _tls is null ? 0 : request.Length; sent < request.Length;)
            sent += _socket.Send(request[sent..]);

        var (received, body, end) = (0, 0, -1);
        while (true)
        {
            if (received == _answer.Length)
                Array.Resize(ref _answer, _answer.Length * 2);
            var more = _tls?.Read(_answer.AsSpan(received)) ?? _socket.Receive(_answer.AsSpan(received));
            if (more == 0)
                throw new IOException("The server closed the connection before its answer was whole.");
            received += more;
            if (body == 0)
            {
                var head = _answer.AsSpan(0, received).IndexOf(s_headEnd);
                if (head < 0)
                    continue;
                body = head + s_headEnd.Length;
                end = EndByLength(_answer.AsSpan(0, body));
            }

            var whole = end >= 0 ? received >= end : _answer.AsSpan(body, received - body).EndsWith("0\r\n\r\n"u8);
            if (!whole)
                continue;
            if (!_answer.AsSpan().StartsWith("HTTP/1.1 20"u8))
                throw new IOException("Refused: " + Encoding.UTF8.GetString(_answer, 0, received));
            return _answer.AsSpan(body, received - body);
        }
    }

    /// <returns>Where the answer ends, or -1 when it comes in chunks.</returns>
    static int EndByLength(ReadOnlySpan<byte> head)
    {
        var name = "\r\nContent-Length: "u8;
        var at = head.IndexOf(name);
        if (at < 0)
            return -1;
        return Utf8Parser.TryParse(head[(at + name.Length)..], out int length, out _)
            ? head.Length + length
            : throw new IOException("The length of an answer is no number.");
    }
}
