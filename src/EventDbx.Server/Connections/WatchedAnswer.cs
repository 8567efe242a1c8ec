using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace EventDbx.Server.Connections;

/// <summary>An answer over HTTP/2 on its way out, with an eye on whether the other end takes it.</summary>
/// <remarks>
/// In HTTP/2 an answer may wait for its own window while the transport, and what else goes over it, does not: so it is watched where it
/// is written. As with a transport, some 64 KiB of it wait before a flush does.
/// </remarks>
/// <param name="inner">Of Kestrel.</param>
/// <param name="connection">On which the request is under way.</param>
internal sealed class WatchedAnswer(IHttpResponseBodyFeature inner, OpenConnection connection) : IHttpResponseBodyFeature
{
    Stream? _stream;

    public PipeWriter Writer { get; } = new WriterOf(inner.Writer, connection);

    public Stream Stream => _stream ??= Writer.AsStream(leaveOpen: true);

    /// <summary>Watches the answer of a request that has begun (<see cref="OpenConnection.TryBegin"/>) and is not ended before its last byte is written.</summary>
    public static void Watch(HttpContext http)
    {
        if (HttpProtocol.IsHttp2(http.Request.Protocol) && http.Features.Get<OpenConnection>() is { } connection)
            http.Features.Set<IHttpResponseBodyFeature>(new WatchedAnswer(http.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), connection));
    }

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => inner.StartAsync(cancellationToken);

    public Task CompleteAsync() => inner.CompleteAsync();

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        inner.SendFileAsync(path, offset, count, cancellationToken);

    sealed class WriterOf(PipeWriter inner, OpenConnection connection) : WatchedWriter(inner)
    {
        protected override void Stalls() => connection.RequestStalls();

        protected override void GetsOn(bool taken) => connection.RequestGetsOn(taken);
    }
}
