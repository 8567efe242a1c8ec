using System.Collections.Concurrent;

namespace EventDbx.Server.Tests.Crash;

/// <summary>Clients that append over REST and ask again, under the same id, until they have an answer: whatever happens to the server.</summary>
/// <param name="port">The server's.</param>
/// <param name="token">With which they come.</param>
/// <param name="writers">How many.</param>
/// <param name="seed">Of the ids.</param>
internal sealed class RestWriters(int port, string token, int writers, int seed) : IDisposable
{
    static readonly TimeSpan BeforeAskingAgain = TimeSpan.FromMilliseconds(20);

    readonly StubbornClient _client = new(port, token);

    int _permits;
    long _repeats;

    /// <summary>What was acknowledged: event id → aggregate and version.</summary>
    public ConcurrentDictionary<Guid, (string Type, string Id, ulong Version)> Acknowledged { get; } = [];

    /// <summary>Answers that were repeats of an append whose answer had been lost.</summary>
    public long Repeats => Interlocked.Read(ref _repeats);

    /// <summary>Lets that many more appends begin.</summary>
    public void Permit(int appends) => Interlocked.Add(ref _permits, appends);

    /// <summary>Appends until it is told to stop, or until the token's limit is reached. Every append that was begun has been answered then.</summary>
    /// <param name="type">Of the aggregates; some are one writer's, some all writers'.</param>
    /// <param name="limited">Only begin what was permitted.</param>
    /// <param name="stop">Begin no more.</param>
    public Task RunAsync(string type, bool limited, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(type, writer, limited, stop))));

    public void Dispose() => _client.Dispose();

    async Task WriteAsync(string type, int writer, bool limited, CancellationToken stop)
    {
        var random = new Random(seed + writer);
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            if (limited && Interlocked.Decrement(ref _permits) < 0)
            {
                Interlocked.Increment(ref _permits);
                await Task.Delay(BeforeAskingAgain, TimeProvider.System, TestContext.Current.CancellationToken);
                continue;
            }

            var bytes = new byte[16];
            random.NextBytes(bytes);
            if (!await AppendAsync(type, i % 3 == 0 ? $"shared-{random.Next(4)}" : $"own-{writer}", new Guid(bytes), i))
                return;
        }
    }

    /// <summary>One append, until it has an answer. False: the limit is reached.</summary>
    async Task<bool> AppendAsync(string type, string id, Guid eventId, int number)
    {
        var answer = await _client.PostAsync(
            "/v1/events",
            $$"""{"aggregate_type":"{{type}}","aggregate_id":"{{id}}","event_type":"written","payload":{"n":{{number}}},"event_id":"{{eventId}}"}""",
            TestContext.Current.CancellationToken);
        if (answer.Status == 403 && answer.Json.GetProperty("code").GetString() == "write_limit_reached")
            return false;
        Assert.True(answer.Status == 200, answer.Json.GetRawText());
        if (answer.Replayed)
            Interlocked.Increment(ref _repeats);
        Acknowledged[eventId] = (type, id, answer.Json.GetProperty("version").GetUInt64());
        return true;
    }
}
