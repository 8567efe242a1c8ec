using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Encryption;

/// <summary>Another data key where something is in the way: damage, large rows, readers, files of somebody else's, a kill at its very end.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class KeyRotationDamageTests
{
    static AggregateKey A => TestStore.Aggregate(id: "a");
    static AggregateKey B => TestStore.Aggregate(id: "b");
    static AggregateKey C => TestStore.Aggregate(id: "c");

    [Theory]
    [InlineData("head", false)]
    [InlineData("entry", false)]
    [InlineData("archive", false)]
    [InlineData("head", true)]
    public async Task What_is_damaged_is_left_and_named_all_others_are_wrapped_again_and_stay_sound_and_once_it_is_mended_it_ends(string which, bool plansTwice)
    {
        using var rotated = new RotatedStore();
        await using (var first = rotated.Open(rotated.Old))
        {
            foreach (var name in (AggregateKey[])[A, B, C])
                await first.OpenSession().AppendAsync(TestStore.Draft(name), default);
            if (which == "archive")
                await first.OpenSession().ArchiveAsync(B, null, default);
        }

        (Family Family, byte[] Key) place = which switch
        {
            "head" => (Family.Heads, B.Row.ToArray()),
            "archive" => (Family.Archive, B.Row.ToArray()),
            _ => (Family.Log, Keyspace.Position(2)),
        };
        var steps = new EngineSteps { PlansTwice = plansTwice };
        await using (var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over }))
        {
            // Remembered by the writer: a step that comes to nothing must not be remembered with them.
            foreach (var name in (AggregateKey[])[A, C])
                await database.OpenSession().AppendAsync(TestStore.Draft(name), default);
            var good = Damage(database, steps, place);

            for (var i = 0; i < 2; i++)
            {
                var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, null, default));
                Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
                Assert.Contains("Entry 2:", refused.Message, StringComparison.Ordinal);
                Assert.True(database.KeyRotationUnfinished);
                foreach (var name in (AggregateKey[])[A, C])
                {
                    await database.OpenSession().AppendAsync(TestStore.Draft(name), default);
                    await database.OpenSession().VerifyAsync(name, VerifyLevel.Full, default);
                }
            }

            steps.Tamper((_, plan) => plan.Put(place.Family, place.Key, good));
            var result = await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);

            Assert.Equal((2u, 1UL, true), (result.Generation, result.Keys, result.Resumed));
            Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
            database.OpenSession().VerifyAll(null, default);
        }

        await using var again = rotated.Open(rotated.Next);
        again.OpenSession().VerifyAll(null, default);
        await again.OpenSession().AppendAsync(TestStore.Draft(A), default);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_head_with_the_same_key_in_other_bytes_is_brought_together_with_its_entry_and_one_with_another_key_is_not(bool same, bool within)
    {
        using var rotated = new RotatedStore();
        await using (var first = rotated.Open(rotated.Old))
        {
            foreach (var name in (AggregateKey[])[A, B, C])
                await first.OpenSession().AppendAsync(TestStore.Draft(name), default);
        }

        var steps = new EngineSteps();
        await using var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over });
        var old = database.Keyring.Keys!.Current;
        (Family Family, byte[] Key) damaged = (Family.Heads, B.Row.ToArray());
        var good = Damage(database, steps, damaged);
        // Within a rotation, the entry of C is wrapped again already.
        if (within)
            await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, null, default));
        HeadRow head;
        using (var view = database.Engine.OpenView())
            head = HeadRow.TryRead(Checked.Get(view, Family.Heads, C.Row)!.Value)!;
        head.WrappedKey = (same ? database.Keyring.OpenOnce(C, head.WrappedKey)!.Rewrap(old, new()) : AggregateCipher.Create(C, old, new())).Wrapped;
        var row = new byte[head.EncodedBytes];
        head.Write(row);
        steps.Tamper((_, plan) =>
        {
            plan.Put(damaged.Family, damaged.Key, good);
            Checked.Put(plan, Family.Heads, C.Row, row);
        });

        if (same)
        {
            Assert.Equal(within ? 2UL : 3UL, (await database.OpenSession().RotateKeyAsync(rotated.Next, null, default)).Keys);
            Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
            database.OpenSession().VerifyAll(null, default);
            return;
        }

        var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, null, default));
        Assert.Contains("Entry 3:", refused.Message, StringComparison.Ordinal);
        Assert.True(database.KeyRotationUnfinished);
    }

    static byte[] Damage(Database database, EngineSteps steps, (Family Family, byte[] Key) place)
    {
        byte[] good;
        using (var view = database.Engine.OpenView())
            good = view.Get(place.Family, place.Key)!;
        var bad = good.ToArray();
        bad[^1] ^= 1;
        steps.Tamper((_, plan) => plan.Put(place.Family, place.Key, bad));
        return good;
    }

    [Theory]
    [InlineData("never", "token")]
    [InlineData("never, with a key that was retired", "event")]
    [InlineData("within", "token")]
    [InlineData("within", "event")]
    [InlineData("ended", "token")]
    [InlineData("ended", "event")]
    [InlineData("ended, as before the configuration is changed", "event")]
    [InlineData("ended, nothing but a document", "token")]
    public async Task Where_the_row_that_names_the_keys_cannot_be_read_a_recovery_keeps_every_entry_and_the_documents(string when, string first)
    {
        using var rotated = new RotatedStore();
        var aggregates = when.EndsWith("document", StringComparison.Ordinal) ? 0 : 300;
        var size = await RotateAndDamageAsync(rotated, when, first, aggregates);
        var options = when switch
        {
            "never" => rotated.Options(rotated.Old),
            "never, with a key that was retired" => rotated.Options(rotated.Next) with { RetiredKeys = [rotated.Old] },
            "within" or "ended, as before the configuration is changed" => rotated.Options(rotated.Old) with { NextKey = rotated.Next },
            _ => rotated.Options(rotated.Next),
        };

        var report = StoreRecovery.AcceptLoss(options);

        Assert.Equal((size, null), (report.Kept, report.Stopped));
        await using (var database = Database.Open(options))
        {
            Assert.Equal("sealed", Encoding.UTF8.GetString(database.Documents.Read("tokens.json").Content!));
            database.OpenSession().VerifyAll(null, default);
            if (when.StartsWith("never", StringComparison.Ordinal))
                return;
            var result = await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
            Assert.Equal(2u, result.Generation);
            Assert.All(RotatedStore.WrappedKeys(database), wrapped => Assert.Equal(2u, SealedValue.EpochOf(wrapped)));
            database.OpenSession().VerifyAll(null, default);
        }

        await using var again = rotated.Open(rotated.Next);
        Assert.Equal("sealed", Encoding.UTF8.GetString(again.Documents.Read("tokens.json").Content!));
        again.OpenSession().VerifyAll(null, default);
    }

    [Theory]
    [InlineData("old")]
    [InlineData("next")]
    [InlineData("another")]
    public async Task With_one_key_of_two_or_another_one_nothing_is_recovered_and_nothing_changed(string given)
    {
        using var rotated = new RotatedStore();
        using var another = DataKey.Generate();
        await RotateAndDamageAsync(rotated, "within", "event", 300);

        var refused = Assert.Throws<StoreRefusedException>(() => StoreRecovery.AcceptLoss(rotated.Options(given switch
        {
            "old" => rotated.Old,
            "next" => rotated.Next,
            _ => another,
        })));

        Assert.Contains("nothing was changed", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(rotated.Store.Directory, "event_store.lost-*"));
        Assert.Null(StoreRecovery.AcceptLoss(rotated.Options(rotated.Old) with { NextKey = rotated.Next }).Stopped);
    }

    static async Task<ulong> RotateAndDamageAsync(RotatedStore rotated, string when, string first, int aggregates)
    {
        var steps = new EngineSteps();
        ulong size;
        await using (var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over }))
        {
            if (first == "token")
                await database.OpenSession(new Actor("cli", "me")).NoteTokenAsync(EventDbx.Access.TokenChange.Issue, Guid.NewGuid(), "{\"subject\":\"x\"}"u8.ToArray(), default);
            database.Documents.TryReplace("tokens.json", "sealed"u8, database.Documents.Read("tokens.json"));
            if (aggregates > 0)
                await database.OpenSession().AppendBatchAsync([.. Enumerable.Range(0, aggregates).Select(number => RotatedStore.Draft(number, 1))], default);
            using var cancelling = new CancellationTokenSource();
            if (when == "within")
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, new Told(_ => cancelling.Cancel()), cancelling.Token));
            else if (!when.StartsWith("never", StringComparison.Ordinal))
                await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);
            size = database.LogSize;
            await database.Loop.DrainAsync();
            Damage(database, steps, (Family.Meta, Keyspace.StoreRow.ToArray()));
        }

        File.Delete(Path.Combine(rotated.Store.Directory, "watermark"));
        return size;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Large_rows_are_wrapped_again_in_commits_of_bounded_bytes(bool archived)
    {
        const int count = 24;
        using var rotated = new RotatedStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(rotated.Options(rotated.Old) with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        // Not to be packed: the state in the archive is as large as the event.
        var text = new byte[300_000];
        new Random(1).NextBytes(text);
        var payload = Encoding.UTF8.GetBytes($$"""{"x":"{{Convert.ToHexString(text)}}"}""");
        for (var number = 0; number < count; number++)
        {
            var name = TestStore.Aggregate(id: $"large-{number}");
            if (archived)
                await session.CreateAsync(name, null, default);
            await session.AppendAsync(new() { Aggregate = name, EventType = "placed", Payload = payload }, default);
            if (archived)
                await session.ArchiveAsync(name, null, default);
        }

        List<KeyRotationProgress> told = [];
        var before = steps.Commit.Arrivals;
        var result = await session.RotateKeyAsync(rotated.Next, new Told(told.Add), default);

        Assert.Equal((ulong)count, result.Keys);
        // Some 600 kB a row, or 300 kB in the archive: two MiB are reached with the fourth, or the seventh.
        Assert.InRange(steps.Commit.Arrivals - before, archived ? 4 : 7, 20);
        Assert.Equal(told.Select(step => step.Done).Order(), told.Select(step => step.Done));
        database.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task Killed_between_its_end_and_the_rewriting_of_files_the_same_call_rewrites_them()
    {
        using var rotated = new RotatedStore();
        List<byte[]> before;
        Crash.DirectoryImage? image = null;
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, 300);
            RotatedStore.Flush(database);
            before = RotatedStore.WrappedKeys(database);
            await database.OpenSession().RotateKeyAsync(rotated.Next, new Told(progress =>
            {
                using var view = database.Engine.OpenView();
                if (StoreRow.Find(view)!.Rotation is { } rotation)
                    before.Add(rotation.NextUnderOld.ToArray());
                if (progress.Compacting)
                    image = Crash.DirectoryImage.Copy(rotated.Store.Directory);
            }), default);
        }

        using (image)
        {
            Assert.NotEqual(0, CountIn(image!.Path, before));
            await using (var database = Database.Open(rotated.Options(rotated.Old) with { Directory = image.Path, NextKey = rotated.Next }))
            {
                Assert.True((await database.OpenSession().RotateKeyAsync(rotated.Next, null, default)).WasDone);
                database.OpenSession().VerifyAll(null, default);
            }

            Assert.Equal(0, CountIn(image.Path, before));
        }
    }

    [Fact]
    public async Task A_reader_that_began_before_is_waited_for_and_its_end_leaves_nothing_behind()
    {
        using var rotated = new RotatedStore();
        await using var database = rotated.Open(rotated.Old);
        await RotatedStore.FillAsync(database, 300);
        RotatedStore.Flush(database);
        var before = RotatedStore.WrappedKeys(database);
        var reader = database.Engine.OpenView();

        await database.OpenSession().RotateKeyAsync(
            rotated.Next,
            new Told(progress =>
            {
                // By somebody else, so that the end comes by while it is open.
                if (progress.Compacting)
                    _ = Task.Run(reader.Dispose);
            }),
            default);

        Assert.Equal(0, rotated.CountInFiles(before));
    }

    [Fact]
    public async Task While_a_reader_stays_the_end_is_no_success_and_the_same_call_says_so_until_it_has_ended()
    {
        using var rotated = new RotatedStore();
        await using var database = Database.Open(rotated.Options(rotated.Old) with { RotationReadersWait = TimeSpan.Zero });
        await RotatedStore.FillAsync(database, 300);
        RotatedStore.Flush(database);
        var before = RotatedStore.WrappedKeys(database);
        using (database.Engine.OpenView())
        {
            for (var i = 0; i < 2; i++)
            {
                var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RotateKeyAsync(rotated.Next, null, default));
                Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
                Assert.Contains("may still hold keys", refused.Message, StringComparison.Ordinal);
                Assert.Equal((2u, false), (database.KeyGeneration, database.KeyRotationUnfinished));
            }

            Assert.NotEqual(0, rotated.CountInFiles(before));
        }

        Assert.True((await database.OpenSession().RotateKeyAsync(rotated.Next, null, default)).WasDone);
        Assert.Equal(0, rotated.CountInFiles(before));
    }

    [Fact]
    public async Task Files_of_somebody_else_are_left_alone_and_a_document_of_ours_that_does_not_open_is_named()
    {
        using var rotated = new RotatedStore();
        string In(string name) => Path.Combine(rotated.Store.Directory, name);
        await using (var database = rotated.Open(rotated.Old))
        {
            await RotatedStore.FillAsync(database, 3);
            database.Documents.TryReplace("mine.json", "[1]"u8, database.Documents.Read("mine.json"));
            using (var large = File.Create(In("export.json")))
                large.SetLength(Limits.DocumentBytesMax + 1L);
            File.WriteAllText(In("notes.json"), "{\"mine\":true}");
            File.CreateSymbolicLink(In("nowhere.json"), In("is-not-there"));
            File.WriteAllText(In("plugins.json"), File.ReadAllText(In("tokens.json")));
            using (var large = File.Create(In("mine.json")))
                large.SetLength(Limits.DocumentBytesMax + 1L);

            var result = await database.OpenSession().RotateKeyAsync(rotated.Next, null, default);

            Assert.Equal((1, false), (result.Documents, database.KeyRotationUnfinished));
            Assert.Equal(["mine.json", "plugins.json"], result.DocumentsLeft);
            Assert.Equal("{\"mine\":true}", File.ReadAllText(In("notes.json")));
        }

        await using var again = rotated.Open(rotated.Next);
        Assert.Equal("[\"sealed\"]", Encoding.UTF8.GetString(again.Documents.Read("tokens.json").Content!));
        Assert.Throws<RefusedException>(() => again.Documents.Read("plugins.json"));
    }

    [Fact]
    public async Task Where_syncs_come_later_a_rotation_is_on_disk_before_a_document_is_sealed_with_its_key()
    {
        using var rotated = new RotatedStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(
            rotated.Options(rotated.Old) with { WrapEngine = steps.Over, Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromHours(1) });
        await RotatedStore.FillAsync(database, 3);
        var before = steps.Sync.Arrivals;
        List<int> synced = [];

        await database.OpenSession().RotateKeyAsync(rotated.Next, new Told(_ => synced.Add(steps.Sync.Arrivals - before)), default);

        // After the step that wraps, and at the end: the beginning, that step and the end were synced.
        Assert.Equal([2, 3], synced);
    }

    static int CountIn(string directory, IReadOnlyCollection<byte[]> values)
    {
        var files = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Select(Crash.DirectoryImage.Read).ToList();
        return values.Count(value => files.Exists(file => file.AsSpan().IndexOf(value) >= 0));
    }

    sealed class Told(Action<KeyRotationProgress> tell) : IProgress<KeyRotationProgress>
    {
        public void Report(KeyRotationProgress value) => tell(value);
    }
}
