using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Crash;

/// <summary>Clients that append over REST and ask again, under the same id, until they have an answer: whatever happens to the server.</summary>
/// <param name="port">The server's.</param>
/// <param name="token">With which they come.</param>
/// <param name="writers">How many.</param>
/// <param name="seed">Of the ids.</param>
internal sealed class RestWriters(int port, string token, int writers, int seed) : IDisposable
{
    static readonly TimeSpan BeforeAskingAgain = TimeSpan.FromMilliseconds(20);

    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
        BaseAddress = new($"http://127.0.0.1:{port}"),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
        Timeout = TimeSpan.FromSeconds(60),
    };

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

    public void Dispose() => _http.Dispose();

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
        while (true)
        {
            try
            {
                using var response = await _http.PostAsJsonAsync("/v1/events", new JsonObject
                {
                    ["aggregate_type"] = type, ["aggregate_id"] = id, ["event_type"] = "written", ["payload"] = new JsonObject { ["n"] = number }, ["event_id"] = eventId.ToString(),
                }, TestContext.Current.CancellationToken);
                var answer = (await response.Content.ReadFromJsonAsync<JsonNode>(TestContext.Current.CancellationToken))!;
                if (response.StatusCode == HttpStatusCode.Forbidden && answer["code"]!.GetValue<string>() == "write_limit_reached")
                    return false;
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    if (response.Headers.Contains("Idempotent-Replayed"))
                        Interlocked.Increment(ref _repeats);
                    Acknowledged[eventId] = (type, id, answer["version"]!.GetValue<ulong>());
                    return true;
                }

                // Only what says that it may be asked again is asked again.
                Assert.True(answer["retryable"]!.GetValue<bool>(), answer.ToJsonString());
            }
            catch (Exception lost) when (lost is HttpRequestException or IOException)
            {
                // Killed, or not there yet: nobody knows whether it was appended.
            }

            await Task.Delay(BeforeAskingAgain, TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
