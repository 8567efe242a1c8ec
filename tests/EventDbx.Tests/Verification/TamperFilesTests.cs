using System.Globalization;
using EventDbx.Recovery;
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
    static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(10);
    static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(60);

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
        await FlipAsync(store, await CopyOpenAsync(store.Directory), random);
    });

    /// <summary>Half of it in tables, half in the write-ahead log.</summary>
    static Task<TamperStore> BuildAsync() =>
        TamperStore.SmallAsync(encrypted: true, beforeTheLast: static database => ((RocksDbEngine)database.Engine).FlushMemtables());

    /// <summary>A copy of an open store, taken when RocksDB has done with its tables: it makes new ones and deletes old ones behind our back.</summary>
    static async Task<DirectoryImage> CopyOpenAsync(string directory)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var files = Files(directory);
                await Task.Delay(200);
                var copy = DirectoryImage.Copy(directory);
                if (files == Files(directory) || attempt == 50)
                    return copy;
                copy.Dispose();
            }
            catch (IOException) when (attempt < 50)
            {
                // A table went away between the listing and the copy.
            }
        }
    }

    static string Files(string directory) => string.Join('\n', Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));

    async Task FlipAsync(TamperStore store, DirectoryImage original, Random random)
    {
        using var _ = original;
        var counts = new SortedDictionary<string, int[]>(StringComparer.Ordinal);
        var holes = new List<string>();
        foreach (var file in original.Files.ToList())
        {
            var bytes = new FileInfo(original.In(file)).Length;
            for (var i = 0; i < Math.Min(bytes, Effort.Choose(4, 40, 400)); i++)
            {
                var (at, bit) = (random.NextInt64(bytes), random.Next(8));
                var (what, detail) = await JudgeAsync(store, original, file, at, bit);
                var kind = KindOf(file);
                if (!counts.TryGetValue(kind, out var of))
                    counts[kind] = of = new int[4];
                of[(int)what]++;
                if (what == Outcome.Harmless && file.EndsWith(".sst", StringComparison.Ordinal))
                    output.WriteLine($"harmless: {file}, byte {at} of {bytes}");
                if (what == Outcome.Hole)
                    holes.Add($"{file}, byte {at} of {bytes}, bit {bit}: {detail}");
            }
        }

        foreach (var (kind, of) in counts)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind}: {of.Sum()} flips: open refused {of[0]}, found {of[1]}, harmless {of[2]}, holes {of[3]}"));
        Assert.True(holes.Count == 0, string.Join('\n', holes));
    }

    enum Outcome
    {
        Refused,
        Found,
        Harmless,
        Hole,
    }

    static async Task<(Outcome, string)> JudgeAsync(TamperStore store, DirectoryImage original, string file, long at, int bit)
    {
        using var image = DirectoryImage.Copy(original.Path);
        var content = await File.ReadAllBytesAsync(image.In(file));
        content[at] ^= (byte)(1 << bit);
        await File.WriteAllBytesAsync(image.In(file), content);
        var before = image.Fingerprint();
        var options = store.Options with { Directory = image.Path, Check = StoreCheck.InProcess, CheckLimit = CheckLimit };
        var opening = Task.Factory.StartNew(() => Database.Open(options), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await using var database = await opening.WaitAsync(OpenLimit);
            return Read(store, database);
        }
        catch (StoreRefusedException refused)
        {
            return image.Fingerprint() == before ? (Outcome.Refused, refused.Message) : (Outcome.Hole, $"refused, and changed the directory: {refused.Message}");
        }
        catch (TimeoutException)
        {
            return (Outcome.Hole, "the open hangs");
        }
        catch (Exception cause)
        {
            return (Outcome.Hole, cause.ToString());
        }
    }

    static (Outcome, string) Read(TamperStore store, Database database)
    {
        string? found = null;
        try
        {
            database.OpenSession().VerifyAll(null, default);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            found = refused.Message;
        }

        var answers = TamperAnswers.All(database);
        if (found is not null)
            return (Outcome.Found, found);
        var difference = answers.Except(store.Answers).FirstOrDefault() ?? store.Answers.Except(answers).FirstOrDefault();
        return difference is null ? (Outcome.Harmless, "") : (Outcome.Hole, $"a wrong answer, and verify passes: {difference}");
    }

    static string KindOf(string file) => Path.GetFileName(file) is var name && Path.GetExtension(name) is { Length: > 0 } extension
        ? $"*{extension}"
        : name.Split('-')[0];
}
