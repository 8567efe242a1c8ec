namespace EventDbx.Schemas;

/// <summary>Holds an append against the schema of its type, as strictly as the restriction mode says.</summary>
internal static class SchemaEnforcement
{
    /// <summary>Why it is refused, with every violation; null when it is not.</summary>
    /// <param name="schema">Of the aggregate's type; null when it has none.</param>
    /// <param name="restriction">The mode in force.</param>
    /// <param name="aggregate">Appended to.</param>
    /// <param name="eventType">What.</param>
    /// <param name="payload">What would be stored.</param>
    /// <param name="isRecord">A record of what happened elsewhere or earlier: its type must be known where every type must, and no more.</param>
    public static Refusal? Check(
        CompiledSchema? schema, Restriction restriction, AggregateKey aggregate, string eventType, in JsonPayload payload, bool isRecord)
    {
        var steps = Limits.PatternStepsMax;
        return Check(schema, restriction, aggregate, eventType, payload, isRecord, ref steps);
    }

    /// <summary>The same with what is left of the steps that patterns may take.</summary>
    public static Refusal? Check(
        CompiledSchema? schema, Restriction restriction, AggregateKey aggregate, string eventType, in JsonPayload payload, bool isRecord, ref long patternSteps)
    {
        if (restriction == Restriction.Off)
            return null;
        if (schema is null)
        {
            return restriction == Restriction.Strict
                ? new(RefusalCode.SchemaViolation,
                    $"The aggregate type `{aggregate.Type}` has no schema, and with restrict=strict every type needs one before it takes events. Declare it (`dbx schema create`), or use restrict=default.")
                : null;
        }

        if (isRecord)
            return null;
        var violations = new List<SchemaViolation>();
        if (schema.Check(eventType, payload, violations, ref patternSteps))
            return null;
        var more = violations.Count == 1 ? "" : $" ({violations.Count} violations in all.)";
        return new(RefusalCode.SchemaViolation, $"{(violations[0].Path.Length == 0 ? "" : $"{violations[0].Path}: ")}{violations[0].Message}{more}") { Violations = violations };
    }
}
