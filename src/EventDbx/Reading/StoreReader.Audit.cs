namespace EventDbx.Reading;

/// <summary>The control entries among all others.</summary>
internal sealed partial class StoreReader
{
    /// <summary>Control entries after a position in log order, up to and with <paramref name="upTo"/>. Every row is checked, and events are passed over.</summary>
    public AuditPage Audit(ulong after, ulong upTo, int itemsMax, int bytesMax, AuditFilter filter)
    {
        var items = new List<ControlRecord>();
        var (bytes, reached) = (0, after);
        while (reached < upTo && items.Count < itemsMax && bytes < bytesMax && reached - after < Limits.AuditScanMax)
        {
            var (from, rowsMax) = (reached + 1, (int)Math.Min(1_000, upTo - reached));
            var rows = view.Range(Family.Log, Keyspace.Position(from), [], rowsMax, Limits.PageBytesMax);
            if (rows.Count == 0)
                throw Violation.Of($"The log has no entry at position {from}, though it is longer.");
            foreach (var (key, value) in rows)
            {
                if (items.Count >= itemsMax || bytes >= bytesMax)
                    break;
                var position = Keyspace.ReadPosition(key);
                if (position != reached + 1)
                    throw Violation.Of($"The log has no entry at position {reached + 1}, though it is longer.");
                // Checked before it is looked at: a bit that has changed must not make an event of what was none.
                var body = Checked.Body(Family.Log, key, value);
                reached = position;
                if (!EntryRow.MayBeControl(body.Span))
                    continue;
                var entry = EntryRow.TryRead(body) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
                if (!entry.IsControl || !filter.Wants(entry))
                    continue;
                items.Add(Show(entry, position));
                bytes += entry.EncodedBytes;
            }
        }

        return new(items, reached, reached >= upTo);
    }
}
