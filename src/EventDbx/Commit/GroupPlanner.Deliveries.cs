namespace EventDbx.Commit;

/// <summary>What plugins have taken, counted in the commit that changes it. Appends know nothing of it.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>Rows of plugins as they are planned; null where nothing is kept of one.</summary>
    readonly Dictionary<string, PluginRow?> _deliveries = new(StringComparer.Ordinal);
    readonly HashSet<string> _deliveriesChanged = new(StringComparer.Ordinal);
    readonly List<(string Plugin, PluginRow? Before)> _deliveriesOfUnit = [];

    /// <summary>Plugins of which something is kept; null: not looked up yet.</summary>
    HashSet<string>? _plugins;

    /// <summary>Whether the rows that it looks at are in the view, and not only in this group's plan.</summary>
    bool Fits(DeliveryOperation operation) => !operation.ReadsRows || !_deliveriesChanged.Contains(operation.Plugin);

    Outcome PlanDelivery(DeliveryOperation operation, IStorageView view, WritePlan plan)
    {
        // What is damaged can be forgotten all the same.
        if (operation.Forget)
            return PlanForget(operation, TryLoadDelivery(operation.Plugin, view), view, plan);
        var before = LoadDelivery(operation.Plugin, view);
        if (before is null && operation.Cursor is null)
            return Refuse(RefusalCode.NotFound, $"Nothing is kept of the plugin `{operation.Plugin}`: its first change says where it begins.");
        _plugins ??= [.. PluginRow.Names(view)];
        if (before is null && !_plugins.Contains(operation.Plugin) && _plugins.Count >= Limits.DeliveryPluginsMax)
            return Refuse(RefusalCode.LimitExceeded, $"Something is kept of {_plugins.Count} plugins; at most {Limits.DeliveryPluginsMax} may be. Remove one.");

        var row = before ?? default;
        var (waiting, dead) = (row.Waiting, row.Dead);
        foreach (var key in operation.Released)
            waiting -= Existing(key, view);
        foreach (var (key, _) in operation.Waiting)
            waiting += 1 - Existing(key, view);
        foreach (var key in operation.Cleared)
            dead -= Existing(key, view);
        foreach (var (key, _) in operation.Dead)
            dead += 1 - Existing(key, view);
        // Below zero: rows are there that were never counted.
        if (waiting > long.MaxValue || dead > long.MaxValue)
            throw Violation.OfRow(Family.Plugins, Keyspace.Plugin(operation.Plugin), "it counts fewer rows than there are");
        if (waiting > Limits.DeliveryWaitingMax && waiting > row.Waiting)
            return Refuse(RefusalCode.LimitExceeded, $"{row.Waiting} aggregates wait for the plugin `{operation.Plugin}`; at most {Limits.DeliveryWaitingMax} may. No more events are taken up for it until some are delivered or given up.");
        if (dead > Limits.DeliveryDeadMax && dead > row.Dead)
            return Refuse(RefusalCode.LimitExceeded, $"The plugin `{operation.Plugin}` has {row.Dead} dead letters; at most {Limits.DeliveryDeadMax} are kept. Retry or clear some (`dbx queue retry`, `dbx queue clear`).");

        foreach (var key in operation.Released)
            plan.Delete(Family.Plugins, key);
        foreach (var (key, body) in operation.Waiting)
            Checked.Put(plan, Family.Plugins, key, body);
        foreach (var key in operation.Cleared)
            plan.Delete(Family.Plugins, key);
        foreach (var (key, body) in operation.Dead)
            Checked.Put(plan, Family.Plugins, key, body);
        var cursor = operation.Cursor ?? row.Cursor;
        ChangeDelivery(operation.Plugin, before, new(cursor, waiting, dead));
        // A cursor that is lost costs what is delivered twice; what somebody has decided must not come back.
        if (operation.ReadsRows || cursor < row.Cursor || before is null)
            SyncWanted = true;
        return default;
    }

    Outcome PlanForget(DeliveryOperation operation, PluginRow? before, IStorageView view, WritePlan plan)
    {
        var rows = view.Range(
            Family.Plugins, Keyspace.PluginWaitingPrefix(operation.Plugin), Keyspace.AfterPlugin(operation.Plugin), Limits.DeliveryChangesMax + 1, int.MaxValue);
        var more = rows.Count > Limits.DeliveryChangesMax;
        var (waiting, dead) = (before?.Waiting ?? 0, before?.Dead ?? 0);
        for (var i = 0; i < Math.Min(rows.Count, Limits.DeliveryChangesMax); i++)
        {
            plan.Delete(Family.Plugins, rows[i].Key);
            if (Keyspace.TryReadPlugin(rows[i].Key, out _, out var kind, out _) && kind == PluginRowKind.Waiting)
                waiting -= Math.Min(1, waiting);
            else
                dead -= Math.Min(1, dead);
        }

        if (!more && before is null)
            plan.Delete(Family.Plugins, Keyspace.Plugin(operation.Plugin));
        if (before is { } row)
            ChangeDelivery(operation.Plugin, row, more ? row with { Waiting = waiting, Dead = dead } : null);
        SyncWanted = true;
        return new() { Remaining = more ? 1UL : 0 };
    }

    /// <summary>An aggregate that is removed waits for nothing any more. Where nothing waits for any plugin, nothing is read.</summary>
    void DropWaiting(AggregateKey aggregate, IStorageView view, WritePlan plan)
    {
        _plugins ??= [.. PluginRow.Names(view)];
        foreach (var plugin in _plugins)
        {
            if (TryLoadDelivery(plugin, view) is not { Waiting: > 0 } row)
                continue;
            var key = Keyspace.PluginWaiting(plugin, aggregate);
            if (view.Get(Family.Plugins, key) is null)
                continue;
            plan.Delete(Family.Plugins, key);
            ChangeDelivery(plugin, row, row with { Waiting = row.Waiting - 1 });
        }
    }

    static ulong Existing(byte[] key, IStorageView view) => view.Get(Family.Plugins, key) is null ? 0UL : 1;

    PluginRow? LoadDelivery(string plugin, IStorageView view)
    {
        if (_deliveries.TryGetValue(plugin, out var row))
            return row;
        row = PluginRow.Find(view, plugin);
        _deliveries.Add(plugin, row);
        return row;
    }

    /// <summary>Null also where the row is damaged: that is no reason to refuse what has nothing to do with it, and verify finds it.</summary>
    PluginRow? TryLoadDelivery(string plugin, IStorageView view)
    {
        try
        {
            return LoadDelivery(plugin, view);
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    void ChangeDelivery(string plugin, PluginRow? before, PluginRow? after)
    {
        _deliveriesOfUnit.Add((plugin, before));
        _deliveries[plugin] = after;
        _deliveriesChanged.Add(plugin);
    }

    /// <summary>Takes back what the unit has changed.</summary>
    void ReturnDeliveries()
    {
        for (var i = _deliveriesOfUnit.Count - 1; i >= 0; i--)
            _deliveries[_deliveriesOfUnit[i].Plugin] = _deliveriesOfUnit[i].Before;
    }

    void BeginDeliveries()
    {
        _deliveriesChanged.Clear();
        // Names that somebody asked for, and of which nothing is kept, must not pile up.
        if (_deliveries.Count > 2 * Limits.DeliveryPluginsMax)
            _deliveries.Clear();
    }

    void PutDeliveries(WritePlan plan)
    {
        foreach (var plugin in _deliveriesChanged)
        {
            if (_deliveries[plugin] is { } row)
            {
                row.Put(plan, plugin);
                _plugins?.Add(plugin);
            }
            else
            {
                plan.Delete(Family.Plugins, Keyspace.Plugin(plugin));
                _plugins?.Remove(plugin);
            }
        }
    }
}
