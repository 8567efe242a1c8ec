using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Schemas;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>Snapshots that somebody took are held against the entries of the log, and automatic ones against their event.</summary>
public sealed class ChangedSnapshotTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static async Task<Session> FillAsync(Database database)
    {
        var session = database.OpenSession();
        await session.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], 2)], default);
        await session.AppendAsync(TestStore.Draft(Order, """{"n":1}"""), default);
        await session.SnapshotAsync(Order, "for the auditor", default);
        await session.SnapshotAsync(Order, null, default);
        await session.AppendAsync(TestStore.Draft(Order, """{"n":2}"""), default);
        await session.CreateAsync(TestStore.Aggregate("order", "gone"), null, default);
        await session.SnapshotAsync(TestStore.Aggregate("order", "gone"), "goes with it", default);
        await session.RemoveAsync(TestStore.Aggregate("order", "gone"), default);
        Assert.Equal(3UL, session.VerifyAll(null, default).Snapshots);
        return session;
    }

    static string Found(Session session) => Assert.Throws<RefusedException>(() => session.VerifyAll(null, default)) is { Refusal.Code: RefusalCode.IntegrityViolation } refused
        ? refused.Message : throw new InvalidOperationException("Not a violation.");

    static void Put(Database database, byte[] key, byte[] body) => RawRows.Write(database, plan => Checked.Put(plan, Family.Snapshots, key, body));

    static byte[] Key(ulong version, uint sequence) => Keyspace.Snapshot(Order, version, sequence);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_that_was_deleted_or_added_is_missed(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = await FillAsync(database);
        var body = RawRows.Body(database, Family.Snapshots, Key(1, 1));

        RawRows.Delete(database, Family.Snapshots, Key(1, 1));
        Assert.Contains("is missing, or says something else of itself", Found(session), StringComparison.Ordinal);
        Put(database, Key(1, 1), body);
        Assert.Equal(3UL, session.VerifyAll(null, default).Snapshots);
        Put(database, Key(1, 3), body);
        Assert.Contains("another number of snapshots than the log speaks of", Found(session), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_head_that_counts_other_snapshots_than_there_are_is_found(bool archived)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = await FillAsync(database);
        if (archived)
        {
            await session.ArchiveAsync(Order, null, default);
            await session.SnapshotAsync(Order, "archived", default);
        }

        var all = session.VerifyAll(null, default).Snapshots;
        Assert.Equal(archived ? 4UL : 3UL, all);
        var family = archived ? Family.Archive : Family.Heads;
        // Within the archive record the head begins after 13 bytes.
        var at = (archived ? 13 : 0) + 2 + (5 * 8) + 8 + 3;
        foreach (var change in (sbyte[])[1, -1])
        {
            RawRows.Change(database, family, Order.Row.ToArray(), body =>
            {
                body[at] = (byte)(body[at] + change);
                return body;
            });
            Assert.Contains("snapshots that somebody took; there are", Found(session), StringComparison.Ordinal);
            Assert.Contains("snapshots that somebody took; there are", Assert.Throws<RefusedException>(() => session.Verify(Order, VerifyLevel.Full, default)).Message, StringComparison.Ordinal);
            RawRows.Change(database, family, Order.Row.ToArray(), body =>
            {
                body[at] = (byte)(body[at] - change);
                return body;
            });
            Assert.Equal(all, session.VerifyAll(null, default).Snapshots);
        }
    }

    [Theory]
    [InlineData(1UL, false)]
    [InlineData(2UL, true)]
    public async Task A_snapshot_whose_comment_time_or_flag_was_changed_is_found(ulong version, bool automatic)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = await FillAsync(database);
        var key = Key(version, 1);
        var kept = SnapshotRow.TryRead(RawRows.Body(database, Family.Snapshots, key))!;
        var nonces = new NoncePool();
        void Write(SnapshotRow row)
        {
            var fields = row.Open(key, version, null);
            Put(database, key, SnapshotRow.Write(row.Automatic, row.CreatedAt, row.Root, row.Comment, version, fields, null, nonces));
        }

        Assert.Equal(automatic, kept.Automatic);
        foreach (var changed in (SnapshotRow[])[kept with { Comment = "for nobody" }, kept with { Comment = null }, kept with { CreatedAt = kept.CreatedAt + 1 }, kept with { Automatic = !automatic }])
        {
            Write(changed);
            Assert.Contains("snapshot", Found(session), StringComparison.Ordinal);
        }

        Write(kept);
        Assert.Equal(3UL, session.VerifyAll(null, default).Snapshots);
    }
}
