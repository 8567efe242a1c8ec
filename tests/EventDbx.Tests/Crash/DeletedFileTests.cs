using EventDbx.TestKit;

namespace EventDbx.Tests.Crash;

/// <summary>Files of a store deleted, one at a time: harmless, or refused unchanged and then recovered.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class DeletedFileTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Any_deleted_file_is_harmless_or_refused_unchanged_and_then_recovered(bool encrypted)
    {
        await using var live = await SeveralLogsAndTablesAsync(encrypted);
        using var whole = live.Image();
        var outcomes = new SortedDictionary<string, List<ulong?>>(StringComparer.Ordinal);
        foreach (var file in Sample(whole.Files))
        {
            using var image = DirectoryImage.Copy(whole.Path);
            File.Delete(image.In(file));
            var before = image.Fingerprint();
            ulong? kept = null;
            if (Refusal(live.Options with { Directory = image.Path }, out var opened) is { } refusal)
            {
                Assert.Equal(before, image.Fingerprint());
                Assert.Contains("Not a byte was changed", refusal, StringComparison.Ordinal);
                kept = await Recovered.CheckAsync(image, live);
            }
            else
            {
                await using var database = opened!;
                Assert.Equal(await live.AnswersAsync(), await live.Content.AskAsync(database, live.Size));
            }

            var kind = KindOf(file);
            outcomes.TryAdd(kind, []);
            outcomes[kind].Add(kept);
        }

        var all = live.Size;
        // RocksDB writes them anew and reads nothing from them.
        Assert.All(outcomes["OPTIONS"], static kept => Assert.Null(kept));
        Assert.All(outcomes["IDENTITY"], static kept => Assert.Null(kept));
        // Everything that was in the store is still in its other files.
        Assert.All([.. outcomes["watermark"], .. outcomes["CURRENT"], .. outcomes["MANIFEST"]], kept => Assert.Equal(all, kept));
        // Every family but the log is an index and can be built again. Without its table the log has no beginning.
        Assert.All(outcomes[".sst"], kept => Assert.True(kept == all || kept == 0, $"{kept} of {all} were kept"));
        if (TestTiers.Current != TestTier.Default)
            Assert.Single(outcomes[".sst"], static kept => kept == 0);
        Assert.Equal(3, outcomes[".log"].Count);
        Assert.All(outcomes[".log"], kept => Assert.InRange(kept!.Value, 1UL, all - 1));
    }

    /// <summary>By default a few of the tables, and one of everything else.</summary>
    static List<string> Sample(IEnumerable<string> files)
    {
        var all = files.ToList();
        var tables = all.Where(static f => KindOf(f) == ".sst").ToArray();
        new Random(Effort.Seed).Shuffle(tables);
        return [.. all.Except(tables.Skip(Effort.Choose(1, tables.Length, tables.Length)))];
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_clean_stop_too(bool encrypted)
    {
        await using var live = await SeveralLogsAndTablesAsync(encrypted);
        using var closed = live.Image();
        await Database.Open(live.Options with { Directory = closed.Path }).DisposeAsync();
        var refused = 0;
        foreach (var file in Sample(closed.Files))
        {
            using var image = DirectoryImage.Copy(closed.Path);
            File.Delete(image.In(file));
            var before = image.Fingerprint();
            var refusal = Refusal(live.Options with { Directory = image.Path }, out var opened);
            await using var database = opened;
            // Without the inventory the stop is not known to be clean, and the check finds that nothing is missing. LOCK says nothing.
            Assert.True((Path.GetFileName(file) is "event_store.inventory" or "LOCK") == (refusal is null), file);
            if (refusal is null)
                continue;
            Assert.Equal(before, image.Fingerprint());
            if (Effort.Choose(refused++ % 4 == 0 ? 1 : 0, 1, 1) == 1)
                await Recovered.CheckAsync(image, live);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rebuilt_store_answers_everything_as_before(bool encrypted)
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live);
        await live.Content.AddOldAsync(live);
        using var image = live.Image();
        File.Delete(image.In("watermark"));
        Assert.Equal(live.Size, await Recovered.CheckAsync(image, live));
        await using var database = Database.Open(live.Options with { Directory = image.Path });
        using var view = database.Engine.OpenView();
        // Both at version 1000: one was written in its commit, the other behind it.
        foreach (var id in new[] { "old", "old-and-large" })
            Assert.NotNull(view.Get(Family.Snapshots, Keyspace.Snapshot(AggregateKey.Create("thing", id), 1000, FoldPoints.Sequence)));
    }

    [Fact]
    public async Task A_store_that_is_only_a_write_ahead_log_is_recovered_without_its_manifest()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live);
        foreach (var pattern in new[] { "CURRENT", "MANIFEST-*" })
        {
            using var image = live.Image();
            File.Delete(Directory.GetFiles(image.Store, pattern).Single());
            Assert.NotNull(Refusal(live.Options with { Directory = image.Path }, out _));
            Assert.Equal(live.Size, await Recovered.CheckAsync(image, live));
        }
    }

    /// <summary>What an open says when it refuses, or the database.</summary>
    internal static string? Refusal(DatabaseOptions options, out Database? opened)
    {
        opened = null;
        try
        {
            opened = Database.Open(options);
            return null;
        }
        catch (StoreRefusedException refused)
        {
            return refused.Message;
        }
    }

    internal static string KindOf(string file)
    {
        var name = Path.GetFileName(file);
        return Path.GetExtension(name) is { Length: > 0 } extension ? extension : name.Split('-')[0];
    }

    /// <summary>Tables of every family, and three write-ahead logs as two kills leave them.</summary>
    internal static async Task<LiveStore> SeveralLogsAndTablesAsync(bool encrypted)
    {
        var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live);
        FlushMemtables(live.Database);
        await live.Content.AddAsync(live);
        for (var reopened = 0; reopened < 2; reopened++)
        {
            await live.ReopenAsync();
            await live.Content.AddAsync(live);
        }

        return live;
    }

    static void FlushMemtables(Database database) => ((LiveStore.Watched)database.Engine).Inner.FlushMemtables();
}
