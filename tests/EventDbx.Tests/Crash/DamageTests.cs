using System.Globalization;
using EventDbx.Encryption;
using EventDbx.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>Files of an unclean store deleted, one at a time, and bits of them flipped: harmless, or refused unchanged and then recovered.</summary>
public sealed class DamageTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Any_deleted_file_is_harmless_or_refused_unchanged_and_then_recovered(bool encrypted)
    {
        await using var live = await SeveralLogsAndTablesAsync(encrypted);
        using var whole = live.Image();
        var outcomes = new SortedDictionary<string, List<ulong?>>(StringComparer.Ordinal);
        foreach (var file in whole.Files.ToList())
        {
            using var image = live.Image();
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
        Assert.Single(outcomes[".sst"], static kept => kept == 0);
        Assert.Equal(Families.Count - 1, outcomes[".sst"].Count(kept => kept == all));
        Assert.Equal(3, outcomes[".log"].Count);
        Assert.All(outcomes[".log"], kept => Assert.InRange(kept!.Value, 1UL, all - 1));
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
        foreach (var file in closed.Files.ToList())
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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Any_flipped_bit_is_harmless_or_refused_unchanged_and_then_recovered(bool encrypted) => Effort.SeededAsync(async random =>
    {
        await using var live = await SeveralLogsAndTablesAsync(encrypted);
        var answers = await live.AnswersAsync();
        using var whole = live.Image();
        // A bit of a table is found when its block is read: the tamper tests see to those.
        var files = whole.Files.Where(static f => KindOf(f) is "MANIFEST" or "CURRENT" or ".log" or "watermark" or "OPTIONS" or "IDENTITY").ToArray();
        var refusals = 0;
        for (var left = Effort.Choose(10, 200, 5000); left > 0; left--)
        {
            using var image = live.Image();
            // Half of them in the MANIFEST: the file that hangs RocksDB, or makes it forget.
            var file = left % 2 == 0 ? files.First(static f => KindOf(f) == "MANIFEST") : files[random.Next(files.Length)];
            Flip(image.In(file), random, out var at, out var bit);
            var before = image.Fingerprint();
            var options = live.Options with { Directory = image.Path, Check = Child.Check(), CheckLimit = TimeSpan.FromSeconds(5) };
            try
            {
                if (Refusal(options, out var opened) is null)
                {
                    await using var database = opened!;
                    Assert.Equal(answers, await live.Content.AskAsync(database, live.Size));
                    continue;
                }

                Assert.Equal(before, image.Fingerprint());
                if (refusals++ % 4 == 0)
                    await RecoverInChildAsync(image, live);
            }
            catch (Exception cause)
            {
                throw new Xunit.Sdk.XunitException($"{file}, byte {at}, bit {bit}: {cause.Message}", cause);
            }
        }
    });

    /// <summary>In a child, for a store that hangs RocksDB would leave a busy thread behind in this process.</summary>
    static async Task RecoverInChildAsync(DirectoryImage image, LiveStore live)
    {
        using var child = Child.Start("recover", image.Path, live.Options.Key?.ToBase64() ?? "-");
        var (code, output, errors) = await child.EndAsync();
        Assert.True(code == 0, $"recover ended with {code}: {errors}");
        var words = output.TrimEnd().Split(' ', 3);
        ulong? expected = words[1].Length == 0 ? null : ulong.Parse(words[1], CultureInfo.InvariantCulture);
        var report = new RecoveryReport("", ulong.Parse(words[0], CultureInfo.InvariantCulture), expected, null, words[2]);
        await Recovered.CheckOutcomeAsync(live.Options with { Directory = image.Path }, live, report);
    }

    static void Flip(string path, Random random, out long at, out int bit)
    {
        using var file = File.OpenHandle(path, access: FileAccess.ReadWrite);
        at = random.NextInt64(RandomAccess.GetLength(file));
        bit = random.Next(8);
        var one = new byte[1];
        RandomAccess.Read(file, one, at);
        one[0] ^= (byte)(1 << bit);
        RandomAccess.Write(file, one, at);
    }

    /// <summary>What an open says when it refuses, or the database.</summary>
    static string? Refusal(DatabaseOptions options, out Database? opened)
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

    static string KindOf(string file)
    {
        var name = Path.GetFileName(file);
        return Path.GetExtension(name) is { Length: > 0 } extension ? extension : name.Split('-')[0];
    }

    /// <summary>Tables of every family, and three write-ahead logs as two kills leave them.</summary>
    static async Task<LiveStore> SeveralLogsAndTablesAsync(bool encrypted)
    {
        var first = LiveStore.Create(encrypted);
        await using (first)
        {
            await first.Content.AddAsync(first);
            FlushMemtables(first.Database);
            await first.Content.AddAsync(first);
            await using var second = first.Reopened();
            await second.Content.AddAsync(second);
            var third = second.Reopened();
            await third.Content.AddAsync(third);
            return third;
        }
    }

    static void FlushMemtables(Database database) => ((LiveStore.Watched)database.Engine).Inner.FlushMemtables();
}
