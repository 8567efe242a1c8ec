using EventDbx.Transfer;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

/// <summary>What an export reads of a server: each page as it is when it is asked for.</summary>
internal sealed partial class ServerStore
{
    public IStateReading ReadStates(Timestamp? at) => new States(this, at);

    public Task<EventSlice> ReadEventsAsync(string? type, string? after, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Get,
        new Query("/v1/events").With("after", after).With("take", (ulong)Limits.PageItemsMax).With("type", type).With("include", "salt").ToString(),
        null, again: true,
        (json, _) => new EventSlice(
            [.. json.GetProperty("items").EnumerateArray().Select(static item => Wire.ReadRecord(item.GetProperty("event")))],
            json.GetProperty("cursor").GetString()!, json.GetProperty("end").GetBoolean(), Fraction: null),
        cancellation);

    sealed class States(ServerStore store, Timestamp? at) : IStateReading
    {
        public Task<AggregatePage> ReadAsync(string? type, byte[]? after, bool withState, CancellationToken cancellation) =>
            store.ListAsync(new() { Type = type }, after, skip: 0, Limits.PageItemsMax, withState, at, cancellation);

        public void Dispose()
        {
        }
    }
}
