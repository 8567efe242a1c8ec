using System.Net.Sockets;
using EventDbx.Server.Daemon;
using EventDbx.Storage;

namespace EventDbx.Cli;

/// <summary>Where a server is, and how a connection to it is made.</summary>
internal abstract class ServerEndpoint : IDisposable
{
    /// <summary>As it follows "the server at".</summary>
    public abstract string Name { get; }

    /// <summary>The header Host of requests.</summary>
    public abstract string Authority { get; }

    /// <exception cref="ServerUnreachableException">There is none, and what is wrong is said better than the system says it.</exception>
    public abstract ValueTask<Stream> ConnectAsync(CancellationToken cancellation);

    /// <summary>Whether it answers anything at all.</summary>
    /// <param name="http">Asks it.</param>
    /// <param name="patience">How long it is waited for.</param>
    public abstract Task<bool> IsAliveAsync(HttpClient http, TimeSpan patience, CancellationToken cancellation);

    /// <summary>What to say of one that does not.</summary>
    public abstract string Silent(TimeSpan patience);

    /// <summary>What may be the matter with one that goes away before it answers anything, for the end of a message; empty where nobody knows.</summary>
    public virtual string GoneHint => "";

    public abstract void Dispose();
}

/// <summary>The socket of a server on this machine, as the lock file of its directory names it.</summary>
/// <param name="first">A connection that was made to see whether somebody listens; the first request takes it.</param>
/// <param name="server">Whose.</param>
/// <param name="user">The owner's name in the operating system.</param>
internal sealed class SocketEndpoint(Socket first, LockHolder server, string user) : ServerEndpoint
{
    readonly string _path = server.Socket!;
    Socket? _first = first;

    public override string Name => _path;

    public override string Authority => "dbx";

    public override async ValueTask<Stream> ConnectAsync(CancellationToken cancellation) => new NetworkStream(
        Interlocked.Exchange(ref _first, null) ?? await ServerSocket.ConnectAsync(_path, cancellation).ConfigureAwait(false), ownsSocket: true);

    public override async Task<bool> IsAliveAsync(HttpClient http, TimeSpan patience, CancellationToken cancellation)
    {
        try
        {
            _ = await StatusQuery.AskAsync(_path, user, cancellation, patience).ConfigureAwait(false);
            return true;
        }
        catch (DaemonException)
        {
            return false;
        }
    }

    public override string Silent(TimeSpan patience) =>
        FormattableString.Invariant($"The server (pid {server.Pid}) at {_path} has not answered within {patience.TotalSeconds:0.###} s. ") +
        "`dbx status` says whether it answers at all; `dbx stop` ends it, if need be by force.";

    public override void Dispose() => Interlocked.Exchange(ref _first, null)?.Dispose();
}

/// <summary>A server elsewhere, as <c>--server</c> names it.</summary>
internal sealed class RemoteEndpoint(RemoteServer server) : ServerEndpoint
{
    /// <summary>How long name, connection and TLS may take together.</summary>
    static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    /// <summary>How long a server that answers may take to say that it is there.</summary>
    static readonly TimeSpan AliveLimit = TimeSpan.FromSeconds(5);

    public override string Name => server.Url;

    public override string Authority => server.Authority;

    public override string GoneHint => server.Trust is null
        ? " If it speaks TLS, its address begins with https://."
        : server.Trust.ShowsCertificate ? "" : " If it asks for client certificates (tls.client_ca_file), give one: `--client-cert FILE --client-key FILE`.";

    public override async ValueTask<Stream> ConnectAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ConnectLimit);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server.Host, server.Port, limit.Token).ConfigureAwait(false);
            var stream = new NetworkStream(socket, ownsSocket: true);
            return server.Trust is null ? stream : await server.Trust.SecureAsync(stream, limit.Token).ConfigureAwait(false);
        }
        catch (Exception failed)
        {
            socket.Dispose();
            throw failed switch
            {
                SocketException refused => new ServerUnreachableException($"The server at {Name} cannot be reached: {refused.Message.TrimEnd('.')}. `--server` takes the address that it listens on.", again: true),
                OperationCanceledException when !cancellation.IsCancellationRequested => new ServerUnreachableException(
                    FormattableString.Invariant($"The server at {Name} cannot be reached: no connection within {ConnectLimit.TotalSeconds:0} s."), again: true),
                _ => failed,
            };
        }
    }

    public override async Task<bool> IsAliveAsync(HttpClient http, TimeSpan patience, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience < AliveLimit ? patience : AliveLimit);
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://{Authority}/health"), limit.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception silent) when (silent is HttpRequestException or IOException || (silent is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return false;
        }
    }

    public override string Silent(TimeSpan patience) =>
        FormattableString.Invariant($"The server at {Name} has not answered within {patience.TotalSeconds:0.###} s, and does not say that it is there (GET /health) either.");

    public override void Dispose() => server.Trust?.Dispose();
}
