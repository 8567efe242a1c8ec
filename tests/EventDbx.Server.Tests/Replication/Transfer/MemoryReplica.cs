using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Schemas;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>A database in a dictionary, with roots that bind what came before: for what a transfer does with two of them. Refuses two requests at once.</summary>
internal sealed class MemoryReplica : IReplica
{
    readonly SortedDictionary<AggregateKey, Aggregate> _aggregates = [];
    int _asked;

    /// <summary>Called before each request, with its name: may throw, or cut.</summary>
    public Action<string>? Before { get; set; }

    /// <summary>Called after each request was carried out, before it is answered.</summary>
    public Action<string>? After { get; set; }

    /// <summary>Positions on a page at most, so that few aggregates make several pages.</summary>
    public int PageMax { get; set; } = int.MaxValue;

    public ImmutableSortedDictionary<string, AggregateSchema> Schemas { get; set; } = ImmutableSortedDictionary<string, AggregateSchema>.Empty;

    /// <summary>Batches that were applied: how many events each.</summary>
    public List<int> Batches { get; } = [];

    public int Requests { get; private set; }

    public bool Disposed { get; private set; }

    sealed class Aggregate
    {
        public List<EventRecord> Events { get; } = [];

        public bool Archived { get; set; }

        public List<SnapshotMark> Snapshots { get; } = [];

        public Hash32 Root => Events.Count == 0 ? Hash32.Empty : Events[^1].MerkleRoot;
    }

    /// <summary>Appends so many events.</summary>
    public MemoryReplica With(string type, string id, int events, string payload = "")
    {
        var key = AggregateKey.Create(type, id);
        var aggregate = Of(key);
        for (var i = 0; i < events; i++)
            aggregate.Events.Add(Next(key, aggregate, payload));
        return this;
    }

    public void Mark(string type, string id, bool archived, params SnapshotMark[] snapshots)
    {
        var aggregate = Of(AggregateKey.Create(type, id));
        aggregate.Archived = archived;
        aggregate.Snapshots.AddRange(snapshots);
    }

    /// <summary>Takes the first events of an aggregate from another one, without being asked.</summary>
    public void Take(AggregateKey key, MemoryReplica from, int events)
    {
        var aggregate = Of(key);
        aggregate.Events.AddRange(from.Of(key).Events.Skip(aggregate.Events.Count).Take(events - aggregate.Events.Count));
    }

    /// <summary>Everything there is, as text: two that have the same are the same.</summary>
    public string Content => string.Concat(_aggregates.Select(one => string.Create(
        CultureInfo.InvariantCulture, $"{one.Key} v{one.Value.Events.Count} {one.Value.Root} {(one.Value.Archived ? "archived" : "active")} {string.Join(',', one.Value.Snapshots.Select(snapshot => snapshot.Version))}\n")));

    public int Events => _aggregates.Values.Sum(aggregate => aggregate.Events.Count);

    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => Answer("identify", () => new LogEnd(Guid.Empty, 1, 0, Hash32.Empty, false));

    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => Answer("positions", () =>
    {
        var found = _aggregates.Where(one => one.Key.CompareTo(after) > 0 && Covers(filter, one.Key)).Take(Math.Min(take, PageMax) + 1).ToList();
        var page = found.Take(Math.Min(take, PageMax)).Select(one => new ReplicaPosition(one.Key, (ulong)one.Value.Events.Count, one.Value.Root, one.Value.Archived, (uint)one.Value.Snapshots.Count)).ToList();
        return new PositionPage(page, found.Count > page.Count);
    });

    public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => Answer<IReadOnlyList<Hash32?>>(
        "roots", () => [.. places.Select(place => _aggregates.TryGetValue(place.Aggregate, out var one) && place.Version <= (ulong)one.Events.Count && place.Version > 0 ? one.Events[(int)place.Version - 1].MerkleRoot : (Hash32?)null)]);

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) =>
        Answer<IReadOnlyList<EventRecord>>("pull", () => Behind(aggregate, from, limit));

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation) => Answer<IReadOnlyList<EventRecord>>("pull", () =>
    {
        List<EventRecord> events = [];
        foreach (var (aggregate, from) in places)
            events.AddRange(Behind(aggregate, from, limit - events.Count));
        return events;
    });

    public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => Answer("apply", () =>
    {
        var added = 0;
        foreach (var record in events)
        {
            var aggregate = Of(record.Aggregate);
            if (record.Version <= (ulong)aggregate.Events.Count)
            {
                Assert.Equal(record.Hash, aggregate.Events[(int)record.Version - 1].Hash);
                continue;
            }

            Assert.Equal((ulong)aggregate.Events.Count + 1, record.Version);
            aggregate.Events.Add(record);
            added++;
        }

        Batches.Add(events.Count);
        return added;
    });

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => Answer("marks", () => !_aggregates.TryGetValue(aggregate, out var one) ? null : new AggregateMarks
    {
        Aggregate = aggregate, Version = (ulong)one.Events.Count, Archived = one.Archived, Snapshots = [.. one.Snapshots],
    });

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => Answer("mark", () =>
    {
        var isNew = !_aggregates.ContainsKey(marks.Aggregate);
        var aggregate = Of(marks.Aggregate);
        Assert.Equal((ulong)aggregate.Events.Count, marks.Version);
        var missing = marks.Snapshots.Where(snapshot => !aggregate.Snapshots.Contains(snapshot)).ToList();
        var changed = isNew || aggregate.Archived != marks.Archived || missing.Count > 0;
        aggregate.Archived = marks.Archived;
        aggregate.Snapshots.AddRange(missing);
        return changed;
    });

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => Answer<ReadOnlyMemory<byte>>("schemas", () =>
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        SchemaJson.Write(output, Schemas.Values);
        return output.WrittenMemory;
    });

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => Answer("schema", () =>
    {
        var sent = SchemaJson.Read(schemas.Span);
        Schemas = replace ? sent : Schemas.SetItems(sent);
        return sent.Count;
    });

    public Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => throw new InvalidOperationException("A push or pull reads no log.");

    public ValueTask DisposeAsync()
    {
        Assert.Equal(0, _asked);
        Disposed = true;
        return default;
    }

    List<EventRecord> Behind(AggregateKey aggregate, ulong from, int limit) =>
        _aggregates.TryGetValue(aggregate, out var one) ? [.. one.Events.Skip((int)from).Take(limit)] : [];

    Aggregate Of(AggregateKey key)
    {
        if (!_aggregates.TryGetValue(key, out var aggregate))
            _aggregates.Add(key, aggregate = new());
        return aggregate;
    }

    static bool Covers(ReplicaFilter filter, AggregateKey key) =>
        filter is { Types.Count: 0, Aggregates.Count: 0 }
        || filter.Aggregates.Contains(key)
        || (filter.Types.Contains(key.Type) && !filter.Aggregates.Any(one => one.Type == key.Type));

    static EventRecord Next(AggregateKey key, Aggregate aggregate, string payload)
    {
        var version = (ulong)aggregate.Events.Count + 1;
        var body = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{version},\"text\":\"{payload}\"}}"));
        var hash = Hash32.Of([.. Encoding.UTF8.GetBytes(key.ToString()), .. body]);
        return new()
        {
            Aggregate = key, EventType = "happened", Payload = body, EventId = Guid.CreateVersion7(), CreatedAt = new(1), Version = version, Hash = hash,
            MerkleRoot = Hash32.Of([.. Encoding.UTF8.GetBytes(aggregate.Root.ToString()), .. Encoding.UTF8.GetBytes(hash.ToString())]), Position = version,
        };
    }

    async Task<T> Answer<T>(string what, Func<T> answer)
    {
        Assert.Equal(1, Interlocked.Increment(ref _asked));
        try
        {
            Requests++;
            await Task.Yield();
            Before?.Invoke(what);
            var answered = answer();
            After?.Invoke(what);
            return answered;
        }
        finally
        {
            Interlocked.Decrement(ref _asked);
        }
    }
}
