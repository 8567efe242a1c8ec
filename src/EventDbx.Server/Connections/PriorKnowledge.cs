using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace EventDbx.Server.Connections;

/// <summary>HTTP/2 in clear text on the ports that speak HTTP/1.1: connections that begin with the preface of HTTP/2 are served here.</summary>
/// <remarks>
/// Kestrel takes an endpoint in clear text for HTTP/1.1 where both are allowed. So each Kestrel gets one endpoint more, which has HTTP/2
/// alone and to which nothing can connect: what is used of it is its pipeline. A connection that is handed there stays one of the
/// listener it came by, in every respect: its addresses, its features, its place among the connections, and the end of the server.
/// </remarks>
internal sealed class PriorKnowledge : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    ConnectionDelegate? _serve;

    /// <summary>To be called before other endpoints are added: they may have connections as soon as they are bound.</summary>
    public void Configure(KestrelServerOptions kestrel) => kestrel.Listen(new Nowhere(), listen =>
    {
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(next => _serve = next);
    });

    public void Configure(IServiceCollection services) => services.AddSingleton<IConnectionListenerFactory>(this);

    /// <summary>Serves a connection that speaks HTTP/2 until it ends.</summary>
    public Task ServeAsync(ConnectionContext connection) => _serve!(connection);

    public bool CanBind(EndPoint endpoint) => endpoint is Nowhere;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(new Silence(endpoint));

    sealed class Nowhere : EndPoint
    {
        public override string ToString() => "http2";
    }

    /// <summary>A listener that nobody reaches: it waits for its end.</summary>
    sealed class Silence(EndPoint endpoint) : IConnectionListener
    {
        readonly TaskCompletionSource<ConnectionContext?> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public EndPoint EndPoint => endpoint;

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => new(_end.Task.WaitAsync(cancellationToken));

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _end.TrySetResult(null);
            return default;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
