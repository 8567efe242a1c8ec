using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>Aggregates that were made without events, removed, archived and restored, when they do not fit into the memory of one pass.</summary>
public sealed class LifecycleLedgerTests
{
    [Fact]
    public async Task With_room_for_a_few_every_aggregate_is_held_against_its_control_entries_all_the_same()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var names = await FillAsync(database.OpenSession());
        var source = database.VerifySource with { AggregatesMax = 3 };
        var all = StoreVerifier.Run(source, resume: false, null, default);
        Assert.Equal(database.OpenSession().VerifyAll(null, default) with { Elapsed = all.Elapsed }, all);

        // Whichever of them is missing, it is missed; whichever share of the names it falls into.
        foreach (var name in names)
        {
            var family = name.Id.StartsWith("kept", StringComparison.Ordinal) ? Family.Archive : Family.Heads;
            var row = RawRows.Body(database, family, name.Row);
            RawRows.Delete(database, family, name.Row.ToArray());
            VerifyTests.Refused(() => StoreVerifier.Run(source, resume: false, null, default), $"{name} is missing");
            RawRows.Write(database, plan => Checked.Put(plan, family, name.Row, row));
        }

        _ = StoreVerifier.Run(source, resume: false, null, default);
    }

    [Fact]
    public async Task A_head_that_nothing_made_is_found_in_every_share()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        await FillAsync(session);
        var source = database.VerifySource with { AggregatesMax = 3 };
        for (var i = 0; i < 10; i++)
        {
            var gone = AggregateKey.Create("order", $"gone-{i}");
            await session.CreateAsync(gone, null, default);
            var head = RawRows.Body(database, Family.Heads, gone.Row);
            await session.RemoveAsync(gone, default);
            _ = StoreVerifier.Run(source, resume: false, null, default);
            RawRows.Write(database, plan => Checked.Put(plan, Family.Heads, gone.Row, head));
            VerifyTests.Refused(() => StoreVerifier.Run(source, resume: false, null, default), $"{gone} has a head and no events, but nothing in the log made it");
            RawRows.Delete(database, Family.Heads, gone.Row.ToArray());
        }
    }

    [Fact]
    public void However_many_were_made_no_pass_remembers_more_than_it_may_and_together_they_remember_all()
    {
        const int Most = 1000;
        var entries = Enumerable.Range(0, 20_000).Select(i => new EntryRow
        {
            Flags = EntryRow.RowFlags.Control, Type = "create", Subject = $"order/o-{i}", CreatedAt = i,
        }).ToList();
        var left = new Stack<LifecycleLedger.Share>([default]);
        var (passes, remembered) = (0, 0);
        for (; left.TryPop(out var share); passes++)
        {
            var ledger = new LifecycleLedger(share, Most, left.Push);
            for (var i = 0; i < entries.Count; i++)
            {
                ledger.Note((ulong)i + 1, entries[i]);
                Assert.InRange(ledger.Count, 0, Most);
            }

            remembered += ledger.Count;
        }

        Assert.Equal(entries.Count, remembered);
        Assert.InRange(passes, 20, 64);
    }

    [Fact]
    public void Halves_of_a_share_have_every_name_of_it_once()
    {
        var shares = new List<LifecycleLedger.Share> { default };
        for (var i = 0; i < 6; i++)
            shares = [.. shares.SelectMany(share => (LifecycleLedger.Share[])[share.Halved().Kept, share.Halved().Left])];
        Assert.Equal(64, shares.Distinct().Count());
        for (var i = 0; i < 1000; i++)
        {
            var key = LifecycleLedger.KeyOf(AggregateKey.Create("order", $"o-{i}"));
            Assert.Single(shares, share => share.Has(key));
        }
    }

    /// <summary>Ten that were made, ten that are archived, ten that came back; each of them has a control entry that must be met.</summary>
    static async Task<List<AggregateKey>> FillAsync(Session session)
    {
        var names = new List<AggregateKey>();
        for (var i = 0; i < 10; i++)
        {
            foreach (var how in (string[])["made", "kept", "back"])
            {
                var name = AggregateKey.Create("order", $"{how}-{i}");
                names.Add(name);
                await session.CreateAsync(name, null, default);
                if (how == "made")
                    continue;
                await session.ArchiveAsync(name, null, default);
                if (how == "back")
                    await session.RestoreAsync(name, null, default);
            }
        }

        return names;
    }
}
