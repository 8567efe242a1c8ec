namespace EventDbx.Recovery;

/// <summary>Rows that lead nowhere: of an index whose entry is not in the log, of a chosen event id without its event, of a state or fold point without its aggregate.</summary>
/// <remarks>Quick: each row is held against the one that it leads to, and no hash is computed. What is missing or was changed is found by `dbx verify --all`.</remarks>
/// <param name="Looked">Rows that were looked at.</param>
/// <param name="Complete">Whether these are all.</param>
/// <param name="Found">Rows that lead nowhere; counting ends at <see cref="Limits.OrphansToldMax"/>.</param>
/// <param name="First">The first of them, for the end of a sentence; null: there is none.</param>
public sealed record OrphanLook(long Looked, bool Complete, long Found, string? First)
{
    /// <summary>Looks at the first rows of each family.</summary>
    /// <param name="view">Of the store.</param>
    /// <param name="rowsMax">Rows of each family at most; null: all of them.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a row is not what was put there.</exception>
    internal static OrphanLook Of(IStorageView view, long? rowsMax, CancellationToken cancellation)
    {
        var size = LogTreeStore.LoadFrontier(view).Size;
        (long looked, long found, var complete) = (0, 0, true);
        string? first = null;
        foreach (var family in (ReadOnlySpan<Family>)[Family.Index, Family.Ids, Family.State, Family.Snapshots])
        {
            var rows = new RowCursor(view, family, Keyspace.FirstName.ToArray(), []);
            (string Name, bool Known) aggregate = ("", true);
            for (; found < Limits.OrphansToldMax && rows.Peek() is { } row; rows.Take())
            {
                if ((long)rows.Taken == rowsMax)
                {
                    complete = false;
                    break;
                }

                cancellation.ThrowIfCancellationRequested();
                looked++;
                var why = family switch
                {
                    Family.Index => OfIndex(view, row, size),
                    Family.Ids => OfId(view, row),
                    _ => OfAggregate(view, row, ref aggregate),
                };
                if (why is null)
                    continue;
                found++;
                first ??= $"a row of family `{Families.NameOf(family)}`, of {NameOf(row.Key)}: {why}";
            }
        }

        return new(looked, complete && found < Limits.OrphansToldMax, found, first);
    }

    static string? OfIndex(IStorageView view, in Row row, ulong size)
    {
        if (!Keyspace.TryReadVersioned(row.Key, out var name, out var version) || !IndexRow.TryRead(Checked.Body(Family.Index, row.Key, row.Value), out var index))
            return "it cannot be read";
        if (index.Position == 0 || index.Position > size)
            return $"version {version} leads to position {index.Position}, and the log has {size} entries";
        var entry = Checked.Get(view, Family.Log, Keyspace.Position(index.Position)) is { } body ? EntryRow.TryRead(body) : null;
        return entry is { IsControl: false } && entry.Version == version && name.SequenceEqual(entry.Aggregate!.Row)
            ? null : $"version {version} leads to position {index.Position}, which is something else";
    }

    static string? OfId(IStorageView view, in Row row)
    {
        if (row.Key.Length < 17 || !AggregateKey.TryRead(row.Key.AsSpan(0, row.Key.Length - 17), out var aggregate) || !IdRow.TryRead(Checked.Body(Family.Ids, row.Key, row.Value), out var id))
            return "it cannot be read";
        return view.Get(Family.Index, Keyspace.Versioned(aggregate, id.Version)) is null ? $"the event id leads to version {id.Version}, which there is not" : null;
    }

    /// <param name="view">Of the store.</param>
    /// <param name="row">Of a state, or a fold point.</param>
    /// <param name="last">The aggregate of the row before, which is mostly the same.</param>
    static string? OfAggregate(IStorageView view, in Row row, ref (string Name, bool Known) last)
    {
        var name = Keyspace.NameIn(row.Key);
        var text = Convert.ToHexString(name);
        if (text != last.Name)
            last = (text, view.Get(Family.Heads, name) is not null || view.Get(Family.Archive, name) is not null);
        return last.Known ? null : "there is no such aggregate";
    }

    static string NameOf(byte[] key) => AggregateKey.TryRead(Keyspace.NameIn(key), out var aggregate) ? aggregate.ToString() : "no name that can be read";
}
