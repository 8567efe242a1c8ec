using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>A schema ready to be held against events: compiled once, immutable, safe to share.</summary>
/// <remarks>
/// An event that passes allocates nothing, but for formats of texts (URLs, international domains) and for <c>must_match</c> of JSON that is
/// spelt differently. Every violation is found, up to <see cref="Limits.SchemaViolationsMax"/>, in this order:
/// <code>
/// locked → field locks → the event → its exact fields → columns: presence, type, nested, rules → must_match
/// </code>
/// </remarks>
public sealed class CompiledSchema
{
    readonly byte[][] _locks;
    readonly Dictionary<string, byte[][]> _events;
    readonly ColumnSet _columns;
    readonly CompiledMatch[] _matches;

    CompiledSchema(AggregateSchema schema)
    {
        Schema = schema;
        _locks = Bytes(schema.FieldLocks);
        _events = new(schema.Events.Count, StringComparer.Ordinal);
        foreach (var (name, definition) in schema.Events)
            _events.Add(name, Bytes(definition.Fields));
        _columns = new(schema.ColumnTypes, schema.HiddenFields);
        _matches = CompiledMatch.AllOf(schema);
    }

    public AggregateSchema Schema { get; }

    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>: it cannot be enforced.</exception>
    public static CompiledSchema Of(AggregateSchema schema)
    {
        SchemaCheck.Verify(schema, SchemaRefusal.Below("$", schema.Aggregate));
        return new(schema);
    }

    /// <summary>Holds an event against the schema.</summary>
    /// <param name="eventType">Its type.</param>
    /// <param name="payload">What would be stored.</param>
    /// <param name="violations">Gets what it breaks, behind what it holds.</param>
    /// <returns>Whether it passes.</returns>
    internal bool Check(string eventType, in JsonPayload payload, List<SchemaViolation> violations)
    {
        var steps = Limits.PatternStepsMax;
        return Check(eventType, payload, violations, ref steps);
    }

    /// <summary>The same with what is left of the steps that patterns may take.</summary>
    internal bool Check(string eventType, in JsonPayload payload, List<SchemaViolation> violations, ref long patternSteps)
    {
        var before = violations.Count;
        Findings findings = new(violations, ref patternSteps);
        if (Schema.Locked)
            findings.Add("", SchemaRule.Locked, $"The aggregate type `{Schema.Aggregate}` is locked and takes no events; unlock it first.");
        CheckLocks(payload, findings);
        CheckEvent(eventType, payload, findings);
        if (!_columns.IsEmpty)
        {
            if (payload.Text.Span[0] == (byte)'{')
                CheckColumns(payload, findings);
            else
                findings.Add("", SchemaRule.Payload, $"The payload is {SchemaRefusal.Shown(payload.Text.Span)}; the schema of `{Schema.Aggregate}` has columns, and so an object is accepted.");
        }

        return violations.Count == before;
    }

    void CheckColumns(in JsonPayload payload, Findings findings)
    {
        _columns.CheckTop(payload, findings);
        foreach (var match in _matches)
        {
            if (findings.IsFull)
                return;
            match.Check(payload, findings);
        }
    }

    void CheckLocks(in JsonPayload payload, Findings findings)
    {
        var next = 0;
        foreach (ref readonly var member in payload.Members)
        {
            if (next == _locks.Length)
                return;
            var name = payload.NameOf(member);
            var order = -1;
            while (next < _locks.Length && (order = _locks[next].AsSpan().SequenceCompareTo(name)) < 0)
                next++;
            if (next < _locks.Length && order == 0)
            {
                var field = Encoding.UTF8.GetString(name);
                findings.Add(field, SchemaRule.FieldLocked, $"The field `{SchemaRefusal.Shown(field.AsSpan())}` is locked for the aggregate type `{Schema.Aggregate}`; send the event without it.");
            }
        }
    }

    void CheckEvent(string eventType, in JsonPayload payload, Findings findings)
    {
        if (!_events.TryGetValue(eventType, out var fields))
        {
            findings.Add("", SchemaRule.EventUndefined,
                $"The event type `{SchemaRefusal.Shown(eventType)}` is not defined for the aggregate type `{Schema.Aggregate}`{NearestName.Hint(eventType, Schema.Events.Keys)}.");
            return;
        }

        if (fields.Length == 0)
            return;
        var members = payload.Members;
        var next = 0;
        foreach (var field in fields)
        {
            var order = 1;
            while (next < members.Length && (order = payload.NameOf(members[next]).SequenceCompareTo(field)) < 0)
                next++;
            if (next == members.Length || order != 0)
                Missing(eventType, Encoding.UTF8.GetString(field), findings);
        }

        next = 0;
        foreach (ref readonly var member in members)
        {
            var name = payload.NameOf(member);
            var order = -1;
            while (next < fields.Length && (order = fields[next].AsSpan().SequenceCompareTo(name)) < 0)
                next++;
            if (next == fields.Length || order != 0)
                NotPermitted(eventType, Encoding.UTF8.GetString(name), findings);
            if (findings.IsFull)
                return;
        }
    }

    void Missing(string eventType, string field, Findings findings) =>
        findings.Add(field, SchemaRule.FieldMissing, $"The field `{field}` is missing; the event type `{eventType}` has exactly the fields {Listed(eventType)}.");

    void NotPermitted(string eventType, string field, Findings findings) =>
        findings.Add(field, SchemaRule.FieldNotPermitted,
            $"The field `{SchemaRefusal.Shown(field.AsSpan())}` is not permitted; the event type `{eventType}` has exactly the fields {Listed(eventType)}{NearestName.Hint(field, Schema.Events[eventType].Fields)}.");

    string Listed(string eventType)
    {
        const int ShownMax = 12;
        var fields = Schema.Events[eventType].Fields;
        return string.Join(", ", fields.Take(ShownMax)) + (fields.Count > ShownMax ? $" and {fields.Count - ShownMax} more" : "");
    }

    static byte[][] Bytes(ImmutableSortedSet<string> names) => [.. names.Select(Encoding.UTF8.GetBytes)];
}
