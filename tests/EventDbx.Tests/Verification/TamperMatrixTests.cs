using System.Globalization;
using EventDbx.Storage;
using EventDbx.Tests.Crash;
using MemoryEngine = EventDbx.Tests.Storage.MemoryEngine;

namespace EventDbx.Tests.Verification;

/// <summary>
/// The tamper matrix: each change of a stored row is found, or changes no answer. A read finds it, or verify does; a wrong
/// answer that verify also passes is a hole.
/// </summary>
public abstract class TamperMatrixTests(bool encrypted, ITestOutputHelper output)
{
    [Fact]
    public Task Rows_of_every_family() => Effort.SeededAsync(async random =>
    {
        await using var store = await TamperStore.SmallAsync(encrypted);
        Run(store, new TamperCells(store, random).OfRows(Effort.Choose(2, 12, 400), Effort.Choose(3, 12, 4000)));
    });

    [CiTier("It changes a store in every place, one after the other.")]
    [Fact]
    public Task Rows_of_a_long_history() => Effort.SeededAsync(async random =>
    {
        await using var store = await TamperStore.LongAsync(encrypted);
        Run(store, new TamperCells(store, random).OfRows(2, 4).Where(cell => cell.Family == Family.Snapshots || random.Next(Effort.Choose(24, 3, 1)) == 0)
            .Concat(new TamperForgeries(store, random).ForgedStates()));
    });

    [CiTier("It changes a store in every place, one after the other.")]
    [Fact]
    public Task Forgeries_of_many_rows() => Effort.SeededAsync(async random =>
    {
        await using var store = await TamperStore.SmallAsync(encrypted);
        await using var twin = await TamperStore.SmallAsync(encrypted, new() { Total = "\"1.50\"" });
        var forgeries = new TamperForgeries(store, random);
        var most = Effort.Choose(40, 1000, int.MaxValue);
        Run(store, forgeries.Mixed("put back what was earlier", store.OldRows, most)
            .Concat(forgeries.MixedByAggregate("put back what was earlier", store.OldRows, most))
            .Concat(forgeries.Mixed("recompute after a number became a text", twin.Rows, most))
            .Concat(forgeries.MixedByAggregate("recompute after a number became a text", twin.Rows, most))
            .Concat(forgeries.Exchanged())
            .Concat(forgeries.ForgedStates()));
    });

    /// <summary>A changed row may make a write refused. It never stops the writer, and everything else goes on.</summary>
    [CiTier("It changes a store in every place, one after the other.")]
    [Fact]
    public Task Writes_to_changed_rows() => Effort.SeededAsync(async random =>
    {
        await using var store = await TamperStore.SmallAsync(encrypted);
        var rows = new MemoryEngine();
        rows.Commit(new RawRows.Planner(plan => TamperStore.Put(plan, store.Rows.SelectMany(of => of.Value.Select(row => new RowWrite(of.Key, row.Key, row.Value)))), 0), sync: true);
        var (refused, written) = (0, 0);
        foreach (var cell in new TamperCells(store, random).OfRows(Effort.Choose(2, 20, 200), Effort.Choose(3, 20, 200)).Where(_ => random.Next(3) == 0))
        {
            var engine = rows.AfterPowerCut();
            engine.Commit(new RawRows.Planner(plan => TamperStore.Put(plan, cell.Writes), store.Database.LogSize), sync: true);
            try
            {
                await using var database = Database.OpenOn(engine.AfterPowerCut(), store.Options);
                foreach (var write in TamperWrites.All(database.OpenSession()))
                {
                    if (await TamperWrites.IsRefusedAsync(write))
                        refused++;
                    else
                        written++;
                }

                Assert.True(database.Unhealthy is null, $"{cell}: {database.Unhealthy}");
                _ = Verify(database);
            }
            catch (RefusedException cause) when (cause.Refusal.Code == RefusalCode.IntegrityViolation)
            {
                refused++; // It was not even opened.
            }
            catch (Exception cause) when (cause is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"{cell}: {cause}");
            }
        }

        output.WriteLine($"{refused} writes refused as violations, {written} done or refused by their own rules");
    });

    /// <summary>
    /// The one class that the store alone cannot show: everything computed anew, or put back, the watermark as well. Whoever
    /// kept a root from before sees it: that is what checkpoints are for.
    /// </summary>
    [Theory]
    [InlineData("recompute everything")]
    [InlineData("put back everything")]
    public async Task What_needs_a_checkpoint_from_outside(string what)
    {
        await using var store = await TamperStore.SmallAsync(encrypted);
        await using var twin = await TamperStore.SmallAsync(encrypted, new() { Total = "9.99" });
        var session = store.Database.OpenSession();
        var (size, root) = (store.Database.LogSize, store.Database.LogRoot);
        var rows = what == "recompute everything" ? twin.Rows : store.OldRows;
        store.With([.. new TamperForgeries(store, new(1)).Difference(rows)], () =>
        {
            VerifyTests.Refused(() => session.VerifyAll(null, default), "watermark");
            var mark = Path.Combine(store.Directory, "watermark");
            var original = DirectoryImage.Read(mark);
            try
            {
                File.WriteAllBytes(mark, what == "recompute everything" ? DirectoryImage.Read(Path.Combine(twin.Directory, "watermark")) : store.OldWatermark);
                var verified = session.VerifyAll(null, default);
                Assert.NotEqual((size, root), (verified.LogSize, verified.LogRoot));
            }
            finally
            {
                File.WriteAllBytes(mark, original);
            }

            return 0;
        });
        output.WriteLine($"{what}: verify passes; found by whoever kept the root of the first {size} entries");
    }

    void Run(TamperStore store, IEnumerable<TamperCell> cells)
    {
        var tally = new TamperTally();
        foreach (var cell in cells)
        {
            var finding = store.With(cell.Writes, () => Judge(store));
            tally.Add(cell, finding is { By: FoundBy.Hole, HistoryIsSame: true } ? new(FoundBy.Nobody, null) : finding);
        }

        output.WriteLine(tally.ToString());
        Assert.True(tally.Holes.Count == 0, string.Join('\n', tally.Holes.Take(40)));
        // Nothing was left behind, so every cell stood alone.
        store.Database.OpenSession().VerifyAll(null, default);
        Assert.Equal(store.Answers, TamperAnswers.All(store.Database));
    }

    /// <summary>Who notices what is there now.</summary>
    internal static Finding Judge(TamperStore store)
    {
        var verify = Verify(store.Database);
        var answers = TamperAnswers.All(store.Database);
        var violations = answers.Any(answer => answer.StartsWith(TamperAnswers.Violation, StringComparison.Ordinal));
        var same = answers.SequenceEqual(store.Answers);
        return (verify, violations, same) switch
        {
            (not null, true, _) => new(FoundBy.Read, verify),
            (not null, false, true) => new(FoundBy.VerifyBeforeAnyAnswer, verify),
            (not null, false, false) => new(FoundBy.Verify, verify),
            (null, false, true) => new(FoundBy.Nobody, null),
            (null, true, _) => new(FoundBy.Hole, "a read finds what verify passes"),
            (null, false, false) => new(FoundBy.Hole, "a wrong answer, and verify passes: " + Difference(store.Answers, answers))
            {
                HistoryIsSame = TamperAnswers.OfHistory(answers).SequenceEqual(TamperAnswers.OfHistory(store.Answers)),
            },
        };
    }

    static string? Verify(Database database)
    {
        try
        {
            database.OpenSession().VerifyAll(null, default);
            return null;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            return refused.Message;
        }
    }

    static string Difference(IReadOnlyList<string> before, IReadOnlyList<string> now) =>
        before.Except(now).FirstOrDefault() + " → " + now.Except(before).FirstOrDefault();
}

public sealed class PlainTamperMatrixTests(ITestOutputHelper output) : TamperMatrixTests(encrypted: false, output);

[CiTier("It changes a store in every place, one after the other.")]
public sealed class SealedTamperMatrixTests(ITestOutputHelper output) : TamperMatrixTests(encrypted: true, output);

/// <summary>Who noticed.</summary>
internal enum FoundBy
{
    /// <summary>A read refuses, and so does verify.</summary>
    Read,

    /// <summary>Verify refuses; reads answer wrongly until then.</summary>
    Verify,

    /// <summary>Verify refuses although no answer is wrong.</summary>
    VerifyBeforeAnyAnswer,

    /// <summary>Harmless: verify passes, and every answer is as before.</summary>
    Nobody,

    Hole,
}

internal readonly record struct Finding(FoundBy By, string? Message)
{
    /// <summary>Only answers differ that are none about history: <see cref="TamperReasons"/> has the reasons.</summary>
    public bool HistoryIsSame { get; init; }
}

/// <summary>Counts the cells of a matrix by class, and keeps the holes.</summary>
internal sealed class TamperTally
{
    readonly SortedDictionary<string, int[]> _counts = new(StringComparer.Ordinal);
    readonly SortedDictionary<string, int> _harmless = new(StringComparer.Ordinal);
    readonly int[] _total = new int[5];

    public List<string> Holes { get; } = [];

    public void Add(TamperCell cell, Finding finding)
    {
        foreach (var key in (string[])[$"family {Families.NameOf(cell.Family)}", cell.Operation])
        {
            if (!_counts.TryGetValue(key, out var counts))
                _counts[key] = counts = new int[5];
            counts[(int)finding.By]++;
        }

        _total[(int)finding.By]++;
        if (finding.By == FoundBy.Hole)
            Holes.Add($"{cell}: {finding.Message}");
        if (finding.By == FoundBy.Nobody)
            _harmless[$"{Families.NameOf(cell.Family)} × {cell.Operation}"] = _harmless.GetValueOrDefault($"{Families.NameOf(cell.Family)} × {cell.Operation}") + 1;
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{_total.Sum()} cells: found by a read {_total[0]}, by verify {_total[1]}, by verify with no answer wrong {_total[2]}, harmless {_total[3]}, holes {_total[4]}");
        foreach (var (key, counts) in _counts)
            text.AppendLine(CultureInfo.InvariantCulture, $"  {key}: read {counts[0]}, verify {counts[1]}, verify only {counts[2]}, harmless {counts[3]}, holes {counts[4]}");
        text.AppendLine("harmless:");
        foreach (var (key, count) in _harmless)
            text.AppendLine(CultureInfo.InvariantCulture, $"  {key} ({count})");
        return text.ToString();
    }
}
