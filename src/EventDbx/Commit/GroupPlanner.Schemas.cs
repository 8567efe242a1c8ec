using EventDbx.Schemas;

namespace EventDbx.Commit;

/// <summary>Schemas: changed here, in the order of the log, and enforced here on what no caller could check before.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>The schemas as planned: ahead of what is published by at most this group.</summary>
    public SchemaSet Schemas { get; private set; } = SchemaSet.Empty;

    /// <summary>Left of what patterns may take for all patches of the unit: others wait for this thread.</summary>
    long _patternStepsOfUnit;

    /// <summary>What a store was opened with.</summary>
    public void Begin(SchemaSet schemas, Standing standing) => (Schemas, Standing, _standingBefore) = (schemas, standing, (standing, Following));

    Outcome PlanSchema(SchemaOperation operation, WritePlan plan)
    {
        var revision = _log!.Size + 1;
        if (operation.Recorded is { } recorded)
            PutEntry(recorded, recorded.Leaf(default, default), plan);
        else
            PutControl(SchemaOperation.Kind, operation.Type, operation.Body, Now(), operation, default, plan);
        Schemas = Schemas.With(operation.Type, operation.Schema, revision);
        var key = Keyspace.SchemaRow(operation.Type);
        if (operation.Schema is { } schema)
            Checked.Put(plan, Family.Meta, key, new SchemaRow(revision, Encoding.UTF8.GetBytes(SchemaJson.Text(schema))).Write());
        else
            plan.Delete(Family.Meta, key);
        return default;
    }

    /// <summary>Why the event does not satisfy the schema in force at its place in the log; null when it does.</summary>
    Refusal? CheckSchema(AppendOperation append, out ulong revision)
    {
        if (append.Recorded is { } recorded)
        {
            revision = recorded.SchemaRevision;
            return null;
        }

        revision = 0;
        if (restriction == Restriction.Off || append.Merges)
            return null;
        var schema = Schemas.Find(append.Aggregate.Type, out revision);
        // The caller has checked already, unless the schema has changed since, or only now it is known what a patch leads to.
        if (append.Patch is null && append.CheckedRevision == revision)
            return append.SchemaRefusal;
        return append.Patch is null
            ? SchemaEnforcement.Check(schema, restriction, append.Aggregate, append.EventType, append.Payload, append.Import is not null)
            : SchemaEnforcement.Check(schema, restriction, append.Aggregate, append.EventType, append.Payload, append.Import is not null, ref _patternStepsOfUnit);
    }
}
