namespace EventDbx.Verification;

/// <summary>An index row with what it leads to. Nothing is judged yet: what is wrong is told when its turn comes.</summary>
/// <param name="Key">Of the index row.</param>
/// <param name="Index">The index row; null when it cannot be read.</param>
/// <param name="Value">The log row's value; null when there is none.</param>
/// <param name="Entry">The log row; null when it is missing or cannot be read.</param>
/// <param name="IdKey">Where its id row should be, when a client chose its id.</param>
/// <param name="IdValue">The id row's value; null when there is none.</param>
internal readonly record struct IndexedEntry(byte[] Key, IndexRow? Index, byte[]? Value, EntryRow? Entry, byte[]? IdKey, byte[]? IdValue);

/// <summary>Walks the index with the log row and the id row of each event, a page of gets at a time.</summary>
/// <remarks>Pages go beyond the end of an aggregate: most have a handful of events, and a call for each would cost more than they do.</remarks>
internal sealed class EventWalk(IStorageView view, RowCursor index)
{
    const int RowsMax = 512;
    const int RowsMin = 8;
    const int BytesWanted = 8 * 1024 * 1024;

    readonly List<IndexedEntry> _page = [];
    int _at;
    int _rows = RowsMax;
    AggregateKey? _last;

    /// <summary>Index rows taken so far.</summary>
    public ulong Taken { get; private set; }

    /// <summary>The event it stands at; null at the end.</summary>
    public IndexedEntry? Peek()
    {
        if (_at == _page.Count)
            Fill();
        return _at < _page.Count ? _page[_at] : null;
    }

    public void Take()
    {
        _at++;
        Taken++;
    }

    void Fill()
    {
        _page.Clear();
        _at = 0;
        var rows = new List<(byte[] Key, IndexRow? Index)>(_rows);
        var positions = new List<byte[]>(_rows);
        for (; rows.Count < _rows && index.Peek() is { } row; index.Take())
        {
            IndexRow? read = Checked.TryBody(Family.Index, row.Key, row.Value, out var body) && IndexRow.TryRead(body, out var found) ? found : null;
            rows.Add((row.Key, read));
            // Position 0 has no row; what cannot be read leads nowhere.
            positions.Add(Keyspace.Position(read?.Position ?? 0));
        }

        var values = view.GetMany(Family.Log, positions);
        var bytes = 0L;
        for (var i = 0; i < rows.Count; i++)
        {
            var entry = values[i] is { } value && Checked.TryBody(Family.Log, positions[i], value, out var body) ? EntryRow.TryRead(body, NameOf(rows[i].Key)) : null;
            bytes += values[i]?.Length ?? 0;
            _page.Add(new(rows[i].Key, rows[i].Index, values[i], entry, IdKeyOf(entry), null));
        }

        // Payloads may be a megabyte each: the page shrinks until it fits, and grows again after.
        _rows = bytes > BytesWanted ? Math.Max(RowsMin, _rows / 2) : Math.Min(RowsMax, _rows * 2);
        FindIds();
    }

    AggregateKey? NameOf(ReadOnlySpan<byte> key)
    {
        var name = Keyspace.NameIn(key);
        if (_last is null || !_last.Row.SequenceEqual(name))
            _ = AggregateKey.TryRead(name, out _last);
        return _last;
    }

    static byte[]? IdKeyOf(EntryRow? entry)
    {
        if (entry is not { IsControl: false } || (entry.Flags & EntryRow.RowFlags.ClientId) == 0)
            return null;
        var key = new byte[entry.Aggregate!.Row.Length + 17];
        Keyspace.WriteEventId(key, entry.Aggregate, entry.EventId);
        return key;
    }

    void FindIds()
    {
        var keys = new List<byte[]>();
        foreach (var entry in _page)
        {
            if (entry.IdKey is not null)
                keys.Add(entry.IdKey);
        }

        var values = view.GetMany(Family.Ids, keys);
        for (int i = 0, next = 0; i < _page.Count && next < values.Length; i++)
        {
            if (_page[i].IdKey is not null)
                _page[i] = _page[i] with { IdValue = values[next++] };
        }
    }
}
