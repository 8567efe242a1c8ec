using System.Collections.Concurrent;
using System.Text;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;
using EventDbx.Transfer;

namespace EventDbx.Server.Tests.Replication;

/// <summary>A replica that answers the same each time, and keeps what it was asked.</summary>
internal sealed class FakeReplica : IReplica
{
    public static readonly AggregateKey One = AggregateKey.Create("order", "o-1"), Two = AggregateKey.Create("päckchen", "id with/slash");

    public static readonly LogEnd End = new(Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057"), 3, 77, HashOf(9), Encrypted: true);

    public ConcurrentQueue<string> Asked { get; } = [];

    /// <summary>What the next request is refused with.</summary>
    public Refusal? Refuses { get; set; }

    public IReadOnlyList<EventRecord> Applied { get; private set; } = [];

    public AggregateMarks? Marked { get; private set; }

    /// <summary>Entered when somebody waits for more of the log.</summary>
    public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool LogHasNoMore { get; set; }

    /// <summary>Changes events on their way out.</summary>
    public Func<EventRecord, EventRecord> Forge { get; set; } = static record => record;

    public static Hash32 HashOf(byte fill) => Hash32.Read(Enumerable.Repeat(fill, Hash32.Length).ToArray());

    public static EventRecord EventOf(AggregateKey aggregate, ulong version, string? note = null, Actor? actor = null) => ImportLine.ReadEvent(
        aggregate, "made", version, Encoding.UTF8.GetBytes($$"""{"n":{{version}},"text":"für \"alle\""}"""),
        Encoding.UTF8.GetBytes($$"""
            {"event_id":"01890a5d-ac96-774b-bcce-{{version:x12}}","created_at":"2026-01-02T03:04:05.1234567Z","issued_by":{{(actor is null ? "null" : $$"""{"group":"{{actor.Group}}","user":"{{actor.User}}"}""")}},
            {{(note is null ? "" : $"\"note\":\"{note}\",")}}"salt":"AAECAwQFBgcICQoLDA0ODw"}
            """),
        HashOf((byte)version).ToString(), HashOf((byte)(version + 1)).ToString());

    public static LogPage PageOf(ulong after) => new()
    {
        After = after, RootBefore = HashOf(1), Root = HashOf(2), End = End, Checkpoint = Encoding.UTF8.GetBytes("a note\n"),
        Entries = [new(new byte[] { 1, 2, 3 }, new byte[32]), new(new byte[] { 4 }, default)], Bytes = 4,
    };

    public static IReadOnlyList<ReplicaPosition> Positions { get; } =
        [new(One, 3, HashOf(3), Archived: false, 2), new(Two, 0, Hash32.Empty, Archived: true, 0)];

    public static AggregateMarks MarksOf(AggregateKey aggregate) => new()
    {
        Aggregate = aggregate, Version = 3, Archived = true, Comment = "why not",
        Snapshots = [new(1, new(638_000_000_000_000_000L - 621_355_968_000_000_000L), "one"), new(3, default, null)],
    };

    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => Say("identify", End);

    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => Say(
        $"positions {string.Join('|', filter.Types)} {string.Join('|', filter.Aggregates)} after {after} take {take}",
        new PositionPage([.. Positions.Where(one => after is null || one.Aggregate.CompareTo(after) > 0).Take(take)], after is null && take < Positions.Count));

    public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => Say<IReadOnlyList<Hash32?>>(
        $"roots {places.Count}", [.. places.Select(static place => place.Version == 0 ? (Hash32?)null : HashOf((byte)place.Version))]);

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => Say<IReadOnlyList<EventRecord>>(
        $"pull {aggregate} from {from} limit {limit}", [.. Enumerable.Range(1, Math.Min(limit, 2)).Select(i => Forge(EventOf(aggregate, from + (ulong)i, "a note", new("g", "u"))))]);

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation) => Say<IReadOnlyList<EventRecord>>(
        $"pull {string.Join('|', places)} limit {limit}", [.. places.Select(place => EventOf(place.Aggregate, place.From + 1))]);

    public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation)
    {
        Applied = events;
        return Say($"apply {events.Count}", events.Count - 1);
    }

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => Say($"marks {aggregate}", aggregate.Equals(One) ? MarksOf(aggregate) : null);

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation)
    {
        Marked = marks;
        return Say($"mark {marks.Aggregate}", true);
    }

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => Say<ReadOnlyMemory<byte>>("schemas", "{\"order\":{}}"u8.ToArray());

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => Say($"schemas {Encoding.UTF8.GetString(schemas.Span)} replace {replace}", 5);

    public async Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation)
    {
        if (!LogHasNoMore)
            return await Say($"log {after} wait {wait.TotalMilliseconds:0}", PageOf(after));
        Waiting.TrySetResult();
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
        throw new InvalidOperationException("It waited in vain.");
    }

    public ValueTask DisposeAsync() => default;

    Task<T> Say<T>(string asked, T answer)
    {
        Asked.Enqueue(asked);
        if (Refuses is not { } refusal)
            return Task.FromResult(answer);
        Refuses = null;
        return Task.FromException<T>(new RefusedException(refusal));
    }
}
