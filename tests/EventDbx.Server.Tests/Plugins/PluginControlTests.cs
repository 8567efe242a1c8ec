using System.Text;
using EventDbx.Access;
using EventDbx.Delivery;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>What can be asked of plugins, in a server where they run and in a process where they do not.</summary>
public sealed class PluginControlTests : IAsyncLifetime
{
    readonly Dictionary<string, ScriptedPlugin> _plugins = [];
    readonly RestServer _server;

    public PluginControlTests() => _server = new() { ChangeOptions = options => options with { OpenPlugin = Open } };

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    IPluginControl Control => _server.Host.Plugins;

    Session Owner => _server.Owner;

    IDeliveryQueue Queue => _server.Host.Database.Deliveries;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    ScriptedPlugin PluginOf(string name)
    {
        lock (_plugins)
            return _plugins.TryGetValue(name, out var plugin) ? plugin : _plugins[name] = new(TimeProvider.System);
    }

    ScriptedPlugin Open(PluginDefinition definition) => PluginOf(definition.Name!);

    Task<(PluginStatus Plugin, bool IsNew)> SetAsync(string name, bool enabled = true) =>
        Control.SetAsync(Owner, name, PluginJson.ReadUpsert(Encoding.UTF8.GetBytes($$$"""{"enabled":{{{(enabled ? "true" : "false")}}},"config":{"type":"log"} }"""), allowProcess: false), Cancellation);

    Task<IReadOnlyList<AppendResult>> AppendAsync(string id, int events = 1) => Owner.AppendBatchAsync(
        [.. Enumerable.Range(0, events).Select(_ => new EventDraft { Aggregate = AggregateKey.Create("order", id), EventType = "made", Payload = "{}"u8.ToArray() })], Cancellation);

    static async Task UntilAsync(Func<bool> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!isSo())
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, late.Token);
    }

    static Grants Reading => Grants.TryParse(["aggregate.read"], [], out var grants, out var refusal) ? grants : throw new RefusedException(refusal);

    /// <summary>While the server runs, as <c>dbx config</c> does.</summary>
    Task OneAttemptAsync() => File.WriteAllTextAsync(_server.ConfigPath, "page_limit = 50\nplugin_max_attempts = 1\n", Cancellation);

    static string Body(ControlRecord entry) => Encoding.UTF8.GetString(entry.Body.Span);

    IReadOnlyList<ControlRecord> Entries => Owner.ReadAudit(0, 1_000, new() { Kinds = ["plugin_change"] }).Items;

    [Fact]
    public async Task A_plugin_gets_what_is_appended_from_the_moment_it_is_enabled()
    {
        await AppendAsync("early");
        var (set, isNew) = await SetAsync("p");
        Assert.True(isNew);
        Assert.Equal(_server.Host.Database.LogSize, set.Position + set.Lag);
        await AppendAsync("a", 2);
        await UntilAsync(() => PluginOf("p").Taken.Count == 2);
        Assert.Equal(["a/1", "a/2"], PluginOf("p").Names);
        await UntilAsync(() => Control.List(Owner) is [{ State: PluginState.Running, Lag: 0 }]);
    }

    [Fact]
    public async Task A_disabled_plugin_keeps_its_place_and_goes_on_there()
    {
        await SetAsync("p");
        await AppendAsync("a");
        await UntilAsync(() => PluginOf("p").Taken.Count == 1);
        var (disabled, changed) = await Control.DisableAsync(Owner, "p", Cancellation);
        Assert.Equal((PluginState.Disabled, true), (disabled.State, changed));
        Assert.False((await Control.DisableAsync(Owner, "p", Cancellation)).Changed);
        Assert.True(PluginOf("p").IsDisposed);
        await AppendAsync("a", 2);
        Assert.InRange(Control.List(Owner)[0].Lag, 2UL, 5UL);
        Assert.True((await Control.EnableAsync(Owner, "p", null, Cancellation)).Changed);
        await UntilAsync(() => PluginOf("p").Taken.Count == 3);
        Assert.Equal(["a/1", "a/2", "a/3"], PluginOf("p").Names);
        Assert.False((await Control.EnableAsync(Owner, "p", null, Cancellation)).Changed);
    }

    [Fact]
    public async Task From_moves_it_to_the_start_to_now_or_to_a_position()
    {
        await AppendAsync("a", 2);
        await SetAsync("p", enabled: false);
        await Control.EnableAsync(Owner, "p", new(0), Cancellation);
        await UntilAsync(() => PluginOf("p").Taken.Count == 2);
        var second = PluginOf("p").Taken[1].Position;
        await Control.EnableAsync(Owner, "p", new(second - 1), Cancellation);
        await UntilAsync(() => PluginOf("p").Taken.Count == 3);
        Assert.Equal(["a/1", "a/2", "a/2"], PluginOf("p").Names);
        await Control.DisableAsync(Owner, "p", Cancellation);
        await AppendAsync("a");
        await Control.EnableAsync(Owner, "p", new(null), Cancellation);
        await AppendAsync("b");
        await UntilAsync(() => PluginOf("p").Taken.Count == 4);
        Assert.Equal("b/1", PluginOf("p").Names[^1]);
        Assert.Contains(Entries, entry => Body(entry).StartsWith("""{"action":"moved","from":""", StringComparison.Ordinal));

        var size = _server.Host.Database.LogSize;
        var refused = await Assert.ThrowsAsync<RefusedException>(() => Control.EnableAsync(Owner, "p", new(size + 100), Cancellation));
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
    }

    [Fact]
    public async Task A_plugin_that_is_removed_is_forgotten_and_its_name_begins_anew()
    {
        PluginOf("p").Answer = record => record.Aggregate.Id == "a" ? ScriptedPlugin.Refused() : null;
        await SetAsync("p");
        await AppendAsync("a");
        await UntilAsync(() => Queue.Count("p").Waiting == 1);
        var enabled = await Assert.ThrowsAsync<RefusedException>(() => Control.RemoveAsync(Owner, "p", Cancellation));
        Assert.Contains("disable", enabled.Message, StringComparison.Ordinal);
        await Control.DisableAsync(Owner, "p", Cancellation);
        Assert.NotNull(Queue.FindCursor("p"));
        await Control.RemoveAsync(Owner, "p", Cancellation);
        Assert.Equal((null, default), (Queue.FindCursor("p"), Queue.Count("p")));
        Assert.Empty(Control.List(Owner));
        Assert.Equal(RefusalCode.NotFound, (await Assert.ThrowsAsync<RefusedException>(() => Control.RemoveAsync(Owner, "p", Cancellation))).Refusal.Code);
        await AppendAsync("b");
        await SetAsync("p");
        await AppendAsync("c");
        await UntilAsync(() => PluginOf("p").Names.Contains("c/1"));
        Assert.DoesNotContain("b/1", PluginOf("p").Names);
    }

    [Fact]
    public async Task The_queue_shows_what_waits_and_what_is_dead_of_each_plugin()
    {
        foreach (var name in (string[])["p", "q"])
        {
            PluginOf(name).Answer = record => record.Aggregate.Id == name ? ScriptedPlugin.Refused($"422: not for {name}") : null;
            await SetAsync(name);
        }

        await AppendAsync("p");
        await AppendAsync("q", 2);
        await UntilAsync(() => Control.GetQueue(Owner, null, 10).Counts is { Waiting: 2, Dead: 0 });
        var view = Control.GetQueue(Owner, null, 10);
        Assert.Equal([("p", "p", 1UL, "422: not for p"), ("q", "q", 1UL, "422: not for q")], view.Waiting.Select(one => (one.Plugin, one.Entry.Aggregate.Id, one.Entry.Version, one.Entry.LastError)));
        Assert.Equal((1L, 1), (Control.GetQueue(Owner, "q", 10).Counts.Waiting, Control.GetQueue(Owner, null, 1).Waiting.Count));
        Assert.Equal(RefusalCode.NotFound, Assert.Throws<RefusedException>(() => Control.GetQueue(Owner, "other", 10)).Refusal.Code);
    }

    [Fact]
    public async Task Dead_events_are_retried_by_the_plugin_that_runs_and_cleared_with_an_entry_in_the_log()
    {
        await OneAttemptAsync();
        PluginOf("p").Answer = record => record.Aggregate.Id is "a" or "b" ? ScriptedPlugin.Refused() : null;
        await SetAsync("p");
        await AppendAsync("a");
        await AppendAsync("b");
        await UntilAsync(() => Queue.Count("p").Dead == 2);
        var dead = Control.GetQueue(Owner, "p", 10).Dead;
        var failed = await Control.RetryAsync(Owner, null, null, Cancellation).ToListAsync(Cancellation);
        Assert.Equal([("p", "422: no", false), ("p", "422: no", false)], failed.Select(one => (one.Plugin, one.Failure, one.Gone)));

        PluginOf("p").Answer = static _ => null;
        var taken = Assert.Single(await Control.RetryAsync(Owner, "p", dead[1].Entry.EventId, Cancellation).ToListAsync(Cancellation));
        Assert.Equal((null, false, "b"), (taken.Failure, taken.Gone, taken.Entry.Aggregate.Id));
        Assert.Equal(1, Queue.Count("p").Dead);
        Assert.Empty(await Control.RetryAsync(Owner, "p", dead[1].Entry.EventId, Cancellation).ToListAsync(Cancellation));

        Assert.Equal(1, await Control.ClearAsync(Owner, null, Cancellation));
        Assert.Equal(0, await Control.ClearAsync(Owner, null, Cancellation));
        Assert.Equal(0, Queue.Count("p").Dead);
        Assert.Equal(["""{"action":"cleared","events":1}"""], Entries.Select(Body).Where(body => body.Contains("cleared", StringComparison.Ordinal)));
        Assert.Equal(["b/1"], PluginOf("p").Names);
    }

    [Fact]
    public async Task Dead_events_of_a_disabled_plugin_are_not_sent_and_can_be_cleared()
    {
        await OneAttemptAsync();
        PluginOf("p").Answer = record => ScriptedPlugin.Refused();
        await SetAsync("p");
        await AppendAsync("a");
        await UntilAsync(() => Queue.Count("p").Dead == 1);
        await Control.DisableAsync(Owner, "p", Cancellation);
        var before = PluginOf("p").Attempts.Count;
        var result = Assert.Single(await Control.RetryAsync(Owner, null, null, Cancellation).ToListAsync(Cancellation));
        Assert.Equal("the plugin is disabled; enable it first", result.Failure);
        Assert.Equal(before, PluginOf("p").Attempts.Count);
        Assert.Equal(1, await Control.ClearAsync(Owner, "p", Cancellation));
        Assert.Equal(0, Queue.Count("p").Dead);
    }

    [Fact]
    public async Task A_replay_sends_every_event_of_a_type_again_by_aggregates_and_ends_at_the_first_that_is_not_taken()
    {
        await AppendAsync("b", 2);
        await AppendAsync("a", 300);
        await SetAsync("p");
        var steps = await Control.ReplayAsync(Owner, "p", "order", null, Cancellation).ToListAsync(Cancellation);
        Assert.Equal([("a", 256UL, false), ("a", 300UL, true), ("b", 2UL, true)], steps.Select(step => (step.Aggregate.Id, step.Version, step.Done)));
        Assert.Equal([.. Enumerable.Range(1, 300).Select(i => $"a/{i}"), "b/1", "b/2"], PluginOf("p").Names);
        Assert.Equal([("b", 2UL, true)], (await Control.ReplayAsync(Owner, "p", "order", "b", Cancellation).ToListAsync(Cancellation)).Select(step => (step.Aggregate.Id, step.Version, step.Done)));
        Assert.Empty(await Control.ReplayAsync(Owner, "p", "order", "none", Cancellation).ToListAsync(Cancellation));

        PluginOf("p").Answer = record => record.Version == 2 ? ScriptedPlugin.Refused() : null;
        var refused = await Assert.ThrowsAsync<RefusedException>(async () => await Control.ReplayAsync(Owner, "p", "order", "b", Cancellation).ToListAsync(Cancellation));
        Assert.Contains("order::b again: version 2: 422: no", refused.Message, StringComparison.Ordinal);
        // A replay changes nothing that waits or is dead.
        Assert.Equal(default, Queue.Count("p"));
        await Control.DisableAsync(Owner, "p", Cancellation);
        refused = await Assert.ThrowsAsync<RefusedException>(async () => await Control.ReplayAsync(Owner, "p", "order", "b", Cancellation).ToListAsync(Cancellation));
        Assert.Equal("no enabled plugin named 'p' is configured.", refused.Message);
    }

    [Fact]
    public async Task A_test_reaches_each_enabled_plugin_and_sends_the_sample_event()
    {
        await SetAsync("good");
        await SetAsync("off", enabled: false);
        await SetAsync("bad");
        PluginOf("bad").Answer = _ => ScriptedPlugin.Down("nobody there");
        var results = await Control.TestAsync(Owner, null, Cancellation).ToListAsync(Cancellation);
        Assert.Equal([("bad", "nobody there"), ("good", null)], results.Select(result => (result.Plugin.Name!, result.Failure)));
        var sample = Assert.Single(PluginOf("good").Taken);
        Assert.Equal(("patient", "p-001", 5UL, "45c3013e-9b95-4ed0-9af9-1a465f81d3cf", "2024-12-01T17:22:43.512345Z"), (sample.Aggregate.Type, sample.Aggregate.Id, sample.Version, sample.EventId.ToString(), sample.CreatedAt.ToString()));
        Assert.Equal(["off"], (await Control.TestAsync(Owner, "off", Cancellation).ToListAsync(Cancellation)).Select(result => result.Plugin.Name));
        Assert.Single(PluginOf("off").Taken);
        Assert.Null(Queue.FindCursor("off"));
    }

    [Fact]
    public async Task Only_root_may_any_of_it()
    {
        await SetAsync("p");
        var other = _server.Host.Database.OpenSession(new Actor("ops", "jane"), Reading, null);
        List<Func<Task>> asked =
        [
            () => Task.FromResult(Control.List(other)), () => Task.FromResult(Control.GetQueue(other, null, 1)),
            () => Control.SetAsync(other, "q", PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation), () => Control.EnableAsync(other, "p", null, Cancellation),
            () => Control.DisableAsync(other, "p", Cancellation), () => Control.RemoveAsync(other, "p", Cancellation), () => Control.ClearAsync(other, null, Cancellation),
            async () => await Control.TestAsync(other, null, Cancellation).ToListAsync(Cancellation), async () => await Control.RetryAsync(other, null, null, Cancellation).ToListAsync(Cancellation),
            async () => await Control.ReplayAsync(other, "p", "order", null, Cancellation).ToListAsync(Cancellation),
        ];
        foreach (var ask in asked)
            Assert.Equal(RefusalCode.PermissionDenied, (await Assert.ThrowsAsync<RefusedException>(ask)).Refusal.Code);
    }

    [Fact]
    public async Task Where_nothing_runs_a_plugin_is_opened_for_what_is_asked_and_left_again()
    {
        await using var stand = new CourierStand();
        stand.Config = stand.Config with { PluginMaxAttempts = 1 };
        using var book = new PluginBook(stand.Surroundings);
        var control = new PluginControl(stand.Surroundings, book, null, _ => stand.Plugin);
        await stand.AppendAsync("a b");
        var (set, _) = await control.SetAsync(stand.Owner, "p", PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
        // Behind the entry that says so.
        Assert.Equal((PluginState.Stopped, 3UL), (set.State, set.Position));
        Assert.Null(Assert.Single(await control.TestAsync(stand.Owner, null, Cancellation).ToListAsync(Cancellation)).Failure);
        Assert.True(stand.Plugin.IsDisposed);
        Assert.Equal(2, (await control.ReplayAsync(stand.Owner, "p", "order", null, Cancellation).ToListAsync(Cancellation)).Count);

        // A server of this directory ran, and something died.
        stand.Plugin.Answer = record => record.Aggregate.Id is "a" ? ScriptedPlugin.Refused() : null;
        stand.Start();
        await stand.AppendAsync("a b a");
        await stand.NowAsync(() => stand.Queue.Count("p").Dead == 2);
        await stand.StopAsync();
        stand.Plugin.Answer = static _ => null;
        var retried = await control.RetryAsync(stand.Owner, null, stand.Queue.GetDead("p", 0, 1)[0].EventId, Cancellation).ToListAsync(Cancellation);
        Assert.Equal((null, 1L), (Assert.Single(retried).Failure, control.GetQueue(stand.Owner, null, 10).Counts.Dead));
        Assert.Equal(1, await control.ClearAsync(stand.Owner, null, Cancellation));
        var cursor = stand.Queue.FindCursor("p");
        await stand.AppendAsync("c");
        Assert.Equal(cursor, stand.Queue.FindCursor("p"));
        await control.DisableAsync(stand.Owner, "p", Cancellation);
        await control.RemoveAsync(stand.Owner, "p", Cancellation);
        Assert.Null(stand.Queue.FindCursor("p"));
    }
}
