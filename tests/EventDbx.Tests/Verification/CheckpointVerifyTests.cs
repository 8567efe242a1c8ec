using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Checkpoints;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>Checkpoints that are kept, held against the log by a verify of everything.</summary>
public sealed class CheckpointVerifyTests : IAsyncLifetime
{
    readonly TestStore _store = new();
    readonly FakeSigner _signer = new();
    Database _database = null!;

    DatabaseOptions Options => _store.Options() with { Signer = () => _signer };

    Session Session => _database.OpenSession();

    /// <summary>Checkpoints of 3, 6 and 9 entries, under a log of 10.</summary>
    public async ValueTask InitializeAsync()
    {
        _database = Database.Open(Options);
        for (var i = 1; i <= 10; i++)
        {
            await Session.AppendAsync(TestStore.Draft(AggregateKey.Create("order", $"o-{i % 3}"), $$"""{"n":{{i}}}"""), default);
            if (i % 3 == 0)
                await _database.ReadCheckpointAsync((ulong)i, handOut: true, default);
        }
    }

    [Fact]
    public void Checkpoints_as_they_were_signed_pass_and_the_newest_is_named()
    {
        var all = Session.VerifyAll(null, default);
        Assert.Equal((3UL, true, 9UL, _database.LogOrigin), (all.Checkpoints, all.CheckpointSignaturesChecked, all.NewestCheckpoint!.Size, all.NewestCheckpoint.Origin));
    }

    [Theory]
    [InlineData("another root", "The first 6 entries have root")]
    [InlineData("another key", "the checkpoint of 6 entries is not signed with the log's key")]
    [InlineData("another signature", "the checkpoint of 6 entries is not signed with the log's key")]
    [InlineData("of more than there is", "A checkpoint of 11 entries was signed, but the log has 10: entries 11 to 11 are missing")]
    [InlineData("of nothing", "nobody signs an empty log")]
    [InlineData("of an epoch to come", "its key is not one of a checkpoint of epoch 1 to 1")]
    [InlineData("of another epoch's origin", "stands among those of epoch 1")]
    [InlineData("under another size", "it cannot be read")]
    [InlineData("cut short", "it cannot be read")]
    [InlineData("with flags of nobody", "it cannot be read")]
    public void Each_that_is_not_what_the_log_signed_is_found(string what, string named)
    {
        var row = Row(6);
        switch (what)
        {
            case "another root":
                Put(row with { Checkpoint = row.Checkpoint with { Root = Hash32.Of("x"u8) } }, _signer);
                break;
            case "another key":
                Put(row, new FakeSigner("another"));
                break;
            case "another signature":
                Put(row with { Note = SignedNote.Of(row.Note.Text, [row.Note.Signatures[0] with { Bytes = new byte[64] }]) }, null);
                break;
            case "of more than there is":
                Put(row with { Checkpoint = row.Checkpoint with { Size = 11 } }, _signer);
                break;
            case "of nothing":
                Put(row with { Checkpoint = row.Checkpoint with { Size = 0, Root = Hash32.Empty } }, _signer);
                break;
            case "of an epoch to come":
                Put(row with { Epoch = 2 }, null);
                break;
            case "of another epoch's origin":
                Put(row with { Checkpoint = row.Checkpoint with { Origin = _database.LogOrigin + "/e2" } }, _signer);
                break;
            case "under another size":
                RawRows.Write(_database, plan => Checked.Put(plan, Family.Checkpoints, Keyspace.Checkpoint(1, 7), row.Write()));
                break;
            case "cut short":
                RawRows.Change(_database, Family.Checkpoints, row.Key, body => body[..^1]);
                break;
            default:
                RawRows.Change(_database, Family.Checkpoints, row.Key, body =>
                {
                    body[1] |= 4;
                    return body;
                });
                break;
        }

        VerifyTests.Refused(() => Session.VerifyAll(null, default), named);
        VerifyTests.Refused(() => StoreVerifier.Run(_database.VerifySource, resume: true, null, default), named);
    }

    [Fact]
    public void Without_the_signing_key_all_but_the_signatures_is_checked_and_it_says_so()
    {
        var without = _database.VerifySource with { Signer = null };
        var row = Row(6);
        Put(row, new FakeSigner("another"));
        var all = StoreVerifier.Run(without, resume: false, null, default);
        Assert.Equal((3UL, false, 9UL), (all.Checkpoints, all.CheckpointSignaturesChecked, all.NewestCheckpoint!.Size));
        Put(row with { Checkpoint = row.Checkpoint with { Root = Hash32.Of("x"u8) } }, new FakeSigner("another"));
        VerifyTests.Refused(() => StoreVerifier.Run(without, resume: false, null, default), "The first 6 entries have root");

        var refusing = _database.VerifySource with { Signer = () => throw new RefusedException(RefusalCode.Unavailable, "no key file") };
        Put(row, _signer);
        Assert.False(StoreVerifier.Run(refusing, resume: false, null, default).CheckpointSignaturesChecked);
    }

    [CiTier("It loses the end of a log many times.")]
    [Fact]
    public async Task Those_of_an_epoch_that_ended_with_a_loss_stay_and_each_is_held_against_what_the_loss_says()
    {
        using var image = Lost(9);
        var options = Options with { Directory = image.Path };
        Assert.Equal(8UL, StoreRecovery.AcceptLoss(options).Kept);
        await using var database = Database.Open(options);
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(AggregateKey.Create("order", "o-1")), default);
        await database.ReadCheckpointAsync(10, handOut: true, default);
        var all = session.VerifyAll(null, default);
        // Of three of the first epoch, one speaks of the entry that was lost.
        Assert.Equal((3UL, 1UL, 10UL, _database.LogOrigin + "/e2", true), (all.Checkpoints, all.CheckpointsOfLostEntries, all.NewestCheckpoint!.Size, all.NewestCheckpoint.Origin, all.CheckpointSignaturesChecked));

        // Of 9 entries one is gone; those of 3 and 6 are still prefixes.
        foreach (var (size, changed) in ((ulong, string)[])[(6, "The checkpoint of 6 entries of epoch 1 is no prefix of the log"), (9, "names the checkpoint of 9 entries")])
        {
            var key = Keyspace.Checkpoint(1, size);
            var kept = CheckpointRow.Find(database.Engine.OpenView(), 1, size)!;
            var forged = new Checkpoint(kept.Checkpoint.Origin, size, Hash32.Of("x"u8));
            RawRows.Write(database, plan => Checked.Put(plan, Family.Checkpoints, key, (kept with { Checkpoint = forged, Note = Signed(forged) }).Write()));
            VerifyTests.Refused(() => session.VerifyAll(null, default), changed);
            RawRows.Write(database, plan => Checked.Put(plan, Family.Checkpoints, key, kept.Write()));
        }

        RawRows.Delete(database, Family.Checkpoints, Keyspace.Checkpoint(1, 9));
        VerifyTests.Refused(() => session.VerifyAll(null, default), "The loss accepted at position 9 names the checkpoint of 9 entries");
    }

    /// <summary>What a kill leaves when the entries from a position on were lost.</summary>
    DirectoryImage Lost(ulong from)
    {
        for (var position = from; position <= _database.LogSize; position++)
            RawRows.Delete(_database, Family.Log, Keyspace.Position(position));
        return DirectoryImage.Copy(_store.Directory);
    }

    CheckpointRow Row(ulong size)
    {
        using var view = _database.Engine.OpenView();
        return CheckpointRow.Find(view, 1, size)!;
    }

    SignedNote Signed(Checkpoint checkpoint) => SignedNote.Of(checkpoint.Text(), [_signer.Sign(checkpoint.Origin, checkpoint.Text())]);

    /// <summary>Under the key it belongs to, with the checksum it would have; signed anew, where somebody signs.</summary>
    void Put(CheckpointRow row, FakeSigner? signer)
    {
        if (signer is not null)
            row = row with { Note = SignedNote.Of(row.Checkpoint.Text(), [signer.Sign(row.Checkpoint.Origin, row.Checkpoint.Text())]) };
        RawRows.Write(_database, plan => Checked.Put(plan, Family.Checkpoints, row.Key, row.Write()));
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _store.Dispose();
    }
}

/// <summary>Snapshots that somebody asked for, held against the entries that say so.</summary>
public sealed class SnapshotLedgerTests
{
    static readonly AggregateKey Order = AggregateKey.Create("order", "o-1");

    [Fact]
    public async Task Each_that_is_missing_too_many_or_says_something_else_is_found()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        await session.CreateAsync(AggregateKey.Create("order", "empty"), null, default);
        await session.SnapshotAsync(AggregateKey.Create("order", "empty"), "of nothing", default);
        await session.AppendAsync(TestStore.Draft(Order), default);
        await session.SnapshotAsync(Order, "one", default);
        await session.SnapshotAsync(Order, null, default);
        Assert.Equal(3UL, session.VerifyAll(null, default).Snapshots);
        foreach (var row in RawRows.All(database.Engine, Family.Snapshots).Skip(1))
        {
            var kept = SnapshotRow.TryRead(row.Value.AsMemory(..^Checked.TrailerBytes))!;
            Assert.True(Keyspace.TryReadSnapshot(row.Key, out _, out var version, out var sequence));
            var next = row.Key.ToArray();
            next[^1] += 7;
            foreach (var (key, changed) in ((byte[], SnapshotRow?)[])
                [(row.Key, null), (row.Key, kept with { CreatedAt = kept.CreatedAt + 1 }), (row.Key, kept with { Comment = "two" }), (row.Key, kept with { Automatic = true }), (next, kept)])
            {
                var before = RawRows.All(database.Engine, Family.Snapshots).FirstOrDefault(other => other.Key.AsSpan().SequenceEqual(key)).Value;
                if (changed is null)
                    RawRows.Delete(database, Family.Snapshots, key);
                else
                    RawRows.Write(database, plan => Checked.Put(plan, Family.Snapshots, key, SnapshotRow.Write(changed.Automatic, changed.CreatedAt, changed.Root, changed.Comment, version, changed.SealedState.Span[1..], null, database.Nonces)));
                VerifyTests.Refused(() => session.VerifyAll(null, default), null);
                RawRows.Write(database, plan =>
                {
                    if (before is null)
                        plan.Delete(Family.Snapshots, key);
                    else
                        plan.Put(Family.Snapshots, key, before);
                });
            }
        }

        Assert.Equal(3UL, session.VerifyAll(null, default).Snapshots);
    }

    [Fact]
    public async Task Those_of_an_aggregate_that_was_removed_go_with_it()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        for (var i = 0; i < 2; i++)
        {
            await session.CreateAsync(Order, null, default);
            Assert.Empty(session.GetSnapshots(Order, null, 10).Items);
            await session.SnapshotAsync(Order, $"life {i}", default);
            Assert.Equal(1UL, session.VerifyAll(null, default).Snapshots);
            await session.RemoveAsync(Order, default);
            Assert.Equal(0UL, session.VerifyAll(null, default).Snapshots);
        }
    }
}
