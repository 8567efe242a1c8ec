namespace EventDbx.Verification;

/// <summary>Goes over family <c>plugins</c>. What others have taken is no history; but every row is one of ours, and is counted.</summary>
internal static class PluginChecks
{
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static void Run(IStorageView view, ulong logSize, Action step)
    {
        byte[]? key = null;
        PluginRow plugin = default;
        var (waiting, dead) = (0UL, 0UL);
        var rows = new RowCursor(view, Family.Plugins, Keyspace.FirstName.ToArray(), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (rows.Taken % Limits.PageItemsMax == 0)
                step();
            if (!Keyspace.TryReadPlugin(row.Key, out var name, out var kind, out var rest))
                throw Violation.OfRow(Family.Plugins, row.Key, "no key of ours looks like that");
            var body = Checked.Body(Family.Plugins, row.Key, row.Value);
            if (kind == PluginRowKind.Plugin)
            {
                CheckCounts();
                if (!PluginRow.TryRead(body, out plugin))
                    throw Unreadable(row);
                if (plugin.Cursor > logSize)
                    throw Violation.OfRow(Family.Plugins, row.Key, $"its cursor is {plugin.Cursor}, and the log has {logSize} entries");
                (key, waiting, dead) = (row.Key, 0, 0);
                continue;
            }

            if (key is null || !key.AsSpan(..^2).SequenceEqual(name))
                throw Violation.OfRow(Family.Plugins, row.Key, "there is no row of its plugin");
            var position = kind == PluginRowKind.Waiting ? RefusedEventRow.TryReadWaiting(rest, body)?.Position : RefusedEventRow.TryReadDead(rest, body)?.Position;
            if (position is null)
                throw Unreadable(row);
            if (position == 0 || position > logSize)
                throw Violation.OfRow(Family.Plugins, row.Key, $"it names position {position}, and the log has {logSize} entries");
            if (kind == PluginRowKind.Waiting)
                waiting++;
            else
                dead++;
        }

        CheckCounts();

        void CheckCounts()
        {
            if (key is not null && (plugin.Waiting != waiting || plugin.Dead != dead))
                throw Violation.OfRow(Family.Plugins, key, $"it counts {plugin.Waiting} aggregates that wait and {plugin.Dead} dead letters, and there are {waiting} and {dead}");
        }
    }

    static RefusedException Unreadable(in Row row) => Violation.OfRow(Family.Plugins, row.Key, "it cannot be read");
}
