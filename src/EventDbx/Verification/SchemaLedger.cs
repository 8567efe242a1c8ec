namespace EventDbx.Verification;

/// <summary>What the control entries of the log say about schemas: which was in force where.</summary>
/// <remarks>Keeps those in force, and so at most <see cref="Limits.SchemasMax"/> of them in a log of ours.</remarks>
internal sealed class SchemaLedger
{
    readonly Dictionary<string, (ulong Revision, ReadOnlyMemory<byte> Body)> _inForce = new(StringComparer.Ordinal);

    /// <summary>Takes the next control entry in log order.</summary>
    public void Note(ulong position, EntryRow entry)
    {
        if (entry.Type != SchemaOperation.Kind)
            return;
        if (ControlOrigin.Without(entry.Body.Span).SequenceEqual(ControlOrigin.Without(SchemaOperation.BodyOf(null))))
            _inForce.Remove(entry.Subject);
        else
            _inForce[entry.Subject] = (position, entry.Body);
    }

    /// <summary>An event names the schema in force at its place, or none, where none was enforced.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Check(ulong position, EntryRow entry)
    {
        if (entry.SchemaRevision != 0 && _inForce.GetValueOrDefault(entry.Aggregate!.Type).Revision is var revision && revision != entry.SchemaRevision)
            throw Violation.Of($"Version {entry.Version} of {entry.Aggregate} (position {position}) names the schema of position {entry.SchemaRevision}, but {(revision == 0 ? "no schema" : $"that of position {revision}")} was in force.");
    }

    /// <summary>The rows of schemas are those that the log leads to.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void CheckRows(IStorageView view)
    {
        var left = new Dictionary<string, (ulong Revision, ReadOnlyMemory<byte> Body)>(_inForce, StringComparer.Ordinal);
        var rows = new RowCursor(view, Family.Meta, Keyspace.SchemaPrefix.ToArray(), Keyspace.AfterSchemas);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var type = Encoding.UTF8.GetString(row.Key.AsSpan(Keyspace.SchemaPrefix.Length));
            if (!left.Remove(type, out var committed))
                throw Violation.OfRow(Family.Meta, row.Key, "nothing in the log has put that schema into force, or it was taken away since");
            if (SchemaRow.TryRead(Checked.Body(Family.Meta, row.Key, row.Value)) is not { } found
                || found.Revision != committed.Revision || !SameSchema(committed.Body, found.Json))
                throw Violation.OfRow(Family.Meta, row.Key, $"it is not the schema that position {committed.Revision} has put into force");
        }

        foreach (var (type, committed) in left)
            throw Violation.Of($"The schema of `{type}` is missing, which position {committed.Revision} has put into force.");
    }

    static bool SameSchema(ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> json) =>
        ControlOrigin.Without(body.Span).SequenceEqual((byte[])[.. "{\"schema\":"u8, .. json.Span]);
}
