using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EventDbx.Server.Tests.Link;

/// <summary>Somebody who listens on a TCP port and keeps each line that comes; connections are many, and ended when theirs is.</summary>
internal sealed class LineReceiver : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly ConcurrentQueue<string> _lines = new();
    readonly CancellationTokenSource _stop = new();
    readonly Task _accepting;

    public LineReceiver()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public IReadOnlyCollection<string> Lines => _lines;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        List<Task> connections = [];
        try
        {
            while (true)
                connections.Add(ReadAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    async Task ReadAsync(TcpClient client)
    {
        using (client)
        using (var reader = new StreamReader(client.GetStream(), Encoding.UTF8))
        {
            try
            {
                while (await reader.ReadLineAsync(_stop.Token) is { } line)
                    _lines.Enqueue(line);
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException)
            {
                // The sender has gone, or the test is over.
            }
        }
    }
}

/// <summary>Somebody who listens for HTTP: takes each POST, or refuses what holds certain words.</summary>
internal sealed class PostReceiver : IAsyncDisposable
{
    readonly HttpListener _listener = new();
    readonly ConcurrentQueue<(string Body, IReadOnlyDictionary<string, string> Headers)> _posts = new();
    readonly Task _answering;

    public PostReceiver()
    {
        Port = FreePort.Take();
        _listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
        _listener.Start();
        _answering = AnswerAsync();
    }

    public int Port { get; }

    /// <summary>What is refused with 422; null: nothing.</summary>
    public string? Refuses { get; set; }

    /// <summary>What was taken.</summary>
    public IReadOnlyCollection<(string Body, IReadOnlyDictionary<string, string> Headers)> Posts => _posts;

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _answering;
        _listener.Close();
    }

    async Task AnswerAsync()
    {
        try
        {
            while (true)
            {
                var call = await _listener.GetContextAsync();
                using var reader = new StreamReader(call.Request.InputStream, Encoding.UTF8);
                var body = await reader.ReadToEndAsync();
                if (Refuses is { } words && body.Contains(words, StringComparison.Ordinal))
                {
                    call.Response.StatusCode = 422;
                    await call.Response.OutputStream.WriteAsync("not this one"u8.ToArray());
                }
                else if (call.Request.HttpMethod == "POST")
                {
                    _posts.Enqueue((body, call.Request.Headers.AllKeys.ToDictionary(name => name!, name => call.Request.Headers[name]!, StringComparer.OrdinalIgnoreCase)));
                }

                call.Response.Close();
            }
        }
        catch (Exception ended) when (ended is HttpListenerException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }
}
