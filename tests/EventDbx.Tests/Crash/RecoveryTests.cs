using System.Diagnostics;
using EventDbx.Encryption;
using EventDbx.Recovery;
using EventDbx.Storage.RocksDb;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Crash;

/// <summary>Recoveries that are interrupted, refused, or have nothing to do.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class RecoveryTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_recovery_interrupted_between_its_renames_ends_what_it_began(bool withWatermark)
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live);
        using var damaged = live.Image();
        if (withWatermark)
            Truncate(damaged.In(live.Wal), live.Commits[^4].WalBytes);
        else
            File.Delete(damaged.In("watermark"));
        var watermark = withWatermark ? await File.ReadAllBytesAsync(damaged.In("watermark")) : null;
        using var finished = DirectoryImage.Copy(damaged.Path);
        var done = StoreRecovery.AcceptLoss(live.Options with { Directory = finished.Path });
        var lost = Path.GetFileName(done.MovedTo)!;
        var store = Recovered.StoreFingerprint(finished.In(lost));

        // 1: half a new store stands beside the damaged one.
        using (var image = DirectoryImage.Copy(damaged.Path))
        {
            Copy(finished.Store, image.In("event_store.new"));
            Truncate(Directory.GetFiles(image.In("event_store.new"), "*.sst")[0], 100);
            var report = StoreRecovery.AcceptLoss(live.Options with { Directory = image.Path });
            Assert.Equal(done.Kept, report.Kept);
            await Recovered.CheckOutcomeAsync(live.Options with { Directory = image.Path }, live, report);
        }

        // 3: the damaged one is out of the way, and nothing is in its place.
        using (var image = DirectoryImage.Copy(finished.Path))
        {
            Directory.Move(image.Store, image.In("event_store.new"));
            await EndAsync(image, "event_store.new");
        }

        // 4: the new one is in its place, beside the watermark of the old one.
        using (var image = DirectoryImage.Copy(finished.Path))
            await EndAsync(image, "event_store");

        async Task EndAsync(DirectoryImage image, string rebuilt)
        {
            var options = live.Options with { Directory = image.Path };
            File.Delete(image.In("watermark"));
            if (watermark is not null)
                await File.WriteAllBytesAsync(image.In("watermark"), watermark);
            var before = image.Fingerprint();
            var built = Recovered.StoreFingerprint(image.In(rebuilt));
            Assert.Throws<StoreRefusedException>(() => Database.Open(options));
            var looked = StoreRecovery.Inspect(options);
            Assert.Equal(before, image.Fingerprint());
            var report = StoreRecovery.AcceptLoss(options);
            Assert.Equal((done.Kept, done.Expected, image.In(lost)), (report.Kept, report.Expected, report.MovedTo!));
            Assert.Equal((looked.Damage, looked.Kept), (report.Damage, report.Kept));
            Assert.Equal(built, Recovered.StoreFingerprint(image.Store));
            Assert.Equal(store.Split('\n').Length, Recovered.StoreFingerprint(report.MovedTo!).Split('\n').Length);
            await Recovered.CheckOutcomeAsync(options, live, report);
        }
    }

    [CiTier("It kills processes again and again.")]
    [Fact]
    public Task A_recovery_killed_anywhere_can_be_asked_again() => Effort.SeededAsync(async random =>
    {
        await using var live = LiveStore.Create(encrypted: false);
        await live.Content.AddAsync(live, rounds: 3);
        var normal = TimeSpan.Zero;
        for (var left = Effort.Choose(2, 40, 400); left > 0; left--)
        {
            using var image = live.Image();
            // Seen by the watermark, seen by RocksDB, or only seen on a repaired copy.
            File.Delete(left % 2 == 0 ? image.In("watermark") : Path.Combine(image.Store, "CURRENT"));
            var began = Stopwatch.GetTimestamp();
            for (var kills = normal == TimeSpan.Zero ? 0 : random.Next(1, 4); kills > 0; kills--)
            {
                using var child = Child.Start("recover", image.Path, "-");
                await Task.Delay(normal * random.NextDouble());
                await child.KillAsync();
            }

            using var last = Child.Start("recover", image.Path, "-");
            var (code, output, errors) = await last.EndAsync();
            Assert.True(code == 0, errors);
            normal = normal == TimeSpan.Zero ? Stopwatch.GetElapsedTime(began) : normal;
            var lost = Path.GetFileName(Assert.Single(Directory.GetDirectories(image.Path, "event_store.lost-*")));
            var report = new RecoveryReport("", live.Size, left % 2 == 0 ? null : live.Size, null, image.In(lost));
            await Recovered.CheckOutcomeAsync(live.Options with { Directory = image.Path }, live, report);
        }
    });

    [Fact]
    public async Task The_wrong_key_is_refused_and_keeps_everything()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live);
        using var wrong = DataKey.Generate();
        // With the row that knows the key, and without: then the first entry has to tell.
        foreach (var (cut, options) in new[] { (false, live.Options with { Key = wrong }), (false, live.Options with { Key = null, Encrypted = false }), (true, live.Options with { Key = wrong }) })
        {
            using var image = live.Image();
            File.Delete(image.In("watermark"));
            if (cut)
                DeleteStoreRow(image.Store);
            var before = image.Fingerprint();
            Assert.Throws<StoreRefusedException>(() => StoreRecovery.Inspect(options with { Directory = image.Path }));
            Assert.Throws<StoreRefusedException>(() => StoreRecovery.AcceptLoss(options with { Directory = image.Path }));
            Assert.Equal(before, image.Fingerprint());
            Assert.Equal(live.Size, StoreRecovery.AcceptLoss(live.Options with { Directory = image.Path }).Kept);
        }

        await using var plain = LiveStore.Create(encrypted: false);
        await plain.Content.AddAsync(plain);
        using var plainImage = plain.Image();
        File.Delete(plainImage.In("watermark"));
        Assert.Throws<StoreRefusedException>(() => StoreRecovery.AcceptLoss(live.Options with { Directory = plainImage.Path }));
    }

    [Fact]
    public async Task Where_an_entry_does_not_follow_from_those_before_it_the_log_ends()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live, rounds: 2);
        using var image = live.Image();
        // Somebody took one event of a batch out, and closed the gap with one of another aggregate.
        var batch = live.LogRows().FindIndex(static r => EntryRow.TryRead(Checked.Body(Family.Log, r.Key, r.Value))!.BatchIndex == 4);
        Rewrite(image.Store, plan => Checked.Put(
            plan, Family.Log, Keyspace.Position((ulong)batch + 1), Checked.Body(Family.Log, Keyspace.Position(1), live.LogRows()[0].Value).Span));

        var report = StoreRecovery.AcceptLoss(live.Options with { Directory = image.Path });

        Assert.Equal((ulong)batch - 3, report.Kept);
        Assert.NotNull(report.Stopped);
        await Recovered.CheckOutcomeAsync(live.Options with { Directory = image.Path }, live, report);

        // A whole event put a second time, of an aggregate that has it already.
        using var other = live.Image();
        Rewrite(other.Store, plan => Checked.Put(
            plan, Family.Log, Keyspace.Position(5), Checked.Body(Family.Log, Keyspace.Position(1), live.LogRows()[0].Value).Span));
        report = StoreRecovery.AcceptLoss(live.Options with { Directory = other.Path });
        Assert.Equal(4UL, report.Kept);
        Assert.StartsWith("entry 5: ", report.Stopped, StringComparison.Ordinal);
        await Recovered.CheckOutcomeAsync(live.Options with { Directory = other.Path }, live, report);
    }

    [Fact]
    public async Task A_recovery_that_cannot_write_is_refused_and_can_be_asked_again()
    {
        await using var live = LiveStore.Create(encrypted: false);
        await live.Content.AddAsync(live);
        using var image = live.Image();
        File.Delete(image.In("watermark"));
        var options = live.Options with { Directory = image.Path };
        await File.WriteAllTextAsync(image.In("event_store.trial"), "in the way");
        var before = image.Fingerprint();
        Assert.Contains("ask again", Assert.Throws<StoreRefusedException>(() => StoreRecovery.Inspect(options)).Message, StringComparison.Ordinal);
        Assert.Contains("ask again", Assert.Throws<StoreRefusedException>(() => StoreRecovery.AcceptLoss(options)).Message, StringComparison.Ordinal);
        Assert.Equal(before, image.Fingerprint());
        File.Delete(image.In("event_store.trial"));
        Assert.Equal(live.Size, await Recovered.CheckAsync(image, live));
    }

    static void DeleteStoreRow(string store) => Rewrite(store, static plan => plan.Delete(Family.Meta, Keyspace.StoreRow));

    static void Rewrite(string store, Action<WritePlan> script)
    {
        using var engine = RocksDbEngine.Open(store, new());
        engine.Commit(new Storage.Scripted((_, plan) => script(plan)), sync: true);
    }

    static void Truncate(string path, long bytes)
    {
        using var file = File.OpenHandle(path, access: FileAccess.ReadWrite);
        RandomAccess.SetLength(file, bytes);
    }

    static void Copy(string folder, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(folder))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
