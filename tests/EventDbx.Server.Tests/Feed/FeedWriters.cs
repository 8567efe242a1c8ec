using System.Collections.Concurrent;
using System.Text.Json;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Writers that append single events and batches over REST, and ask again, under the same ids, until they have an answer: whatever happens to the server.</summary>
/// <param name="port">The server's.</param>
/// <param name="token">With which they come.</param>
/// <param name="events">How many in all.</param>
/// <param name="seed">Of ids and sizes.</param>
internal sealed class FeedWriters(int port, string token, int events, int seed) : IDisposable
{
    public const int Writers = 8;

    const int BatchMax = 60;

    readonly StubbornClient _client = new(port, token);

    int _begun;
    int _acknowledged;

    /// <summary>What was acknowledged: position → payload.</summary>
    public ConcurrentDictionary<ulong, string> Acknowledged { get; } = [];

    /// <summary>First position and events of each batch that was acknowledged.</summary>
    public ConcurrentBag<(ulong First, int Events)> Batches { get; } = [];

    /// <summary>Whether each event's type ends in its number, where nobody sees the payload.</summary>
    public bool NumberedTypes { get; init; }

    public int Count => Volatile.Read(ref _acknowledged);

    /// <summary>Answers that never came.</summary>
    public int Lost => _client.Lost;

    /// <summary>Ends when all events have been acknowledged.</summary>
    public Task RunAsync(CancellationToken cancellation) =>
        Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(writer, cancellation), cancellation)));

    public void Dispose() => _client.Dispose();

    async Task WriteAsync(int writer, CancellationToken cancellation)
    {
        var random = new Random(seed + writer);
        while (true)
        {
            var wanted = random.Next(3) == 0 ? random.Next(2, BatchMax) : 1;
            var begun = Interlocked.Add(ref _begun, wanted);
            var count = Math.Min(wanted, events - (begun - wanted));
            if (count <= 0)
                return;
            var drafts = Enumerable.Range(0, count).Select(i => Draft(random, writer, begun - wanted + i)).ToArray();
            await (count == 1 ? AppendAsync("/v1/events", drafts[0], cancellation) : AppendAsync("/v1/events/batch", $$"""{"events":[{{string.Join(',', drafts)}}]}""", cancellation));
        }
    }

    string Draft(Random random, int writer, int number)
    {
        var id = new byte[16];
        random.NextBytes(id);
        var aggregate = random.Next(3) == 0 ? $"shared-{random.Next(4)}" : $"own-{writer}-{random.Next(50)}";
        return $$"""{"aggregate_type":"load","aggregate_id":"{{aggregate}}","event_type":"written{{(NumberedTypes ? $"-{number}" : "")}}","payload":{"n":{{number}},"w":{{writer}}},"event_id":"{{new Guid(id)}}"}""";
    }

    async Task AppendAsync(string route, string body, CancellationToken cancellation)
    {
        var answer = await _client.PostAsync(route, body, cancellation);
        Assert.True(answer.Status == 200, answer.Json.GetRawText());
        Note(answer.Json);
    }

    void Note(JsonElement answer)
    {
        if (!answer.TryGetProperty("events", out var records))
        {
            Note(PositionOf(answer), answer);
            return;
        }

        var first = PositionOf(records[0]);
        for (var i = 0; i < records.GetArrayLength(); i++)
        {
            Assert.Equal(first + (ulong)i, PositionOf(records[i]));
            Note(first + (ulong)i, records[i]);
        }

        Batches.Add((first, records.GetArrayLength()));
    }

    void Note(ulong position, JsonElement record)
    {
        Assert.True(Acknowledged.TryAdd(position, record.GetProperty("payload").GetRawText()), $"position {position} was given to two events");
        Interlocked.Increment(ref _acknowledged);
    }

    static ulong PositionOf(JsonElement record) => record.GetProperty("position").GetUInt64();
}
