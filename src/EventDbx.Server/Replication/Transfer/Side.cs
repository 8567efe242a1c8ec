using System.Collections.Immutable;
using EventDbx.Integrity;
using EventDbx.Schemas;

namespace EventDbx.Server.Replication.Transfer;

/// <summary>One of the two databases of a transfer: a replica whose refusals say which of the two refused, and what.</summary>
internal sealed class Side
{
    readonly IReplica _replica;
    readonly string _name;

    Side(IReplica replica, string name, bool isRemote) => (_replica, _name, IsRemote) = (replica, name, isRemote);

    public bool IsRemote { get; }

    public static Side Local(IReplica replica) => new(replica, "local", isRemote: false);

    public static Side Remote(IReplica replica, string name) => new(replica, $"remote {name}", isRemote: true);

    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) =>
        ToldAsync(_replica.ListPositionsAsync(filter, after, take, cancellation), $"{_name} list_positions failed");

    public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey, ulong)> places, CancellationToken cancellation) =>
        ToldAsync(_replica.FindRootsAsync(places, cancellation), $"{_name} find_roots failed");

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey, ulong)> places, int limit, CancellationToken cancellation) =>
        ToldAsync(_replica.PullEventsAsync(places, limit, cancellation), IsRemote ? $"failed to pull events from {_name}" : "failed to read local events");

    public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) =>
        ToldAsync(_replica.ApplyEventsAsync(events, cancellation), IsRemote ? $"failed to apply events on {_name}" : "failed to apply events locally");

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) =>
        ToldAsync(_replica.FindMarksAsync(aggregate, cancellation), $"{_name} find_marks failed");

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) =>
        ToldAsync(_replica.ApplyMarksAsync(marks, cancellation), $"{_name} apply_marks failed");

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => ToldAsync(_replica.PullSchemasAsync(cancellation), $"{_name} pull_schemas failed");

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) =>
        ToldAsync(_replica.ApplySchemasAsync(schemas, replace, cancellation), $"{_name} apply_schemas failed");

    /// <summary>Schemas as they were pulled from it.</summary>
    public ImmutableSortedDictionary<string, AggregateSchema> ReadSchemas(ReadOnlyMemory<byte> json)
    {
        try
        {
            return SchemaJson.Read(json.Span);
        }
        catch (RefusedException unfit)
        {
            throw Prefixed(IsRemote ? $"{_name} returned invalid schema payload" : "failed to decode local schema snapshot", unfit.Refusal);
        }
    }

    /// <summary>That it says what cannot be: nothing more is taken from it.</summary>
    public RefusedException Lies(string what) =>
        new(new Refusal(RefusalCode.Unavailable, $"{(IsRemote ? _name : "the local store")} {what}. Nothing of that was taken.") { Final = true });

    async Task<T> ToldAsync<T>(Task<T> asked, string what)
    {
        try
        {
            return await asked.ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw Prefixed(IsRemote ? $"{what}: remote returned error" : what, refused.Refusal);
        }
        catch (ReplicaLostException lost)
        {
            throw new RefusedException(RefusalCode.Unavailable, $"{what}: {lost.Message}");
        }
    }

    static RefusedException Prefixed(string before, in Refusal refusal) => new(refusal with { Message = $"{before}: {refusal.Message}", Reason = refusal.Reason });
}
