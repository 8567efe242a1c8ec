namespace EventDbx.Storage;

/// <summary>Walks the rows of one family in key order, a page at a time, so that no walk holds more than a page.</summary>
/// <param name="view">Read from by one thread at a time.</param>
/// <param name="family">Which.</param>
/// <param name="from">The lowest key wanted.</param>
/// <param name="to">The lowest key that is not; empty for no bound.</param>
internal sealed class RowCursor(IStorageView view, Family family, byte[] from, byte[] to)
{
    IReadOnlyList<Row> _rows = [];
    byte[] _from = from;
    int _at;
    bool _ended;

    public Family Family => family;

    /// <summary>Rows taken so far.</summary>
    public ulong Taken { get; private set; }

    /// <summary>The row it stands at, or null at the end.</summary>
    public Row? Peek()
    {
        if (_at == _rows.Count && !_ended)
        {
            _rows = view.Range(family, _from, to, Limits.PageItemsMax, Limits.PageBytesMax);
            _at = 0;
            if (_rows.Count == 0)
                _ended = true;
            else
                _from = [.. _rows[^1].Key, 0];
        }

        return _at < _rows.Count ? _rows[_at] : null;
    }

    /// <summary>Moves on from the row that <see cref="Peek"/> showed.</summary>
    public void Take()
    {
        _at++;
        Taken++;
    }
}
