using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Encryption;

/// <summary>Another data key, while everything goes on.</summary>
public sealed class KeyRotationTests
{
    /// <summary>More than are wrapped in one batch.</summary>
    const int Aggregates = 300;

    [Fact]
    public async Task A_rotated_store_answers_as_before_and_the_old_key_opens_nothing()
    {
        using var rotated = new RotatedStore();
        List<byte[]> before;
        string answers;
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            answers = RotatedStore.Answers(database, Aggregates);
            before = RotatedStore.WrappedKeys(database);
            RotatedStore.Flush(database);
            Assert.NotEqual(0, rotated.CountInFiles(before));

            var result = await database.OpenSession(new Actor("cli", "me")).RotateKeyAsync(rotated.Next, null, default);

            Assert.Equal((2u, (ulong)Aggregates + 4, 2, false), (result.Generation, result.Keys, result.Documents, result.Resumed));
            await CheckAsync(database, answers);
            Assert.Empty(RotatedStore.WrappedKeys(database).Intersect(before, ByteComparer.Instance));
        }

        Assert.Equal(0, rotated.CountInFiles(before));
        var refused = Assert.Throws<StoreRefusedException>(() => rotated.Open(rotated.Old));
        Assert.Contains("not the one", refused.Message, StringComparison.Ordinal);
        await using var again = rotated.Open(rotated.Next);
        await CheckAsync(again, answers);
        Assert.Equal((2u, false), (again.KeyGeneration, again.KeyRotationUnfinished));
        var notes = again.OpenSession().ReadFeed(0, 10_000, includeControl: true).Items.Where(item => item.Control?.Kind == "key_rotation").Select(item => item.Control!).ToList();
        Assert.Equal(["begun", "ended"], notes.Select(note => System.Text.Json.JsonDocument.Parse(note.Body).RootElement.GetProperty("step").GetString()));
        Assert.All(notes, note => Assert.Equal(new Actor("cli", "me"), note.Actor));
        Assert.All(notes, note => Assert.DoesNotContain(rotated.Next.ToBase64(), Encoding.UTF8.GetString(note.Body.Span), StringComparison.Ordinal));
    }

    /// <summary>Reads, verify, a known event id, an append to what was there, a new aggregate, a restore.</summary>
    static async Task CheckAsync(Database database, string answers)
    {
        Assert.Equal(answers, RotatedStore.Answers(database, Aggregates));
        database.OpenSession().VerifyAll(null, default);
        var session = database.OpenSession(new Actor("test", "checker"));
        Assert.False((await session.AppendAsync(RotatedStore.Draft(3, 1), default)).Appended);
        var another = TestStore.Aggregate("later", Guid.NewGuid().ToString());
        await session.AppendAsync(TestStore.Draft(another), default);
        await session.AppendAsync(TestStore.Draft(another), default);
        await session.ArchiveAsync(another, null, default);
        await session.RestoreAsync(another, null, default);
        database.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task Sixteen_writers_go_on_while_a_key_is_replaced_and_nothing_of_theirs_needs_the_old_one()
    {
        using var rotated = new RotatedStore();
        var (made, stop) = (0, false);
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            var writers = Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
            {
                var session = database.OpenSession(new Actor("test", $"writer-{writer}"));
                for (var i = 0; !Volatile.Read(ref stop); i++)
                {
                    // New aggregates, and such as are being wrapped again.
                    await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("new", $"{writer}-{i / 2}")), default);
                    await session.AppendAsync(TestStore.Draft(RotatedStore.Key(((writer * 31) + i) % Aggregates is var n && n % 10 == 0 ? n + 1 : n)), default);
                    Interlocked.Increment(ref made);
                }
            })).ToList();
            while (Volatile.Read(ref made) < 32)
                await Task.Yield();
            var before = Volatile.Read(ref made);
            await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
            Assert.True(Volatile.Read(ref made) > before, "Nothing was appended meanwhile.");
            Volatile.Write(ref stop, true);
            await Task.WhenAll(writers);
            Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
            database.OpenSession().VerifyAll(null, default);
        }

        await using var again = rotated.Open(rotated.Next);
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task A_draft_that_was_sealed_before_the_switch_and_is_committed_after_it_is_wrapped_with_the_new_key()
    {
        using var rotated = new RotatedStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over });
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var held = steps.Commit.Hold();
        var rotating = database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
        await held.Reached;
        // The key is still the old one for whoever seals now; the group that waits makes it the former one.
        var appending = database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate(id: "late")), default);
        held.Release();

        await Task.WhenAll(rotating, appending);

        Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
        database.OpenSession().VerifyAll(null, default);
    }

    [CiTier("It changes a store in every place, one after the other.")]
    [Fact]
    public async Task Interrupted_at_any_step_it_opens_with_either_key_verifies_and_goes_on()
    {
        using var filled = new RotatedStore();
        string answers;
        await using (var database = filled.Open(filled.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            answers = RotatedStore.Answers(database, Aggregates);
        }

        for (var (step, ended) = (1, false); !ended; step++)
        {
            using var image = Crash.DirectoryImage.Copy(filled.Store.Directory);
            var options = filled.Options(filled.Old) with { Directory = image.Path };
            var steps = new EngineSteps();
            await using (var database = Database.Open(options with { WrapEngine = steps.Over }))
            {
                // The first read of a document tells the store, so it is done before anything is counted.
                _ = RotatedStore.Answers(database, 1);
                await database.Loop.DrainAsync();
                var seen = steps.Commit.Arrivals;
                steps.Commit.Watch = () => steps.Commit.Failure = steps.Commit.Arrivals - seen >= step ? new StorageFailedException("The disk is gone.") : null;
                try
                {
                    await database.OpenSession().RotateKeyAsync(filled.Next, null, default);
                    ended = true;
                }
                catch (RefusedException refused)
                {
                    Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
                }
            }

            if (ended)
            {
                Assert.True(step > 4, $"It was never interrupted in its middle: {step} steps.");
                return;
            }

            var wasBegun = step > 1;
            foreach (var key in wasBegun ? (DataKey[])[filled.Old, filled.Next] : [filled.Old])
            {
                await using var database = Database.Open(options with { Key = key });
                Assert.Equal(wasBegun, database.KeyRotationUnfinished);
                Assert.Equal(answers, RotatedStore.Answers(database, Aggregates));
                database.OpenSession().VerifyAll(null, default);
            }

            if (!wasBegun)
                Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Key = filled.Next }));
            await using (var database = Database.Open(options with { Key = step % 2 == 0 && wasBegun ? filled.Next : filled.Old }))
            {
                var result = await database.OpenSession().RotateKeyAsync(filled.Next, null, default);
                Assert.Equal(wasBegun, result.Resumed);
                Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
                Assert.True((await database.OpenSession().RotateKeyAsync(filled.Next, null, default)).WasDone);
            }

            Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Key = filled.Old }));
            await using var after = Database.Open(options with { Key = filled.Old, NextKey = filled.Next });
            await CheckAsync(after, answers);
        }
    }

    [Fact]
    public async Task Cancelled_it_goes_on_with_the_same_key_only_and_a_second_rotation_follows_the_first()
    {
        using var rotated = new RotatedStore();
        using var third = DataKey.Generate();
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            using var cancelling = new CancellationTokenSource();
            var progress = new Told(_ => cancelling.Cancel());
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, progress, cancelling.Token));
            Assert.True(database.KeyRotationUnfinished);

            var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RotateKeyAsync(third, null, default));
            Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
            Assert.True((await database.OpenSession().RotateKeyAsync(rotated.Next, null, default)).Resumed);
            Assert.Equal(3u, (await database.OpenSession().RotateKeyAsync(third, null, default)).Generation);
            database.OpenSession().VerifyAll(null, default);
        }

        foreach (var key in (DataKey[])[rotated.Old, rotated.Next])
            Assert.Throws<StoreRefusedException>(() => rotated.Open(key));
        await using var again = rotated.Open(third);
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task A_plain_store_has_no_key_to_rotate_and_only_root_may()
    {
        using var store = new TestStore();
        using var next = DataKey.Generate();
        await using (var plain = store.Open(encrypted: false))
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => plain.OpenSession().RotateKeyAsync(next, null, default));
            Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        }

        using var other = new TestStore();
        await using var database = other.Open();
        Assert.True(EventDbx.Access.Grants.TryParse(["aggregate.append"], [], out var grants, out _));
        var session = database.OpenSession(new Actor("a", "b"), grants, null);
        var denied = await Assert.ThrowsAsync<RefusedException>(() => session.RotateKeyAsync(next, null, default));
        Assert.Equal(RefusalCode.PermissionDenied, denied.Refusal.Code);
        Assert.Equal(1u, database.KeyGeneration);
    }

    [Fact]
    public async Task A_store_that_is_rebuilt_in_the_midst_of_a_rotation_opens_with_either_key_and_goes_on()
    {
        using var rotated = new RotatedStore();
        string answers;
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            using var cancelling = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => database.OpenSession().RotateKeyAsync(rotated.Next, new Told(_ => cancelling.Cancel()), cancelling.Token));
            answers = RotatedStore.Answers(database, Aggregates);
        }

        File.Delete(Path.Combine(rotated.Store.Directory, "watermark"));
        var report = StoreRecovery.AcceptLoss(rotated.Options(rotated.Next));
        Assert.Null(report.Stopped);

        foreach (var key in (DataKey[])[rotated.Old, rotated.Next])
        {
            await using var database = rotated.Open(key);
            Assert.True(database.KeyRotationUnfinished);
            Assert.Equal(answers, RotatedStore.Answers(database, Aggregates));
            database.OpenSession().VerifyAll(null, default);
        }

        await using (var database = rotated.Open(rotated.Old))
            await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
        File.Delete(Path.Combine(rotated.Store.Directory, "watermark"));
        Assert.Null(StoreRecovery.AcceptLoss(rotated.Options(rotated.Next)).Stopped);
        await using var after = rotated.Open(rotated.Next);
        Assert.Equal(2u, after.KeyGeneration);
        await CheckAsync(after, answers);
    }

    [Theory]
    [InlineData("head")]
    [InlineData("entry")]
    [InlineData("store")]
    public async Task A_row_from_before_a_rotation_that_is_put_back_after_it_is_found(string which)
    {
        using var rotated = new RotatedStore();
        var steps = new EngineSteps();
        (Family Family, byte[] Key) place = which switch
        {
            "head" => (Family.Heads, RotatedStore.Key(1).Row.ToArray()),
            "entry" => (Family.Log, Keyspace.Position(2)),
            _ => (Family.Meta, Keyspace.StoreRow.ToArray()),
        };
        await using (var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over }))
        {
            await RotatedStore.FillAsync(database, 20);
            byte[] old;
            using (var view = database.Engine.OpenView())
                old = view.Get(place.Family, place.Key)!;
            await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
            steps.Tamper((_, plan) => plan.Put(place.Family, place.Key, old));
        }

        try
        {
            await using var database = rotated.Open(rotated.Next);
            var found = Assert.Throws<RefusedException>(() => database.OpenSession().VerifyAll(null, default));
            Assert.Equal(RefusalCode.IntegrityViolation, found.Refusal.Code);
        }
        catch (StoreRefusedException refused)
        {
            Assert.Equal("store", which);
            Assert.Contains("not the one", refused.Message, StringComparison.Ordinal);
        }
    }

    sealed class Told(Action<KeyRotationProgress> tell) : IProgress<KeyRotationProgress>
    {
        public void Report(KeyRotationProgress value) => tell(value);
    }
}
