using System.Globalization;

namespace EventDbx.Tests.Engine;

/// <summary>What an append leaves to the collector, so that nobody triples it unseen. About 2.5 KiB when this was written; the bound is loose on purpose.</summary>
/// <remarks>The counter is the whole process's, so nothing else runs beside these.</remarks>
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests(ITestOutputHelper output)
{
    const int Appends = 2000;
    const int Warming = 500;

    [CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
    public sealed class Alone;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 64)]
    public async Task An_append_of_300_bytes_allocates_less_than_6_KiB(bool encrypted, int atOnce)
    {
        using var store = new TestStore();
        // The same path without the disk's part of the time.
        var options = store.Options(encrypted) with { Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromHours(1) };
        await using var database = Database.Open(options);
        var session = database.OpenSession(new Actor("clerks", "jane"));
        var draft = TestStore.Draft(TestStore.Aggregate(), $$"""{"status":"paid","total":1.50,"text":"{{new string('x', 260)}}"}""");
        var tasks = new Task<AppendResult>[atOnce];
        await AppendAsync(Warming);

        var before = GC.GetTotalAllocatedBytes(precise: true);
        await AppendAsync(Appends);
        var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / Appends;

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{each} bytes an append, {(encrypted ? "sealed" : "plain")}, {atOnce} at once"));
        Assert.InRange(each, 1, 6 * 1024);

        async Task AppendAsync(int count)
        {
            for (var i = 0; i < count; i += atOnce)
            {
                for (var j = 0; j < atOnce; j++)
                    tasks[j] = session.AppendAsync(draft, default);
                for (var j = 0; j < atOnce; j++)
                    await tasks[j];
            }
        }
    }
}
