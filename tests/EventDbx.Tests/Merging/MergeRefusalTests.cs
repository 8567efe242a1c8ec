using EventDbx.Integrity;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>What is not the history that its hashes say, or another one: refused, named, and nothing of the batch written.</summary>
public sealed class MergeRefusalTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static readonly Hash32 Forged = Hash32.Of("forged"u8);

    public static TheoryData<string> Members => ["note", "no note", "actor", "no actor", "time", "payload", "event type", "salt", "event id", "hash", "root", "type", "id"];

    static EventRecord Change(EventRecord record, string member) => member switch
    {
        "note" => record with { Note = record.Note + "!" },
        "no note" => record with { Note = null },
        "actor" => record with { Actor = new Actor("clerks", "joan") },
        "no actor" => record with { Actor = null },
        "time" => record with { CreatedAt = new(record.CreatedAt.Ticks100ns + 1) },
        "payload" => record with { Payload = """{"n":77}"""u8.ToArray() },
        "event type" => record with { EventType = "refunded" },
        "salt" => record with { Salt = (byte[])[.. record.Salt.Span[..15], (byte)(record.Salt.Span[15] ^ 1)] },
        "event id" => record with { EventId = Guid.NewGuid() },
        "hash" => record with { Hash = Forged },
        "root" => record with { MerkleRoot = Forged },
        "type" => record with { Aggregate = TestStore.Aggregate("orders", record.Aggregate.Id) },
        "id" => record with { Aggregate = TestStore.Aggregate(record.Aggregate.Type, "o-2") },
        _ => throw new ArgumentException(member),
    };

    [Theory]
    [MemberData(nameof(Members))]
    public async Task A_member_that_was_changed_on_the_way_is_found(string member)
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 7);
        var all = pair.History(Order);
        await pair.To.MergeAsync([.. all.Take(2)], default);

        // In the last of a batch, in its first, alone: version 4 has a note, an actor and an id of its client.
        foreach (var (from, count, at) in ((int, int, int)[])[(2, 5, 6), (2, 5, 2)])
        {
            var changed = Change(all[at], member);
            EventRecord[] batch = [.. all.Skip(from).Take(count).Select(record => record.Version == changed.Version ? changed : record)];
            if (member == "no note" && all[at].Note is null)
                continue;
            // Among those of another aggregate it is out of order before it is forged.
            await pair.AssertRefusedAsync(
                member is "type" or "id" ? RefusalCode.VersionConflict : RefusalCode.IntegrityViolation, () => pair.To.MergeAsync(batch, default), $"ersion {changed.Version} of {changed.Aggregate}");
        }

        // All of them moved to another aggregate: no hash fits.
        if (member is "type" or "id")
            await pair.AssertRefusedAsync(RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([.. all.Select(record => Change(record, member))], default), "hash");
        Assert.Equal(5, await pair.To.MergeAsync(all, default));
        pair.AssertSame(Order);
    }

    [Theory]
    [MemberData(nameof(Members))]
    public async Task A_changed_record_of_what_is_here_already_is_refused_with_what_comes_behind_it(string member)
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 7);
        var all = pair.History(Order);
        await pair.To.MergeAsync([.. all.Take(5)], default);
        EventRecord[] batch = [.. all.Select((record, i) => i == 3 ? Change(record, member) : record)];

        await pair.AssertRefusedAsync(
            // The other aggregate parts those of this one.
            member switch { "type" or "id" => RefusalCode.InvalidArgument, "hash" => RefusalCode.Diverged, _ => RefusalCode.IntegrityViolation },
            () => pair.To.MergeAsync(batch, default), member is "hash" ? "version 4" : "order");
    }

    [Fact]
    public async Task Events_out_of_order_left_out_or_doubled_are_refused()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 6);
        var all = pair.History(Order);
        await pair.To.MergeAsync([all[0]], default);

        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[1], all[3], all[2]], default), "version 4", "follows version 2");
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[1], all[3]], default), "version 4", "follows version 2");
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[1], all[1], all[2]], default), "version 2");
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[2], all[3]], default), "version 2 has to come first");
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[5]], default), "is at version 1");
        // Under other versions the order would be right, and the hashes are not.
        await pair.AssertRefusedAsync(
            RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([all[1], all[3] with { Version = 3 }, all[2] with { Version = 4 }], default), "version 3", "hash");
        Assert.Equal(5, await pair.To.MergeAsync([.. all.Skip(1)], default));
    }

    [Fact]
    public async Task A_batch_of_nothing_mixed_without_salts_or_of_too_many_is_refused()
    {
        await using var pair = new MergePair();
        var other = TestStore.Aggregate("order", "o-2");
        await pair.FillAsync(Order, 2);
        await pair.FillAsync(other, 2);
        var all = pair.History(Order);

        await pair.AssertRefusedAsync(RefusalCode.InvalidArgument, () => pair.To.MergeAsync([], default), "no events");
        await pair.AssertRefusedAsync(RefusalCode.InvalidArgument, () => pair.To.MergeAsync([all[0], .. pair.History(other), all[1]], default), "order/o-1", "stand together");
        await pair.AssertRefusedAsync(RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([all[0], all[1] with { Salt = default }], default), "salt of 0 bytes");
        await pair.AssertRefusedAsync(RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([all[0] with { Salt = new byte[17] }], default), "salt of 17 bytes");
        await pair.AssertRefusedAsync(RefusalCode.InvalidArgument, () => pair.To.MergeAsync([all[0] with { Version = 0 }], default), "version 0");
        await pair.AssertRefusedAsync(
            RefusalCode.LimitExceeded, () => pair.To.MergeAsync([.. Enumerable.Range(0, 1001).Select(i => all[0] with { Version = (ulong)i + 1, EventId = Guid.NewGuid() })], default), "1001");
        await pair.AssertRefusedAsync(RefusalCode.InvalidPayload, () => pair.To.MergeAsync([all[0] with { Payload = "{"u8.ToArray() }], default));
        await pair.AssertRefusedAsync(RefusalCode.InvalidName, () => pair.To.MergeAsync([all[0] with { Actor = new Actor("", "x") }], default));
    }

    [Fact]
    public async Task Another_history_is_refused_with_both_hashes_also_where_it_goes_on_behind_it()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 4);
        var all = pair.History(Order);
        await pair.To.MergeAsync([.. all.Take(3)], default);
        var own = (await pair.To.AppendAsync(TestStore.Draft(Order, """{"mine":true}"""), default)).Record;

        await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync([all[3]], default), "version 4", all[3].Hash.ToString(), own.Hash.ToString());
        await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync(all, default), "version 4");
        await pair.FillAsync(Order, 3);
        await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync(pair.History(Order), default), "version 4");
        // Of what comes behind only: it builds on another root.
        await pair.AssertRefusedAsync(RefusalCode.IntegrityViolation, () => pair.To.MergeAsync(pair.History(Order, 4), default), "version 5", "predecessors differ");
        Assert.Equal(0, await pair.To.MergeAsync([.. all.Take(3)], default));
    }

    [Fact]
    public async Task Two_databases_that_began_the_same_aggregate_have_two_histories()
    {
        await using var pair = new MergePair();
        await pair.From.AppendAsync(TestStore.Draft(Order), default);
        await pair.To.AppendAsync(TestStore.Draft(Order), default);

        await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync(pair.History(Order), default), "version 1");
        pair.To.VerifyAll(null, default);
    }

    [Fact]
    public async Task An_event_id_that_is_another_version_here_is_another_history()
    {
        await using var pair = new MergePair();
        var chosen = Guid.NewGuid();
        await pair.From.AppendAsync(TestStore.Draft(Order, "1") with { EventId = chosen }, default);
        await pair.PushAsync(Order);
        var made = (await pair.To.AppendAsync(TestStore.Draft(Order, "2"), default)).Record.EventId;
        Assert.True(pair.ToDatabase.MadeIds.Made(Order, made));
        // What a peer could make up: consistent in itself, with an id that is taken.
        foreach (var (id, version) in ((Guid, string)[])[(chosen, "version 1 here"), (made, "version 2 here")])
        {
            var record = Follow(pair.To, id);
            await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync([record], default), id.ToString(), version);
            await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync([record, record with { Version = 4 }], default), "twice");
        }

        Assert.Equal(1, await pair.To.MergeAsync([Follow(pair.To, Guid.NewGuid())], default));
        pair.To.VerifyAll(null, default);
    }

    /// <summary>A third event that fits to what the receiver has.</summary>
    static EventRecord Follow(Session session, Guid id)
    {
        var tree = new MerkleTree();
        foreach (var record in session.GetHistory(Order, 0, 0))
            tree.Append(record.Hash);
        var (previous, salt) = (tree.Root(), new byte[16]);
        var time = session.GetHistory(Order, 0, 0)[^1].CreatedAt;
        var hash = EntryHash.OfEvent(Order, 3, "placed"u8, id, time.Ticks100ns, null, null, previous, "3"u8, salt);
        tree.Append(hash);
        return new()
        {
            Aggregate = Order, EventType = "placed", Payload = "3"u8.ToArray(), EventId = id, CreatedAt = time, Version = 3, Hash = hash, MerkleRoot = tree.Root(), Position = 0, Salt = salt,
        };
    }

    [Fact]
    public async Task A_time_before_that_of_the_newest_event_is_refused_though_its_hash_fits()
    {
        await using var pair = new MergePair();
        await pair.From.AppendAsync(TestStore.Draft(Order, "1"), default);
        await pair.From.AppendAsync(TestStore.Draft(Order, "2"), default);
        await pair.PushAsync(Order);
        var fits = Follow(pair.To, Guid.NewGuid());
        var time = new Timestamp(fits.CreatedAt.Ticks100ns - 10_000_000);
        var tree = new MerkleTree();
        foreach (var record in pair.History(Order))
            tree.Append(record.Hash);
        var hash = EntryHash.OfEvent(Order, 3, "placed"u8, fits.EventId, time.Ticks100ns, null, null, tree.Root(), "3"u8, fits.Salt.Span);
        tree.Append(hash);

        await pair.AssertRefusedAsync(
            RefusalCode.InvalidArgument, () => pair.To.MergeAsync([fits with { CreatedAt = time, Hash = hash, MerkleRoot = tree.Root() }], default), "never go back");
        Assert.Equal(1, await pair.To.MergeAsync([fits], default));
    }
}
