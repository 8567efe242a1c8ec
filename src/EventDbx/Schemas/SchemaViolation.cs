namespace EventDbx.Schemas;

/// <summary>What an event can break. A closed list; <see cref="SchemaRules.NameOf"/> has the names in JSON.</summary>
public enum SchemaRule
{
    /// <summary>The type takes no events.</summary>
    Locked,

    /// <summary>The event sets a field that no event may set.</summary>
    FieldLocked,

    /// <summary>The schema has no such event type.</summary>
    EventUndefined,

    /// <summary>A field of the event's exact set is not there.</summary>
    FieldMissing,

    /// <summary>A field is there that the event's exact set does not have.</summary>
    FieldNotPermitted,

    /// <summary>The payload is no object, and so has no columns.</summary>
    Payload,

    Required,
    Type,
    Contains,
    DoesNotContain,
    Regex,
    Format,
    Length,
    Range,
    MustMatch,
}

/// <summary>The names of rules as they stand in JSON.</summary>
public static class SchemaRules
{
    public static string NameOf(SchemaRule rule) => rule switch
    {
        SchemaRule.Locked => "locked",
        SchemaRule.FieldLocked => "field_locked",
        SchemaRule.EventUndefined => "event_undefined",
        SchemaRule.FieldMissing => "field_missing",
        SchemaRule.FieldNotPermitted => "field_not_permitted",
        SchemaRule.Payload => "payload",
        SchemaRule.Required => "required",
        SchemaRule.Type => "type",
        SchemaRule.Contains => "contains",
        SchemaRule.DoesNotContain => "does_not_contain",
        SchemaRule.Regex => "regex",
        SchemaRule.Format => "format",
        SchemaRule.Length => "length",
        SchemaRule.Range => "range",
        SchemaRule.MustMatch => "must_match",
    };

    /// <summary>The rule of that name; null when it is none of ours.</summary>
    public static SchemaRule? Named(string? name)
    {
        foreach (var rule in Enum.GetValues<SchemaRule>())
        {
            if (NameOf(rule) == name)
                return rule;
        }

        return null;
    }
}

/// <summary>One thing that an event breaks.</summary>
/// <param name="Path">The field, dotted from the root (<c>contact.email</c>); empty for the event as a whole.</param>
/// <param name="Rule">What is broken.</param>
/// <param name="Message">A sentence: what was found, what would be accepted.</param>
public readonly record struct SchemaViolation(string Path, SchemaRule Rule, string Message);

/// <summary>The violations of one event, up to <see cref="Limits.SchemaViolationsMax"/>, and what may still be spent on finding them.</summary>
internal readonly ref struct Findings
{
    readonly List<SchemaViolation> _list;
    readonly int _end;
    readonly ref long _patternSteps;

    /// <param name="list">Gets them, behind what it holds.</param>
    /// <param name="patternSteps">Steps of patterns left; see <see cref="Limits.PatternStepsMax"/>.</param>
    public Findings(List<SchemaViolation> list, ref long patternSteps)
    {
        (_list, _end) = (list, list.Count + Limits.SchemaViolationsMax);
        _patternSteps = ref patternSteps;
    }

    /// <summary>More would not be listed: looking for them is over.</summary>
    public bool IsFull => _list.Count >= _end;

    public void Add(string path, SchemaRule rule, string message)
    {
        if (!IsFull)
            _list.Add(new(path, rule, message));
    }

    /// <summary>Takes steps from what is left; false, and nothing is taken, where they are more. Counted ahead, so that it depends on nothing but text and pattern.</summary>
    public bool TrySpend(long steps)
    {
        if (steps > _patternSteps)
            return false;
        _patternSteps -= steps;
        return true;
    }
}
