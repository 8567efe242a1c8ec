using EventDbx.Delivery;
using EventDbx.Events;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Delivery;

/// <summary>Rows of plugins in stores that were changed by another hand, and in stores that were recovered.</summary>
public sealed class DeliveryDamageTests : IDisposable
{
    readonly TestStore _store = new();
    readonly Random _random = new(11);

    public void Dispose() => _store.Dispose();

    static readonly AggregateKey First = TestStore.Aggregate(id: "o-1");
    static readonly AggregateKey Second = TestStore.Aggregate(id: "o-2");

    /// <summary>Eight events, and a plugin that has taken six of them: of either aggregate one event waits, one is dead.</summary>
    async Task FillAsync(Database database, string plugin = "audit")
    {
        if (database.LogSize == 0)
        {
            for (var i = 0; i < 4; i++)
                await database.OpenSession().AppendBatchAsync([TestStore.Draft(First), TestStore.Draft(Second)], default);
        }

        await database.Deliveries.SaveAsync(plugin, new()
        {
            Cursor = 6,
            Waiting = [DeliveryModel.Waiting(_random, First, 3), DeliveryModel.Waiting(_random, Second, 6)],
            Dead = [DeliveryModel.Dead(_random, First, 1), DeliveryModel.Dead(_random, Second, 5)],
        });
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "cut", "cannot be read" }, { "flipped", "checksum" }, { "foreign", "no key of ours" }, { "kind", "no key of ours" }, { "uncounted", "counts 2 aggregates that wait" },
        { "missing", "and there are 2 and 1" }, { "without a plugin", "there is no row of its plugin" }, { "cursor", "its cursor is 9" }, { "beyond", "names position 9" },
        { "dead cut", "cannot be read" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_row_that_is_not_what_was_put_there_is_named_by_verify(string damage, string told)
    {
        await using var database = _store.Open();
        await FillAsync(database);
        database.OpenSession().VerifyAll(null, default);
        var waiting = Keyspace.PluginWaiting("audit", First);
        switch (damage)
        {
            case "cut":
                RawRows.Change(database, Family.Plugins, waiting, body => body[..^1]);
                break;
            case "dead cut":
                RawRows.Change(database, Family.Plugins, Keyspace.PluginDead("audit", 1), body => body[1..]);
                break;
            case "flipped":
                RawRows.Write(database, plan => plan.Put(Family.Plugins, waiting, new byte[40]));
                break;
            case "foreign":
                RawRows.Write(database, plan => Checked.Put(plan, Family.Plugins, "zz"u8, new byte[24]));
                break;
            case "kind":
                RawRows.Write(database, plan => Checked.Put(plan, Family.Plugins, "audit\0\u0004"u8, new byte[24]));
                break;
            case "uncounted":
                RawRows.Write(database, plan => Checked.Put(plan, Family.Plugins, Keyspace.PluginWaiting("audit", TestStore.Aggregate(id: "o-3")), RawRows.Body(database, Family.Plugins, waiting)));
                break;
            case "missing":
                RawRows.Delete(database, Family.Plugins, Keyspace.PluginDead("audit", 5));
                break;
            case "without a plugin":
                RawRows.Delete(database, Family.Plugins, Keyspace.Plugin("audit"));
                break;
            case "cursor":
                PutPlugin(database, new(9, 2, 2));
                break;
            case "beyond":
                RawRows.Change(database, Family.Plugins, waiting, body => [.. body[..9], .. Keyspace.Position(9), .. body[17..]]);
                break;
        }

        var found = Assert.Throws<RefusedException>(() => database.OpenSession().VerifyAll(null, default));
        Assert.Equal(RefusalCode.IntegrityViolation, found.Refusal.Code);
        Assert.Contains("family `plugins`", found.Message, StringComparison.Ordinal);
        Assert.Contains(told, found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_whose_row_is_damaged_harms_no_other_and_can_be_forgotten()
    {
        await using (var database = _store.Open())
        {
            await FillAsync(database);
            await FillAsync(database, "other");
            await database.OpenSession().CreateAsync(TestStore.Aggregate(id: "made"), null, default);
            RawRows.Write(database, plan => plan.Put(Family.Plugins, Keyspace.Plugin("audit"), new byte[28]));
        }

        await using var again = _store.Open();
        Violated(() => again.Deliveries.FindCursor("audit"));
        Violated(() => again.Deliveries.Count("audit"));
        Assert.Equal(RefusalCode.IntegrityViolation, (await Assert.ThrowsAsync<RefusedException>(() => again.Deliveries.SaveAsync("audit", new() { Cursor = 1 }))).Refusal.Code);
        await again.OpenSession().RemoveAsync(TestStore.Aggregate(id: "made"), default);
        await again.Deliveries.SaveAsync("other", new() { Cursor = 7 });

        await again.Deliveries.ForgetAsync("audit");
        Assert.Equal(["other"], again.Deliveries.GetPlugins());
        await again.Deliveries.SaveAsync("audit", new() { Cursor = 1 });
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task A_recovered_store_keeps_what_plugins_have_taken()
    {
        await using (var database = _store.Open())
            await FillAsync(database);
        Assert.Null(Recover().Stopped);

        await using var recovered = _store.Open();
        Assert.Equal((6UL, new DeliveryCounts(2, 2)), (recovered.Deliveries.FindCursor("audit"), recovered.Deliveries.Count("audit")));
        // The keys of the aggregates came back with the log, and so what was said.
        Assert.All(recovered.Deliveries.GetWaiting("audit", null, 9), entry => Assert.DoesNotContain("sealed", entry.LastError, StringComparison.Ordinal));
        recovered.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task What_comes_after_an_accepted_loss_is_passed_over_by_no_plugin()
    {
        await using (var database = _store.Open())
        {
            await FillAsync(database);
            // Entry 5 begins a batch: the first four are kept.
            RawRows.Write(database, plan => plan.Put(Family.Log, Keyspace.Position(5), new byte[40]));
        }

        Assert.Equal(4UL, Recover().Kept);

        await using var recovered = _store.Open();
        Assert.Equal(5UL, recovered.LogSize);
        Assert.Equal(4UL, recovered.Deliveries.FindCursor("audit"));
        Assert.Equal(First, Assert.Single(recovered.Deliveries.GetWaiting("audit", null, 9)).Aggregate);
        Assert.Equal(1UL, Assert.Single(recovered.Deliveries.GetDead("audit", 0, 9)).Position);
        Assert.Equal(new(1, 1), recovered.Deliveries.Count("audit"));
        recovered.OpenSession().VerifyAll(null, default);
    }

    [Theory]
    [InlineData("waiting row")]
    [InlineData("dead row")]
    [InlineData("plugin row")]
    [InlineData("missing row")]
    public async Task Where_it_is_not_known_what_a_plugin_has_taken_it_begins_again(string lost)
    {
        await using (var database = _store.Open())
        {
            await FillAsync(database);
            await FillAsync(database, "whole");
            RawRows.Write(database, plan =>
            {
                var key = lost switch
                {
                    "waiting row" => Keyspace.PluginWaiting("audit", First),
                    "dead row" => Keyspace.PluginDead("audit", 5),
                    "plugin row" => Keyspace.Plugin("audit"),
                    _ => Keyspace.PluginWaiting("audit", Second),
                };
                if (lost == "missing row")
                    plan.Delete(Family.Plugins, key);
                else
                    plan.Put(Family.Plugins, key, new byte[50]);
            });
        }

        Recover();

        await using var recovered = _store.Open();
        Assert.Equal(0UL, recovered.Deliveries.FindCursor("audit"));
        Assert.Equal((6UL, new DeliveryCounts(2, 2)), (recovered.Deliveries.FindCursor("whole"), recovered.Deliveries.Count("whole")));
        recovered.OpenSession().VerifyAll(null, default);
    }

    RecoveryReport Recover()
    {
        File.Delete(Path.Combine(_store.Directory, "event_store", "CURRENT"));
        Assert.Throws<StoreRefusedException>(() => _store.Open());
        return StoreRecovery.AcceptLoss(_store.Options());
    }

    static void PutPlugin(Database database, PluginRow row) => RawRows.Write(database, plan => row.Put(plan, "audit"));

    static void Violated(Func<object?> read) => Assert.Equal(RefusalCode.IntegrityViolation, Assert.Throws<RefusedException>(() => read()).Refusal.Code);
}
