using System.Net;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Tests.Witness;

/// <summary>A witness that answers what a test wants, to the byte.</summary>
internal sealed class HostileWitness : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stopping = new();
    readonly Func<string, string?> _answer;
    readonly Task _running;
    int _asked;

    /// <param name="answer">From the head of a request to the whole response; null: none, and the connection stays open.</param>
    public HostileWitness(Func<string, string?> answer)
    {
        _answer = answer;
        _listener.Start();
        _running = RunAsync();
    }

    /// <summary>As <c>log.witnesses</c> has it.</summary>
    public string Address
    {
        get
        {
            using var key = SigningKey.Of("hostile.example", NoteAlgorithm.Cosignature, Enumerable.Repeat((byte)7, 32).ToArray());
            return $"{key.Public} http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
        }
    }

    public int Asked => Volatile.Read(ref _asked);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    async Task RunAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
                open.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
        }
        finally
        {
            await Task.WhenAll(open).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            var buffer = new byte[64 * 1024];
            var length = await stream.ReadAsync(buffer, _stopping.Token);
            Interlocked.Increment(ref _asked);
            if (_answer(Encoding.UTF8.GetString(buffer, 0, length)) is not { } response)
            {
                while (await stream.ReadAsync(buffer, _stopping.Token) > 0)
                {
                    // Until the other side gives up.
                }

                return;
            }

            await stream.WriteAsync(Encoding.UTF8.GetBytes(response), _stopping.Token);
            client.Client.Shutdown(SocketShutdown.Send);
            while (await stream.ReadAsync(buffer, _stopping.Token) > 0)
            {
                // The rest of the request, so that the answer is not reset.
            }
        }
    }
}
