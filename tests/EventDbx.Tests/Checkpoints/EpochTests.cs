using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Recovery;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

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
