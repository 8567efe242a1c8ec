using System.Net;
using System.Runtime.CompilerServices;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Server-sent events on REST.</summary>
internal sealed class SseFeedClient : IFeedClient
{
    public string Surface => "sse";

    public async IAsyncEnumerable<FedEvent> SubscribeAsync(int port, string token, string? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var stream = await EventStream.OpenAsync(port, token, "", cancellation, after);
        if (stream.Response.StatusCode != HttpStatusCode.OK)
            throw new HttpRequestException(await stream.Response.Content.ReadAsStringAsync(cancellation));
        await foreach (var told in stream.ReadAsync(cancellation))
        {
            if (told.Name == "error")
                throw new IOException(told.Data);
            if (told.Name != "event")
                continue;
            var json = told.Json;
            var record = json.GetProperty("event");
            yield return new(json.GetProperty("cursor").GetString()!, record.GetProperty("position").GetUInt64(), record.GetProperty("payload").GetRawText());
        }
    }
}
