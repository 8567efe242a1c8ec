using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Checkpoints;

/// <summary>Where history may part from what was signed, the log gets another name, and says what it was called before.</summary>
public sealed class EpochTests
{
    readonly FakeSigner _signer = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_loss_the_log_has_a_new_origin_and_names_the_newest_checkpoint_before_it(bool hasCheckpoint)
    {
        using var store = new TestStore();
        var options = store.Options() with { Signer = () => _signer, LogOrigin = "log.example/orders" };
        Checkpoint? last = null;
        using var image = await DamagedAsync(options, async database =>
        {
            var session = database.OpenSession();
            for (var i = 1; i <= 6; i++)
            {
                await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
                if (hasCheckpoint && i % 2 == 0)
                    last = CheckpointIn(await session.ReadCheckpointAsync((ulong)i, default));
            }
        });

        StoreRecovery.AcceptLoss(options with { Directory = image.Path });

        await using var database = Database.Open(options with { Directory = image.Path });
        var session = database.OpenSession();
        Assert.Equal((2U, "log.example/orders/e2"), (database.Epoch, database.LogOrigin));
        var body = JsonDocument.Parse(session.ReadFeed(0, 100, includeControl: true).Items[^1].Control!.Body).RootElement.GetProperty("checkpoint");
        if (last is null)
            Assert.Equal(JsonValueKind.Null, body.ValueKind);
        else
            Assert.Equal(
                (last.Origin, last.Size, last.Root.ToString()),
                (body.GetProperty("origin").GetString(), body.GetProperty("size").GetUInt64(), body.GetProperty("root").GetString()));

        // The rows of the first epoch are still there; those of the second begin anew, under their own name.
        using (var view = database.Engine.OpenView())
            Assert.Equal(last, CheckpointRow.Newest(view, 1)?.Checkpoint);
        var note = await session.ReadCheckpointAsync(0, default);
        Assert.Equal(new Checkpoint("log.example/orders/e2", database.LogSize, database.LogRoot), CheckpointIn(note));
        Assert.True(_signer.Verifies("log.example/orders/e2", note));
        await session.VerifyAllAsync(null, default);
    }

    [Fact]
    public async Task A_checkpoint_row_that_cannot_be_read_is_not_taken_over_and_the_one_before_it_is_named()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        var options = store.Options() with { Signer = () => _signer, WrapEngine = steps.Over };
        using var image = await DamagedAsync(options, async database =>
        {
            for (var i = 1UL; i <= 2; i++)
            {
                await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
                await database.ReadCheckpointAsync(i, handOut: true, default);
            }

            steps.Tamper((view, plan) => Checked.Put(plan, Family.Checkpoints, Keyspace.Checkpoint(1, 2), "nothing of ours"u8));
        });

        StoreRecovery.AcceptLoss(options with { Directory = image.Path });

        await using var database = Database.Open(options with { Directory = image.Path });
        using var view = database.Engine.OpenView();
        Assert.Equal(1UL, CheckpointRow.Newest(view, 1)!.Size);
        var body = JsonDocument.Parse(database.OpenSession().ReadFeed(0, 100, includeControl: true).Items[^1].Control!.Body).RootElement;
        Assert.Equal(1UL, body.GetProperty("checkpoint").GetProperty("size").GetUInt64());
    }

    [Fact]
    public async Task Within_an_epoch_the_log_keeps_its_name_and_another_one_takes_effect_with_the_next()
    {
        using var store = new TestStore();
        var first = store.Options() with { Signer = () => _signer, LogOrigin = "log.example/one" };
        var told = new List<string>();
        var second = first with { LogOrigin = "log.example/two", Progress = told.Add };
        // Before anything was signed under a name, it may be another.
        await using (var database = Database.Open(first))
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await using (var database = Database.Open(first))
            await database.OpenSession().ReadCheckpointAsync(0, default);

        DirectoryImage image;
        await using (var database = Database.Open(second))
        {
            var session = database.OpenSession();
            Assert.Equal(("log.example/one", "log.example/two"), (database.LogOrigin, database.LogOriginWaiting));
            Assert.Contains(told, line => line.Contains("signed as log.example/one", StringComparison.Ordinal) && line.Contains("log.example/two", StringComparison.Ordinal));
            Assert.Null(database.Unhealthy);
            for (var grown = 0; grown < 2; grown++)
            {
                var note = await session.ReadCheckpointAsync(database.LogSize, default);
                Assert.Equal("log.example/one", CheckpointIn(note).Origin);
                Assert.StartsWith("log.example/one+", session.ReadLogKey(), StringComparison.Ordinal);
                Assert.True(_signer.Verifies("log.example/one", note));
                Assert.Equal("log.example/one", CheckpointIn((await session.ProveEventAsync(TestStore.Aggregate(), 1, null, default)).Checkpoint).Origin);
                Assert.Equal("log.example/one", session.ProveLog(1, null).Origin);
                await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            }

            await session.VerifyAllAsync(null, default);
            image = DirectoryImage.Copy(store.Directory);
            File.Delete(image.In("watermark"));
        }

        using (image)
        {
            StoreRecovery.AcceptLoss(second with { Directory = image.Path });
            await using var database = Database.Open(second with { Directory = image.Path });
            Assert.Equal(("log.example/two/e2", null), (database.LogOrigin, database.LogOriginWaiting));
            await database.OpenSession().ReadCheckpointAsync(0, default);
            await database.OpenSession().VerifyAllAsync(null, default);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_wrong_signature_under_a_checkpoint_is_found_in_whichever_epoch(uint epoch)
    {
        using var store = new TestStore();
        var options = store.Options() with { Signer = () => _signer };
        using var image = await DamagedAsync(options, async database =>
        {
            for (var i = 1UL; i <= 2; i++)
            {
                await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
                await database.OpenSession().ReadCheckpointAsync(i, default);
            }
        });
        StoreRecovery.AcceptLoss(options with { Directory = image.Path });
        await using var database = Database.Open(options with { Directory = image.Path });
        await database.OpenSession().ReadCheckpointAsync(0, default);
        await database.OpenSession().VerifyAllAsync(null, default);
        CheckpointRow row;
        using (var view = database.Engine.OpenView())
            row = CheckpointRow.Newest(view, epoch)!;
        var bent = row.Note.Signatures[0].Bytes.ToArray();
        bent[5] ^= 1;
        var forged = row with { Note = SignedNote.Of(row.Note.Text, [new(row.Note.Signatures[0].KeyName, row.Note.Signatures[0].KeyId, bent)]) };
        RawRows.Change(database, Family.Checkpoints, forged.Key, _ => forged.Write());
        VerifyTests.Refused(() => database.OpenSession().VerifyAll(null, default), "is not signed with the log's key");
    }

    [Fact]
    public async Task Two_names_within_an_epoch_are_found()
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options() with { Signer = () => _signer });
        for (var i = 1UL; i <= 2; i++)
        {
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await database.OpenSession().ReadCheckpointAsync(i, default);
        }

        CheckpointRow row;
        using (var view = database.Engine.OpenView())
            row = CheckpointRow.Newest(view, 1)!;
        var other = row.Checkpoint with { Origin = "log.example/other" };
        var forged = row with { Checkpoint = other, Note = SignedNote.Of(other.Text(), [_signer.Sign(other.Origin, other.Text())]) };
        RawRows.Change(database, Family.Checkpoints, forged.Key, _ => forged.Write());
        VerifyTests.Refused(() => database.OpenSession().VerifyAll(null, default), "within an epoch a log keeps its name");
    }

    /// <summary>A copy of a store that is open, without its watermark: only a recovery opens it.</summary>
    static async Task<DirectoryImage> DamagedAsync(DatabaseOptions options, Func<Database, Task> fill)
    {
        await using var database = Database.Open(options);
        await fill(database);
        var image = DirectoryImage.Copy(options.Directory);
        File.Delete(image.In("watermark"));
        return image;
    }

    static Checkpoint CheckpointIn(SignedNote note) => Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint : throw new FormatException(note.Text);
}
