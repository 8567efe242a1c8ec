namespace EventDbx.Verification;

/// <summary>Verifies the lifecycles of those aggregates that did not fit into memory beside the others: a share of the names at a time.</summary>
/// <remarks>Each pass reads the control entries of the log, then heads and archive records. Most stores need none.</remarks>
internal sealed class LifecyclePasses(IStorageView view, int most, Action<ulong> each)
{
    const ulong RowsBetweenReports = 1024;

    readonly Stack<LifecycleLedger.Share> _left = [];
    ulong _rows;

    /// <summary>Passes that were made.</summary>
    public int Made { get; private set; }

    /// <summary>The ledger of the first pass, which somebody else makes: every name, as long as they fit.</summary>
    public LifecycleLedger First() => new(default, most, _left.Push);

    /// <summary>Makes the passes that are left.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Run()
    {
        while (_left.TryPop(out var share))
        {
            var ledger = new LifecycleLedger(share, most, _left.Push);
            NoteAll(ledger);
            CheckAll(ledger);
            ledger.CheckAllSeen(view);
            Made++;
        }
    }

    void NoteAll(LifecycleLedger ledger)
    {
        var rows = new RowCursor(view, Family.Log, Keyspace.Position(1), []);
        for (; rows.Peek() is { } row; rows.Take(), Tell())
        {
            if (!EntryRow.MayBeControl(row.Value))
                continue;
            var entry = EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Log, row.Key, "it cannot be read");
            ledger.Note(Keyspace.ReadPosition(row.Key), entry);
        }
    }

    void CheckAll(LifecycleLedger ledger)
    {
        foreach (var family in (Family[])[Family.Heads, Family.Archive])
        {
            var rows = new RowCursor(view, family, Keyspace.FirstName.ToArray(), []);
            for (; rows.Peek() is { } row; rows.Take(), Tell())
            {
                if (!AggregateKey.TryRead(row.Key, out var aggregate))
                    throw Violation.OfRow(family, row.Key, "its key names no aggregate");
                var body = Checked.Body(family, row.Key, row.Value);
                if (family == Family.Heads)
                    ledger.Check(aggregate, HeadRow.TryRead(body) ?? throw Violation.OfRow(family, row.Key, "it cannot be read"), null);
                else
                    ledger.Check(aggregate, ArchiveRow.ReadHead(aggregate, body, out _, out var archivedAt), archivedAt);
            }
        }
    }

    void Tell()
    {
        if (++_rows % RowsBetweenReports == 0)
            each(_rows);
    }
}
