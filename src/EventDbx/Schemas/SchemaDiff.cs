using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;

namespace EventDbx.Schemas;

/// <summary>One thing in which two schemas differ.</summary>
/// <param name="Path">What: <c>locked</c>, <c>column_types.total</c>, <c>events.paid</c>.</param>
/// <param name="Before">As JSON; null where it was not there.</param>
/// <param name="After">As JSON; null where it is not there any more.</param>
public sealed record SchemaDifference(string Path, string? Before, string? After);

/// <summary>What a change of a schema changes, for people who review it. The times play no part.</summary>
public static class SchemaDiff
{
    /// <summary>The differences between two schemas of one type, in the order of the members. Null is no schema.</summary>
    public static IReadOnlyList<SchemaDifference> Between(AggregateSchema? before, AggregateSchema? after)
    {
        var nothing = new AggregateSchema { Aggregate = "" };
        var (old, now) = (before ?? nothing, after ?? nothing);
        List<SchemaDifference> found = [];
        Compare("snapshot_threshold", old.SnapshotThreshold, now.SnapshotThreshold, static (json, value) =>
        {
            if (value is { } number)
                json.WriteNumberValue(number);
            else
                json.WriteNullValue();
        });
        Compare("locked", old.Locked, now.Locked, static (json, value) => json.WriteBooleanValue(value));
        CompareNames("field_locks", old.FieldLocks, now.FieldLocks);
        Compare("hidden", old.Hidden, now.Hidden, static (json, value) => json.WriteBooleanValue(value));
        CompareNames("hidden_fields", old.HiddenFields, now.HiddenFields);
        CompareAll("column_types", old.ColumnTypes, now.ColumnTypes, SchemaJson.Write);
        CompareAll("events", old.Events, now.Events, SchemaJson.Write);
        return found;

        void Compare<T>(string path, T was, T value, Action<Utf8JsonWriter, T> write)
        {
            if (!EqualityComparer<T>.Default.Equals(was, value))
                found.Add(new(path, Text(was, write), Text(value, write)));
        }

        void CompareNames(string path, ImmutableSortedSet<string> was, ImmutableSortedSet<string> names)
        {
            if (!was.SequenceEqual(names, StringComparer.Ordinal))
                found.Add(new(path, Text(was, WriteNames), Text(names, WriteNames)));
        }

        void CompareAll<T>(string path, IReadOnlyDictionary<string, T> was, IReadOnlyDictionary<string, T> values, Action<Utf8JsonWriter, T> write)
            where T : class
        {
            foreach (var name in was.Keys.Union(values.Keys).Order(Utf8Order.Instance))
            {
                var (one, other) = (was.GetValueOrDefault(name), values.GetValueOrDefault(name));
                if (!Equals(one, other))
                    found.Add(new(SchemaRefusal.Below(path, name), one is null ? null : Text(one, write), other is null ? null : Text(other, write)));
            }
        }
    }

    static void WriteNames(Utf8JsonWriter json, ImmutableSortedSet<string> names)
    {
        json.WriteStartArray();
        foreach (var name in names)
            json.WriteStringValue(name);
        json.WriteEndArray();
    }

    static string Text<T>(T value, Action<Utf8JsonWriter, T> write)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, SchemaJson.Compact))
            write(json, value);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
