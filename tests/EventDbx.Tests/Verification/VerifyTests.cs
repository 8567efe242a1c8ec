using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>Verify of one aggregate: what passes, and that each difference is named.</summary>
public sealed class VerifyTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_aggregate_as_committed_passes_at_both_levels(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = database.OpenSession(new Actor("cli", "jane"));
        for (var i = 1; i <= 20; i++)
            await session.AppendAsync(TestStore.Draft(Order, $$"""{"n":{{i}},"f{{i % 3}}":"{{new string('x', 300 * i)}}"}""") with { EventId = i % 2 == 0 ? Guid.NewGuid() : null, Note = $"no. {i}" }, default);
        foreach (var archived in (bool[])[false, true])
        {
            if (archived)
                await session.ArchiveAsync(Order, "done", default);
            var quick = session.Verify(Order, VerifyLevel.Quick, default);
            var full = session.Verify(Order, VerifyLevel.Full, default);
            Assert.Equal((20UL, archived, 1UL), (quick.Version, quick.Archived, quick.EventsChecked));
            Assert.Equal((20UL, archived, 20UL, 10UL), (full.Version, full.Archived, full.EventsChecked, full.ClientIdsChecked));
            Assert.Equal(session.GetAggregate(Order).MerkleRoot, full.MerkleRoot);
            Assert.Equal(full.MerkleRoot, quick.MerkleRoot);
        }

        var all = session.VerifyAll(null, default);
        Assert.Equal((21UL, 20UL, 1UL, 1UL, 1UL, 10UL), (all.LogSize, all.Events, all.ControlEntries, all.Aggregates, all.Archived, all.ClientIds));
        Assert.Equal((database.LogRoot, (ulong?)21), (all.LogRoot, all.WatermarkSize));
    }

    [Fact]
    public async Task An_aggregate_without_events_passes_and_one_that_was_removed_is_not_found()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.CreateAsync(Order, null, default);
        foreach (var level in Enum.GetValues<VerifyLevel>())
            Assert.Equal((0UL, Hash32.Empty), (session.Verify(Order, level, default).Version, session.Verify(Order, level, default).MerkleRoot));
        await session.RemoveAsync(Order, default);
        foreach (var level in Enum.GetValues<VerifyLevel>())
            Assert.Equal(RefusalCode.NotFound, Assert.Throws<RefusedException>(() => session.Verify(Order, level, default)).Refusal.Code);
        Assert.Equal((2UL, 0UL, 0UL), (session.VerifyAll(null, default).ControlEntries, session.VerifyAll(null, default).Events, session.VerifyAll(null, default).Aggregates));
        await session.AppendAsync(TestStore.Draft(Order), default);
        Assert.Equal(1UL, session.Verify(Order, VerifyLevel.Full, default).EventsChecked);
        Assert.Equal(1UL, session.VerifyAll(null, default).Aggregates);
    }

    [Fact]
    public async Task A_new_store_passes()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        Assert.Equal((0UL, Hash32.Empty), (database.OpenSession().VerifyAll(null, default).LogSize, database.OpenSession().VerifyAll(null, default).LogRoot));
    }

    [Fact]
    public async Task States_remembered_at_old_versions_are_verified()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => TestStore.Draft(Order, $$"""{"n":{{i}}}"""))], default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => TestStore.Draft(Order, $$"""{"m":{{i}}}"""))], default);
        Assert.Equal(2UL, session.Verify(Order, VerifyLevel.Full, default).FoldPointsChecked);
        Assert.Equal((2UL, 1UL), (session.VerifyAll(null, default).FoldPoints, session.VerifyAll(null, default).Tiles));
        RawRows.Change(database, Family.Snapshots, Keyspace.Snapshot(Order, 2000, 0), body => RawRows.Body(database, Family.Snapshots, Keyspace.Snapshot(Order, 1000, 0)));
        Refused(() => session.Verify(Order, VerifyLevel.Full, default), "remembered at version 2000");
        RawRows.Delete(database, Family.Snapshots, Keyspace.Snapshot(Order, 2000, 0));
        Assert.Equal(1UL, session.Verify(Order, VerifyLevel.Full, default).FoldPointsChecked);
    }

    /// <summary>Each field that a reader or another row relies on, changed together with the row's checksum.</summary>
    [Theory]
    [InlineData("log root", "Version 3 of order/o-1 (position 3) has root", false)]
    [InlineData("log previous root", "Version 3 of order/o-1 (position 3) was appended to root", false)]
    [InlineData("log type", "Version 3 of order/o-1 (position 3) hashes to", false)]
    [InlineData("log batch", "entry at position 3 is number 2 of a batch of 3", false)]
    [InlineData("log id flag", "`ids`", false)]
    [InlineData("log missing", "Version 3 of order/o-1 (position 3) is missing from the log", false)]
    [InlineData("index leaf", "Version 3 of order/o-1 (position 3) hashes to", false)]
    [InlineData("index time", "Version 3 of order/o-1 (position 3) was made at", false)]
    [InlineData("index missing", "Version 3 of order/o-1 is missing from the index", false)]
    [InlineData("head root", "The head of order/o-1 at version 5 has root", true)]
    [InlineData("head frontier", "frontier", true)]
    [InlineData("head created", "was begun at", true)]
    [InlineData("head first position", "position 2 began it", true)]
    [InlineData("head last position", "position 4", true)]
    [InlineData("head updated", "newest is of", true)]
    [InlineData("head fields", "fields", true)]
    [InlineData("head bytes", "bytes", false)]
    [InlineData("head digest", "is not the one its head at version 5", true)]
    [InlineData("state", "is not the one its head at version 5", true)]
    [InlineData("head and state", "version 5 is committed", true)]
    [InlineData("id version", "says that this is version 9", false)]
    [InlineData("id fingerprint", "fingerprint", false)]
    [InlineData("id missing", "missing from family `ids`", false)]
    [InlineData("id too many", "chosen by a client", false)]
    [InlineData("both head and archive", "not archived", true)]
    public async Task Each_difference_is_named(string what, string named, bool quickSees)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        byte[] oldHead = [], oldState = [];
        for (var i = 1; i <= 5; i++)
        {
            (oldHead, oldState) = i == 5 ? (RawRows.Body(database, Family.Heads, Order.Row), RawRows.Body(database, Family.State, Order.Row)) : ([], []);
            await session.AppendAsync(TestStore.Draft(Order, $$"""{"n":{{i}}}""") with { EventId = i == 3 ? new Guid(7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7) : null }, default);
        }

        Change(database, what, oldHead, oldState);
        Refused(() => session.VerifyAll(null, default), null);
        if (what == "log batch")
        {
            Refused(() => session.VerifyAll(null, default), named);
            return;
        }

        Refused(() => session.Verify(Order, VerifyLevel.Full, default), quickSees ? null : named);
        if (quickSees)
            Refused(() => session.Verify(Order, VerifyLevel.Quick, default), named);
        else
            Assert.Equal(5UL, session.Verify(Order, VerifyLevel.Quick, default).Version);
    }

    static void Change(Database database, string what, byte[] oldHead, byte[] oldState)
    {
        var (log, index, id) = (Keyspace.Position(3), Keyspace.Versioned(Order, 3), new byte[Order.Row.Length + 17]);
        Keyspace.WriteEventId(id, Order, new Guid(7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7));
        switch (what)
        {
            case "log root": ChangeEntry(e => Copy(e, root: Hash32.Empty)); break;
            case "log previous root": ChangeEntry(e => Copy(e, previous: Hash32.Empty)); break;
            case "log type": ChangeEntry(e => Copy(e, type: "Placed")); break;
            case "log batch": ChangeEntry(e => Copy(e, flags: e.Flags | EntryRow.RowFlags.Batch)); break;
            case "log id flag": ChangeEntry(e => Copy(e, flags: e.Flags & ~EntryRow.RowFlags.ClientId)); break;
            case "log missing": RawRows.Delete(database, Family.Log, log); break;
            case "index leaf": ChangeIndex(i => i with { Leaf = Hash32.Empty }); break;
            case "index time": ChangeIndex(i => i with { CreatedAt = i.CreatedAt + 1 }); break;
            case "index missing": RawRows.Delete(database, Family.Index, index); break;
            case "head root": ChangeHead(h => h.Root = Hash32.Empty); break;
            case "head frontier": ChangeHead(h => { h.Tree = new(); for (var i = 0; i < 5; i++) h.Tree.Append(Hash32.Empty); }); break;
            case "head created": ChangeHead(h => h.CreatedAt--); break;
            case "head first position": ChangeHead(h => h.FirstPosition++); break;
            case "head last position": ChangeHead(h => h.LastPosition--); break;
            case "head updated": ChangeHead(h => h.UpdatedAt++); break;
            case "head fields": ChangeHead(h => h.StateFields++); break;
            case "head bytes": ChangeHead(h => h.StateBytes++); break;
            case "head digest": ChangeHead(h => h.StateDigest++); break;
            case "state": RawRows.Change(database, Family.State, Order.Row.ToArray(), _ => oldState); break;
            case "head and state":
                RawRows.Change(database, Family.State, Order.Row.ToArray(), _ => oldState);
                RawRows.Change(database, Family.Heads, Order.Row.ToArray(), _ => oldHead);
                break;
            case "id version": ChangeId(i => i with { Version = 9 }); break;
            case "id fingerprint": ChangeId(i => i with { Fingerprint = Hash32.Empty }); break;
            case "id missing": RawRows.Delete(database, Family.Ids, id); break;
            case "id too many":
                var body = RawRows.Body(database, Family.Ids, id);
                id[^1]++;
                RawRows.Write(database, plan => Checked.Put(plan, Family.Ids, id, body));
                break;
            case "both head and archive":
                var head = HeadRow.TryRead(RawRows.Body(database, Family.Heads, Order.Row))!;
                var archive = ArchiveRow.Write(Order, head, RawRows.Body(database, Family.State, Order.Row).AsSpan(1), 0, null, new());
                RawRows.Write(database, plan => Checked.Put(plan, Family.Archive, Order.Row, archive));
                break;
            default: throw new ArgumentOutOfRangeException(nameof(what), what, null);
        }

        void ChangeEntry(Func<EntryRow, EntryRow> change) => RawRows.Change(database, Family.Log, log, body =>
        {
            var entry = change(EntryRow.TryRead(body)!);
            var row = new byte[entry.EncodedBytes];
            entry.Write(row);
            return row;
        });

        void ChangeIndex(Func<IndexRow, IndexRow> change) => RawRows.Change(database, Family.Index, index, body =>
        {
            Assert.True(IndexRow.TryRead(body, out var row));
            change(row).Write(body);
            return body;
        });

        void ChangeId(Func<IdRow, IdRow> change) => RawRows.Change(database, Family.Ids, id, body =>
        {
            Assert.True(IdRow.TryRead(body, out var row));
            change(row).Write(body);
            return body;
        });

        void ChangeHead(Action<HeadRow> change) => RawRows.Change(database, Family.Heads, Order.Row.ToArray(), body =>
        {
            var head = HeadRow.TryRead(body)!;
            change(head);
            var row = new byte[head.EncodedBytes];
            head.Write(row);
            return row;
        });
    }

    static EntryRow Copy(EntryRow e, Hash32? root = null, Hash32? previous = null, string? type = null, EntryRow.RowFlags? flags = null) => new()
    {
        Flags = flags ?? e.Flags, Aggregate = e.Aggregate, Version = e.Version, Type = type ?? e.Type, EventId = e.EventId, CreatedAt = e.CreatedAt,
        BatchIndex = 2, BatchCount = 3, PreviousRoot = previous ?? e.PreviousRoot, Root = root ?? e.Root, Body = e.Body,
    };

    internal static void Refused(Action verify, string? named)
    {
        var refusal = Assert.Throws<RefusedException>(verify).Refusal;
        Assert.Equal(RefusalCode.IntegrityViolation, refusal.Code);
        if (named is not null)
            Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
    }
}
