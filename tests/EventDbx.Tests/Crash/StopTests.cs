using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Crash;

/// <summary>Stops that are no kills in the middle of the work: at birth, at a clean close, by a power cut; and checks that fail.</summary>
[CiTier("It kills processes again and again.")]
public sealed class StopTests
{
    [Theory]
    [InlineData("hang", "did not end within 0.5 s")]
    [InlineData("crash", "ended badly, with exit code ")]
    [InlineData("nonsense", "ended badly, with exit code 2: CrashWriter: see Program.cs")]
    public async Task A_check_that_hangs_or_crashes_is_a_refusal(string verb, string why)
    {
        await using var live = LiveStore.Create(encrypted: false);
        using var image = live.Image();
        var before = image.Fingerprint();
        var options = live.Options with { Directory = image.Path, Check = Child.Check(verb), CheckLimit = TimeSpan.FromSeconds(verb == "hang" ? 0.5 : 30) };
        Assert.Contains(why, Assert.Throws<StoreRefusedException>(() => Database.Open(options)).Message, StringComparison.Ordinal);
        Assert.Equal(before, image.Fingerprint());
        await Database.Open(options with { Check = Child.Check() }).DisposeAsync();
    }

    [Fact]
    public async Task A_check_that_throws_in_this_process_is_a_refusal_too()
    {
        await using var live = LiveStore.Create(encrypted: false);
        using var image = live.Image();
        var options = live.Options with { Directory = image.Path, Check = new((_, _) => throw new InvalidOperationException("oops")) };
        Assert.Contains("the check failed: oops", Assert.Throws<StoreRefusedException>(() => Database.Open(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task A_process_killed_while_it_makes_a_store_leaves_nothing_that_has_to_be_cleared_away() => Effort.SeededAsync(async random =>
    {
        for (var left = Effort.Choose(6, 60, 600); left > 0; left--)
        {
            using var store = new TestStore();
            using (var child = Child.Start("write", store.Directory, "1", "0", "1", "-", "sync"))
            {
                // Until there is something of a store, and then for a moment.
                var heard = child.ReadAsync(static _ => { });
                while (!Directory.Exists(Path.Combine(store.Directory, "event_store")))
                    await Task.Yield();
                await Task.Delay(TimeSpan.FromMilliseconds(30 * random.NextDouble()));
                await child.KillAsync();
                await heard;
            }

            await using var database = store.Open(encrypted: false);
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        }
    });

    [Fact]
    public async Task A_store_whose_making_was_interrupted_is_made_again()
    {
        await using var live = LiveStore.Create(encrypted: true);
        foreach (var gone in (string[][])[["watermark"], ["watermark", "*.log"], ["watermark", "*.log", "CURRENT"], ["watermark", "*.log", "CURRENT", "MANIFEST-*"]])
        {
            using var image = live.Image();
            foreach (var pattern in gone)
            {
                foreach (var file in Directory.GetFiles(image.Path, pattern, SearchOption.AllDirectories))
                    File.Delete(file);
            }

            await using var database = Database.Open(live.Options with { Directory = image.Path });
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            using var killed = DirectoryImage.Copy(image.Path);
            await using var again = Database.Open(live.Options with { Directory = killed.Path });
            Assert.Equal(1UL, again.LogSize);
        }
    }

    [Theory]
    [InlineData("notes.txt")]
    [InlineData("LOGBOOK")]
    [InlineData("a folder/with a file")]
    public async Task What_the_making_of_a_store_does_not_leave_is_not_cleared_away(string name)
    {
        await using var live = LiveStore.Create(encrypted: true);
        using var image = live.Image();
        Unborn(image);
        var foreign = Path.Combine(image.Store, name);
        Directory.CreateDirectory(Path.GetDirectoryName(foreign)!);
        await File.WriteAllTextAsync(foreign, "mine");
        var before = image.Fingerprint();
        var entries = Directory.GetFileSystemEntries(image.Path).Order().ToArray();

        var refused = Assert.Throws<StoreRefusedException>(() => Database.Open(live.Options with { Directory = image.Path }));

        Assert.Contains($"holds `{name.Split('/')[0]}`", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, image.Fingerprint());
        Assert.Equal(entries, Directory.GetFileSystemEntries(image.Path).Order());
    }

    [Fact]
    public async Task A_refused_open_deletes_and_makes_nothing()
    {
        await using var live = LiveStore.Create(encrypted: true);
        using var image = live.Image();
        Unborn(image);
        var before = image.Fingerprint();
        var options = live.Options with { Directory = image.Path };
        Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Key = null }));
        Assert.Throws<StoreRefusedException>(() => Database.Open(options with { CreateIfMissing = false }));
        Assert.Equal(before, image.Fingerprint());

        using var store = new TestStore();
        options = store.Options() with { Directory = Path.Combine(store.Directory, "new") };
        Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Key = null }));
        Assert.Throws<StoreRefusedException>(() => Database.Open(options with { CreateIfMissing = false }));
        Assert.Throws<StoreRefusedException>(() => Database.Open(options with { Directory = store.Directory, Key = null }));
        Assert.Empty(Directory.GetFileSystemEntries(store.Directory));
    }

    /// <summary>As a kill leaves it before the first row is written.</summary>
    static void Unborn(DirectoryImage image)
    {
        File.Delete(image.In("watermark"));
        foreach (var log in Directory.GetFiles(image.Store, "*.log"))
            File.WriteAllBytes(log, []);
    }

    /// <summary>
    /// After a kill the write-ahead log may only be in the kernel's memory. Once the store is opened again and says what is
    /// synced, a power cut that takes all of the old log takes nothing of that.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_synced_after_a_kill_does_not_lie_in_a_log_from_before_it(bool encrypted)
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live);
        using var killed = live.Image();
        var old = Directory.GetFiles(killed.Store, "*.log").Select(Path.GetFileName).ToArray();
        Assert.NotEmpty(old);
        await using var database = Database.Open(live.Options with { Directory = killed.Path });
        for (var more = 0; more < 2; more++)
        {
            using var cut = DirectoryImage.Copy(killed.Path);
            foreach (var log in old)
                File.Delete(cut.In(Path.Combine("event_store", log!)));
            using var watermark = Watermark.Open(cut.In("watermark"));
            Assert.Equal(live.Size + (ulong)more, watermark.Newest!.Value.LogSize);
            await using var reopened = Database.Open(live.Options with { Directory = cut.Path });
            Assert.Equal(live.Size + (ulong)more, reopened.LogSize);
            Assert.Equal(reopened.LogSize, reopened.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken).LogSize);
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("after", "wards")), default);
        }
    }

    [Fact]
    public async Task A_kill_between_the_inventory_and_the_seal_is_an_ordinary_unclean_stop()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live);
        using var image = live.Image();
        var options = live.Options with { Directory = image.Path };
        await using (var database = Database.Open(options))
        {
            var unclean = await File.ReadAllBytesAsync(image.In("watermark"));
            await database.DisposeAsync();
            await File.WriteAllBytesAsync(image.In("watermark"), unclean);
        }

        Assert.True(File.Exists(image.In("event_store.inventory")));
        await using (var database = Database.Open(options))
            Assert.Equal(await live.AnswersAsync(), await live.Content.AskAsync(database, live.Size));

        // The seal itself torn: nothing says that the stop was clean, and enough says how much there was.
        var torn = await File.ReadAllBytesAsync(image.In("watermark"));
        torn[(2 * Watermark.SlotBytes) + 40] ^= 1;
        await File.WriteAllBytesAsync(image.In("watermark"), torn);
        await using (var database = Database.Open(options))
            Assert.Equal(live.Size, database.LogSize);
    }

    /// <summary>A power cut keeps what was synced and any part of the rest; the watermark's unsynced slots may be old.</summary>
    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Relaxed)]
    public Task What_was_answered_as_synced_survives_a_power_cut(Durability durability) => Effort.SeededAsync(async random =>
    {
        await using var live = LiveStore.Create(encrypted: true, durability);
        var shown = new List<(int Synced, ulong Size)>();
        for (var i = 0; i < 25; i++)
        {
            await live.Database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate(id: $"o-{i % 4}")), default);
            if (durability == Durability.Relaxed && i % 5 == 0)
                await live.Database.OpenSession().WaitForFeedAsync((ulong)i, default);
            // What the feed shows was synced before: in sync mode that is every answer.
            var size = live.Size;
            var synced = live.Syncs.Count - 1;
            Assert.True(live.Syncs[synced].Size >= size);
            if (durability == Durability.Sync)
                Assert.Equal((ulong)i + 1, size);
            live.Note();
            shown.Add((synced, size));
        }

        foreach (var (synced, size) in shown.Where((_, i) => Effort.Choose(i % 4, 0, 0) == 0))
        {
            using var image = live.Image();
            var end = live.Commits[^1].WalBytes;
            var kept = live.Syncs[synced].WalBytes;
            CutPower(image.In(live.Wal), kept, random.NextInt64(kept, end + 1), random);
            var watermarks = live.Watermarks.Keys.Where(s => s <= size).ToArray();
            await File.WriteAllBytesAsync(image.In("watermark"), live.Watermarks[watermarks[random.Next(watermarks.Length)]]);
            await using var database = Database.Open(live.Options with { Directory = image.Path });
            Assert.True(database.LogSize >= size, $"{size} were shown as synced, {database.LogSize} are there");
        }
    });

    /// <summary>Beyond what was synced: gone, zero, or half of it something else.</summary>
    static void CutPower(string wal, long synced, long length, Random random)
    {
        using var file = File.OpenHandle(wal, access: FileAccess.ReadWrite);
        RandomAccess.SetLength(file, length);
        var torn = new byte[(length - synced) / 2];
        if (random.Next(2) == 0)
            random.NextBytes(torn);
        RandomAccess.Write(file, torn, length - torn.Length);
    }
}
