using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A request as it came over the wire.</summary>
internal sealed record HttpReceived(int Connection, string Method, string Target, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>A receiver of HTTP, as good or as bad as a test wants it.</summary>
internal sealed class HttpReceiver : IAsyncDisposable
{
    /// <summary>Answers nothing, and keeps the connection.</summary>
    public const string Hang = "hang";

    /// <summary>Closes the connection instead of answering.</summary>
    public const string Close = "close";

    readonly Func<HttpReceived, Task<string>> _answer;
    readonly X509Certificate2? _certificate;
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly List<HttpReceived> _requests = [];
    readonly List<Task> _running = [];
    readonly Task _accepting;
    int _connections;

    /// <param name="answer">From a request to a whole answer, <see cref="Hang"/> or <see cref="Close"/>.</param>
    /// <param name="certificate">With it TLS is spoken.</param>
    public HttpReceiver(Func<HttpReceived, string> answer, X509Certificate2? certificate = null) : this(request => Task.FromResult(answer(request)), certificate)
    {
    }

    /// <summary>The same, for answers that wait for something.</summary>
    public HttpReceiver(Func<HttpReceived, Task<string>> answer, X509Certificate2? certificate = null)
    {
        (_answer, _certificate) = (answer, certificate);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public IReadOnlyList<HttpReceived> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    public static string Answer(int status, string body = "", string headers = "") => $"HTTP/1.1 {status} Said\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{headers}\r\n{body}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_running);
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
                _running.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token), Interlocked.Increment(ref _connections)));
        }
        catch (Exception stopped) when (stopped is SocketException or InvalidOperationException or OperationCanceledException)
        {
            // It stops.
        }
    }

    async Task ServeAsync(TcpClient client, int number)
    {
        using var _ = client;
        try
        {
            Stream stream = client.GetStream();
            if (_certificate is not null)
            {
                var tls = new SslStream(stream);
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, _stop.Token);
                stream = tls;
            }

            while (await ReadAsync(stream, number) is { } request)
            {
                lock (_requests)
                    _requests.Add(request);
                var answer = await _answer(request);
                if (answer == Close)
                    return;
                if (answer == Hang)
                    await Task.Delay(Timeout.Infinite, _stop.Token);
                await stream.WriteAsync(Encoding.UTF8.GetBytes(answer), _stop.Token);
            }
        }
        catch (Exception cut) when (cut is IOException or SocketException or ObjectDisposedException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The other end, or the end of the test.
        }
    }

    async Task<HttpReceived?> ReadAsync(Stream stream, int number)
    {
        var bytes = new List<byte>();
        var buffer = new byte[1];
        while (bytes.Count < 4 || !bytes[^4..].SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await stream.ReadAsync(buffer, _stop.Token) == 0)
                return null;
            bytes.Add(buffer[0]);
        }

        var lines = Encoding.UTF8.GetString([.. bytes]).TrimEnd().Split("\r\n");
        var headers = lines[1..].Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair.Length > 1 ? pair[1] : "", StringComparer.OrdinalIgnoreCase);
        var body = new byte[headers.TryGetValue("Content-Length", out var length) ? int.Parse(length, System.Globalization.CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _stop.Token);
        return new(number, lines[0].Split(' ')[0], lines[0].Split(' ')[1], headers, Encoding.UTF8.GetString(body));
    }
}
