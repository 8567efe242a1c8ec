using System.Collections.Immutable;
using EventDbx.Schemas;

namespace EventDbx.Server.Replication.Transfer;

/// <summary>What it takes to make the schemas of one side those of another: all there is to a schema but its times.</summary>
internal static class SchemaDifferences
{
    /// <param name="sent">The schemas as they are to be.</param>
    /// <param name="had">The schemas as they are.</param>
    /// <param name="replace">Whether those that only <paramref name="had"/> has are taken away.</param>
    public static SchemasReport Of(ImmutableSortedDictionary<string, AggregateSchema> sent, ImmutableSortedDictionary<string, AggregateSchema> had, bool replace)
    {
        List<SchemaChangeReport> changes = [];
        foreach (var (type, schema) in sent.OrderBy(static schema => schema.Key, Plan.TypeOrder))
        {
            if (!had.TryGetValue(type, out var before))
                changes.Add(new(type, SchemaChangeKind.Added, schema.Events.Count, []));
            else if (!before.SaysTheSameAs(schema))
                changes.Add(new(type, SchemaChangeKind.Updated, schema.Events.Count, Details(before, schema)));
        }

        var onlyThere = had.Where(schema => !sent.ContainsKey(schema.Key)).OrderBy(static schema => schema.Key, Plan.TypeOrder).ToList();
        if (replace)
            changes.AddRange(onlyThere.Select(static schema => new SchemaChangeReport(schema.Key, SchemaChangeKind.Removed, schema.Value.Events.Count, [])));
        return new(changes, replace ? 0 : onlyThere.Count);
    }

    /// <summary>The published lines first; those of what the reference does not look at behind them.</summary>
    static List<string> Details(AggregateSchema before, AggregateSchema after)
    {
        List<string> lines = [];
        if (before.SnapshotThreshold != after.SnapshotThreshold)
            lines.Add($"snapshot_threshold: {Some(before.SnapshotThreshold)} -> {Some(after.SnapshotThreshold)}");
        Truth("locked", before.Locked, after.Locked);
        Names("field locks", before.FieldLocks, after.FieldLocks);
        lines.AddRange(after.Events.Keys.Where(name => !before.Events.ContainsKey(name)).Select(static name => $"+ event {name}"));
        lines.AddRange(before.Events.Keys.Where(name => !after.Events.ContainsKey(name)).Select(static name => $"- event {name}"));
        foreach (var (name, was, now) in Common(before.Events, after.Events))
            Names($"event {name} fields", was.Fields, now.Fields);
        Truth("hidden", before.Hidden, after.Hidden);
        Names("hidden fields", before.HiddenFields, after.HiddenFields);
        lines.AddRange(after.ColumnTypes.Where(column => !before.ColumnTypes.ContainsKey(column.Key)).Select(static column => $"+ column {column.Key}: {SchemaJson.Text(column.Value)}"));
        lines.AddRange(before.ColumnTypes.Keys.Where(name => !after.ColumnTypes.ContainsKey(name)).Select(static name => $"- column {name}"));
        foreach (var (name, was, now) in Common(before.ColumnTypes, after.ColumnTypes))
        {
            if (!was.Equals(now))
                lines.Add($"column {name}: {SchemaJson.Text(was)} -> {SchemaJson.Text(now)}");
        }

        foreach (var (name, was, now) in Common(before.Events, after.Events))
        {
            if (was.Notes != now.Notes)
                lines.Add($"event {name} note: {Some(was.Notes)} -> {Some(now.Notes)}");
        }

        return lines;

        void Truth(string what, bool was, bool now)
        {
            if (was != now)
                lines.Add($"{what}: {(was ? "true" : "false")} -> {(now ? "true" : "false")}");
        }

        void Names(string what, ImmutableSortedSet<string> was, ImmutableSortedSet<string> now)
        {
            if (now.Where(name => !was.Contains(name)).ToList() is { Count: > 0 } added)
                lines.Add($"{what} added: {string.Join(", ", added)}");
            if (was.Where(name => !now.Contains(name)).ToList() is { Count: > 0 } removed)
                lines.Add($"{what} removed: {string.Join(", ", removed)}");
        }
    }

    static IEnumerable<(string Name, T Before, T After)> Common<T>(ImmutableSortedDictionary<string, T> before, ImmutableSortedDictionary<string, T> after)
    {
        foreach (var (name, now) in after)
        {
            if (before.TryGetValue(name, out var was))
                yield return (name, was, now);
        }
    }

    static string Some(ulong? number) => number is { } value ? FormattableString.Invariant($"Some({value})") : "None";

    static string Some(string? text) => text is null ? "None" : $"Some(\"{text}\")";
}
