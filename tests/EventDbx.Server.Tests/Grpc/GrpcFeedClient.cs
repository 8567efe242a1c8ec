using System.Runtime.CompilerServices;
using EventDbx.Protocol;
using EventDbx.Server.Tests.Feed;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>The feed over gRPC, by the generated client.</summary>
internal sealed class GrpcFeedClient : IFeedClient
{
    public string Surface => "gRPC";

    public async IAsyncEnumerable<FedEvent> SubscribeAsync(int port, string token, string? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var client = new GrpcClient(port, token);
        var request = new SubscribeRequest();
        if (after is not null)
            request.After = after;
        // Disposed where the caller breaks off: that resets the stream, and the channel closes the connection.
        using var call = client.Events.Subscribe(request, client.Headers, cancellationToken: cancellation);
        await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation))
        {
            if (item.Event is { } record)
                yield return new(item.Cursor, item.Position, record.PayloadJson);
        }
    }
}
