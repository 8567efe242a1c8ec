using EventDbx.Checkpoints;
using EventDbx.CrashWriter;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Crash;

/// <summary>Checkpoints over kills, torn logs and losses that are accepted: what was signed stays signed, and a log that parts from it has another name.</summary>
public sealed class CheckpointLossTests
{
    [Fact]
    public Task No_two_of_one_size_differ_within_an_epoch_and_a_loss_begins_another_one() => Effort.SeededAsync(async random =>
    {
        for (var run = Effort.Choose(2, 40, 400); run > 0; run--)
        {
            using var store = new TestStore();
            var options = store.Options(encrypted: random.Next(2) == 0) with { Signer = static () => new FakeSigner(), Durability = (Durability)random.Next(2) };
            var signed = new Dictionary<(string Origin, ulong Size), Hash32>();
            var image = (DirectoryImage?)null;
            var (epochs, losses) = (1U, 0U);
            for (var cycle = 0; cycle < 5; cycle++)
            {
                var here = options with { Directory = image?.Path ?? store.Directory };
                var next = await WorkAsync(here, signed, random, epochs);
                image?.Dispose();
                image = next;
                if (Cut(image, random) && IsRefused(options with { Directory = image.Path }))
                {
                    StoreRecovery.AcceptLoss(options with { Directory = image.Path });
                    (epochs, losses) = (epochs + 1, losses + 1);
                }
            }

            using (image)
            await using (var database = Database.Open(options with { Directory = image!.Path }))
            {
                Assert.Equal(losses + 1, database.Epoch);
                var verified = database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
                Assert.InRange(verified.Checkpoints, 1UL, (ulong)signed.Count);
            }

            TestContext.Current.TestOutputHelper?.WriteLine($"{signed.Count} checkpoints over {epochs} epochs");
        }
    });

    /// <summary>Appends and asks for checkpoints, holds each against those before it, and leaves what a kill would leave.</summary>
    static async Task<DirectoryImage> WorkAsync(DatabaseOptions options, Dictionary<(string, ulong), Hash32> signed, Random random, uint epoch)
    {
        await using var database = Database.Open(options);
        Assert.Equal(epoch, database.Epoch);
        Assert.Equal(epoch > 1, database.LogOrigin.EndsWith($"/e{epoch}", StringComparison.Ordinal));
        var session = database.OpenSession();
        Checkpoint? before;
        using (var view = database.Engine.OpenView())
            before = CheckpointRow.Newest(view, epoch)?.Checkpoint;
        for (var i = random.Next(10, 60); i > 0; i--)
        {
            await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{random.Next(4)}"), $$"""{"n":{{random.Next()}}}"""), default);
            // Relaxed, the first of them may not be synced yet.
            if (random.Next(4) != 0 || database.LogSize == 0)
                continue;
            var note = await database.ReadCheckpointAsync(database.LogSize, handOut: random.Next(2) == 0, default);
            Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
            Assert.Equal(database.LogOrigin, checkpoint.Origin);
            Assert.Equal(checkpoint.Root, signed.TryGetValue((checkpoint.Origin, checkpoint.Size), out var known) ? known : checkpoint.Root);
            signed[(checkpoint.Origin, checkpoint.Size)] = checkpoint.Root;
            using var view = database.Engine.OpenView();
            if (before is not null && before.Size < checkpoint.Size)
                Assert.True(MerkleProof.Extends(before.Size, checkpoint.Size, before.Root, checkpoint.Root, new LogNodes(view, checkpoint.Size).Path(ProofPath.Consistency(before.Size, checkpoint.Size))));
            before = checkpoint;
        }

        // Whatever was signed in this epoch, by whichever process, is a prefix of the log as it is now.
        using (var view = database.Engine.OpenView())
        {
            var nodes = new LogNodes(view, database.LogSize);
            foreach (var ((origin, size), root) in signed)
            {
                if (origin == database.LogOrigin)
                    Assert.Equal(root, nodes.RootAt(size));
            }
        }

        return DirectoryImage.Copy(options.Directory);
    }

    /// <summary>Cuts the newest write-ahead log somewhere; most often near its end.</summary>
    static bool Cut(DirectoryImage image, Random random)
    {
        var wal = Directory.GetFiles(image.Store, "*.log").Order(StringComparer.Ordinal).Last();
        using var file = File.OpenHandle(wal, access: FileAccess.ReadWrite);
        var length = RandomAccess.GetLength(file);
        if (length == 0 || random.Next(3) == 0)
            return false;
        RandomAccess.SetLength(file, random.Next(2) == 0 ? length - random.NextInt64(Math.Min(length, 600)) : random.NextInt64(length));
        return true;
    }

    static bool IsRefused(DatabaseOptions options)
    {
        using var tried = DirectoryImage.Copy(options.Directory);
        return StoreInspection.Run(tried.Path) is not null;
    }
}
