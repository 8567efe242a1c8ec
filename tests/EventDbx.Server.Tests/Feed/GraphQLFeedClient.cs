using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using EventDbx.Server.Tests.GraphQL;

namespace EventDbx.Server.Tests.Feed;

/// <summary>The feed as a GraphQL subscription over a WebSocket.</summary>
internal sealed class GraphQLFeedClient : IFeedClient
{
    public string Surface => "graphql";

    public async IAsyncEnumerable<FedEvent> SubscribeAsync(int port, string token, string? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var socket = await TransportSocket.ConnectAsync(new($"ws://127.0.0.1:{port}/graphql"), token, cancellation);
        await socket.SubscribeAsync("1", "subscription($after: String) { events(after: $after) { cursor position event { payload } } }", JsonSerializer.Serialize(new Dictionary<string, string?> { ["after"] = after }), cancellation);
        while (await socket.ReceiveAsync(cancellation) is { } message)
        {
            switch (message.GetProperty("type").GetString())
            {
                case "next":
                    var item = message.GetProperty("payload").GetProperty("data").GetProperty("events");
                    if (item.GetProperty("event") is { ValueKind: JsonValueKind.Object } fed)
                        yield return new(item.GetProperty("cursor").GetString()!, item.GetProperty("position").GetUInt64(), fed.GetProperty("payload").GetRawText());
                    break;
                case "ping":
                    await socket.SendAsync("""{"type":"pong"}""", cancellation);
                    break;
                default:
                    throw new IOException($"The subscription ended: {message.GetRawText()}");
            }
        }
    }
}
