using EventDbx.Commit;
using EventDbx.Recovery;
using EventDbx.Storage.RocksDb;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Crash;

/// <summary>Rows of the log rewritten with good checksums: what an inspection promises is what a recovery keeps, and it says when that is another history.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class ChangedHistoryTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task An_inspection_promises_what_a_recovery_keeps(bool encrypted) => Effort.SeededAsync(async random =>
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live, rounds: 3);
        var rows = live.LogRows();
        for (var left = Effort.Choose(3, 25, 1000); left > 0; left--)
        {
            using var image = live.Image();
            var said = Damage(image.Store, rows, random);
            var options = live.Options with { Directory = image.Path };
            try
            {
                var looked = StoreRecovery.Inspect(options);
                if (looked.Damage is null)
                    continue;
                var before = image.Fingerprint();
                Assert.Equal(looked, StoreRecovery.Inspect(options));
                Assert.Equal(before, image.Fingerprint());

                var done = StoreRecovery.AcceptLoss(options);

                Assert.Equal(looked, done with { MovedTo = null });
                Assert.Null(StoreRecovery.Inspect(options).Damage);
                await using var database = Database.Open(options);
                Assert.Equal(done.Kept + 1, database.LogSize);
                Assert.Equal(done.Kept + 1, database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken).LogSize);
            }
            catch (Exception cause)
            {
                throw new Xunit.Sdk.XunitException($"{said}: {cause.Message}", cause);
            }
        }
    });

    [Fact]
    public async Task Where_an_archive_is_put_a_second_time_the_log_ends()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live);
        var rows = live.LogRows();
        var archive = rows.FindIndex(static r => Entry(r) is { IsControl: true, Type: LifecycleNames.Archive });
        using var image = live.Image();
        Rewrite(image.Store, plan => Put(plan, archive + 2, rows[archive]));
        File.Delete(image.In("watermark"));

        Assert.Equal((ulong)archive + 1, await Recovered.CheckAsync(image, live));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_history_that_is_consistent_but_not_the_one_that_was_synced_is_said_to_be_another(bool encrypted)
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live, rounds: 2);
        var rows = live.LogRows();
        // The comment of an archive stands in no aggregate's tree: only the log's root knows it.
        var archive = rows.FindIndex(static r => Entry(r) is { IsControl: true, Type: LifecycleNames.Archive, Body.Length: > 2 });
        using var image = live.Image();
        var row = rows[archive].Value.AsSpan(..^Checked.TrailerBytes).ToArray();
        row.AsSpan()[row.AsSpan().LastIndexOf("gone"u8)..][0] = (byte)'d';
        Rewrite(image.Store, plan => Checked.Put(plan, Family.Log, rows[archive].Key, row));
        var options = live.Options with { Directory = image.Path };

        var looked = StoreRecovery.Inspect(options);
        var done = StoreRecovery.AcceptLoss(options);

        Assert.Equal(looked, done with { MovedTo = null });
        Assert.Equal((live.Size, live.Size, (ulong?)null), (done.Kept, done.Expected!.Value, done.Lost));
        Assert.EndsWith($", but {live.Database.LogRoot} was synced", done.HistoryChanged, StringComparison.Ordinal);
        await using var database = Database.Open(options);
        var loss = Assert.Single(database.OpenSession().ReadFeed(done.Kept, 10, includeControl: true).Items).Control!;
        var body = Encoding.UTF8.GetString(loss.Body.Span);
        Assert.Contains("\"lost\":null,", body, StringComparison.Ordinal);
        Assert.Contains($"\"history_changed\":\"{done.HistoryChanged}\"", body, StringComparison.Ordinal);
    }

    /// <summary>One to three rows put elsewhere, exchanged, deleted or spoilt.</summary>
    static string Damage(string store, List<Row> rows, Random random)
    {
        var said = new List<string>();
        Rewrite(store, plan =>
        {
            for (var left = random.Next(1, 4); left > 0; left--)
            {
                var (a, b) = (random.Next(rows.Count), random.Next(rows.Count));
                // Neighbours more often than not: those fit each other best.
                b = random.Next(3) == 0 ? b : Math.Min(rows.Count - 1, a + 1);
                var deed = random.Next(4);
                said.Add($"{deed} {a + 1} {b + 1}");
                switch (deed)
                {
                    case 0:
                        Put(plan, b + 1, rows[a]);
                        break;
                    case 1:
                        Put(plan, b + 1, rows[a]);
                        Put(plan, a + 1, rows[b]);
                        break;
                    case 2:
                        plan.Delete(Family.Log, rows[a].Key);
                        break;
                    default:
                        // One byte, under a checksum that fits it.
                        var body = rows[a].Value.AsSpan(..^Checked.TrailerBytes).ToArray();
                        body[random.Next(body.Length)] ^= (byte)(1 << random.Next(8));
                        Checked.Put(plan, Family.Log, rows[a].Key, body);
                        break;
                }
            }
        });
        return string.Join(", ", said);
    }

    static void Put(WritePlan plan, int position, Row row) =>
        Checked.Put(plan, Family.Log, Keyspace.Position((ulong)position), row.Value.AsSpan(..^Checked.TrailerBytes));

    static EntryRow Entry(Row row) => EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value))!;

    static void Rewrite(string store, Action<WritePlan> script)
    {
        using var engine = RocksDbEngine.Open(store, new());
        engine.Commit(new Storage.Scripted((_, plan) => script(plan)), sync: true);
    }
}
