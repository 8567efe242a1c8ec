using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace EventDbx.Server.Daemon;

/// <summary>Asks a running server what it is, by its socket in the file system.</summary>
public static class StatusQuery
{
    /// <summary>A server that has not answered by then is not well.</summary>
    static readonly TimeSpan PatienceMax = TimeSpan.FromSeconds(5);

    /// <summary>The answer.</summary>
    /// <param name="socket">The path that the lock file names; null when it names none.</param>
    /// <param name="user">Who asks: the name of the user of this machine.</param>
    /// <param name="patience">How long to wait for it, where that is less than usual.</param>
    /// <exception cref="DaemonException">There was none; says why.</exception>
    public static Task<ServerStatus> AskAsync(string? socket, string user, CancellationToken cancellation, TimeSpan? patience = null) =>
        AskAsync(socket, user, "/admin/status", ServerStatus.Read, cancellation, patience);

    /// <summary>What the server uses for its Admin API at this moment: its environment may stand above its file.</summary>
    /// <exception cref="DaemonException">There was no answer; says why.</exception>
    public static Task<AdminSettings> AskAdminAsync(string? socket, string user, CancellationToken cancellation) =>
        AskAsync(socket, user, "/admin/config", AdminSettings.Read, cancellation);

    static async Task<T> AskAsync<T>(string? socket, string user, string path, Func<JsonElement, T> read, CancellationToken cancellation, TimeSpan? patience = null)
    {
        if (socket is null)
            throw new DaemonException("it names no socket");
        var wait = patience < PatienceMax ? patience.Value : PatienceMax;
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancelled) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancelled).ConfigureAwait(false);
                    return new NetworkStream(connection, ownsSocket: true);
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            },
        };
        using var client = new HttpClient(handler) { BaseAddress = new("http://dbx.sock"), Timeout = wait };
        client.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        client.DefaultRequestHeaders.TryAddWithoutValidation("X-EventDBX-User", user);
        try
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), cancellation).ConfigureAwait(false);
            if (!answer.IsSuccessStatusCode)
                throw new DaemonException(FormattableString.Invariant($"it answered {(int)answer.StatusCode}"));
            var content = await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
            using var json = JsonDocument.Parse(content);
            return read(json.RootElement);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new DaemonException(FormattableString.Invariant($"no answer on {socket} within {wait.TotalSeconds:0.###} s"));
        }
        catch (Exception cause) when (cause is HttpRequestException or JsonException or FormatException or ArgumentOutOfRangeException or KeyNotFoundException or InvalidOperationException)
        {
            throw new DaemonException($"{socket}: {cause.GetBaseException().Message.TrimEnd('.')}", cause);
        }
    }
}
