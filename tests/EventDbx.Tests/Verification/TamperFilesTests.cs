using System.Globalization;
using EventDbx.Storage.RocksDb;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Verification;

/// <summary>
/// One flipped bit in a file of a store that lies still: the open is refused without changing a byte, or the damage is found,
/// or no answer changes.
/// </summary>
/// <param name="output">Tells the counts.</param>
public sealed class TamperFilesTests(ITestOutputHelper output)
{
    [Fact]
    public Task After_a_proper_stop() => Effort.SeededAsync(async random =>
    {
        await using var store = await BuildAsync();
        await store.CloseAsync();
        await FlipAsync(store, DirectoryImage.Copy(store.Directory), random);
    });

    [Fact]
    public Task After_a_kill() => Effort.SeededAsync(async random =>
    {
        await using var store = await BuildAsync();
        await FlipAsync(store, await TamperFiles.CopyOpenAsync(store.Directory), random);
    });

    /// <summary>Half of it in tables, half in the write-ahead log.</summary>
    static Task<TamperStore> BuildAsync() =>
        TamperStore.SmallAsync(encrypted: true, beforeTheLast: static store => ((RocksDbEngine)store.Database.Engine).FlushMemtables());

    async Task FlipAsync(TamperStore store, DirectoryImage original, Random random)
    {
        using var _ = original;
        var counts = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
        var holes = new List<string>();
        foreach (var file in original.Files.ToList())
        {
            var bytes = new FileInfo(original.In(file)).Length;
            for (var i = 0; i < Math.Min(bytes, Effort.Choose(1, 12, 400)); i++)
            {
                var (at, bit) = (random.NextInt64(bytes), random.Next(8));
                var (what, detail) = await TamperFiles.JudgeAsync(store, original, image => TamperFiles.Flip(image, file, at, bit));
                var kind = KindOf(file);
                if (!counts.TryGetValue(kind, out var of))
                    counts[kind] = of = new int[4];
                of[(int)what]++;
                if (what == TamperOutcome.Harmless && file.EndsWith(".sst", StringComparison.Ordinal))
                    output.WriteLine($"harmless: {file}, byte {at} of {bytes}");
                if (what == TamperOutcome.Hole)
                    holes.Add($"{file}, byte {at} of {bytes}, bit {bit}: {detail}");
            }
        }

        foreach (var (kind, of) in counts)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind}: {of.Sum()} flips: open refused {of[0]}, found {of[1]}, harmless {of[2]}, holes {of[3]}"));
        Assert.True(holes.Count == 0, string.Join('\n', holes));
    }

    static string KindOf(string file) => Path.GetFileName(file) is var name && Path.GetExtension(name) is { Length: > 0 } extension
        ? $"*{extension}"
        : name.Split('-')[0];
}
