namespace EventDbx.Recovery;

/// <summary>What a damaged store still says of its plugins, as far as it holds for a log that may have lost its end.</summary>
/// <remarks>
/// Positions beyond what was kept will be those of other events: cursors go back to before them, and what waits or is dead there is
/// dropped. Where a row of a plugin is missing or cannot be read, nobody knows which events it stood for, and they would be passed over
/// for good; so that plugin begins again at the beginning of the log: better twice than never.
/// </remarks>
/// <param name="kept">Entries of the log that were kept.</param>
/// <param name="take">Told of each row to take over: its key and body.</param>
internal sealed class KeptDeliveries(ulong kept, Action<byte[], byte[]> take)
{
    readonly List<string> _restarted = [];
    byte[]? _name;
    PluginRow? _found;
    bool _whole;
    PluginRow _seen;
    PluginRow _kept;

    /// <summary>Rows that could not be read.</summary>
    public ulong LeftOut { get; private set; }

    /// <summary>Plugins of which one is missing or could not be read: they begin again at the beginning.</summary>
    public IReadOnlyList<string> Restarted => _restarted;

    /// <param name="source">The damaged store.</param>
    /// <param name="kept">Entries of the log that were kept.</param>
    /// <param name="take">Told of each row to take over: its key and body.</param>
    public static KeptDeliveries Read(IStorageView source, ulong kept, Action<byte[], byte[]> take)
    {
        var deliveries = new KeptDeliveries(kept, take);
        try
        {
            var rows = new RowCursor(source, Family.Plugins, Keyspace.FirstName.ToArray(), []);
            for (; rows.Peek() is { } row; rows.Take())
                deliveries.Next(row);
        }
        catch (StorageFailedException)
        {
            // The rest of the family cannot be read, and what was read of this plugin may not be all.
            deliveries._whole = false;
            deliveries.LeftOut++;
        }

        deliveries.End();
        return deliveries;
    }

    void Next(in Row row)
    {
        var zero = row.Key.AsSpan().IndexOf((byte)0);
        if (zero <= 0 || !System.Text.Unicode.Utf8.IsValid(row.Key.AsSpan(0, zero)))
        {
            LeftOut++;
            return;
        }

        if (_name is null || !row.Key.AsSpan(0, zero).SequenceEqual(_name))
        {
            End();
            (_name, _found, _whole, _seen, _kept) = (row.Key[..zero], null, true, default, default);
        }

        if (!Keyspace.TryReadPlugin(row.Key, out _, out var kind, out var rest) || !Checked.TryBody(Family.Plugins, row.Key, row.Value, out var body))
        {
            _whole = false;
            LeftOut++;
            return;
        }

        switch (kind)
        {
            case PluginRowKind.Plugin:
                _found = PluginRow.TryRead(body, out var plugin) ? plugin : null;
                if (_found is null)
                    LeftOut++;
                break;
            case PluginRowKind.Waiting:
                _seen = _seen with { Waiting = _seen.Waiting + 1 };
                if (Keeps(RefusedEventRow.TryReadWaiting(rest, body), row.Key, body))
                    _kept = _kept with { Waiting = _kept.Waiting + 1 };
                break;
            case PluginRowKind.Dead:
                _seen = _seen with { Dead = _seen.Dead + 1 };
                if (Keeps(RefusedEventRow.TryReadDead(rest, body), row.Key, body))
                    _kept = _kept with { Dead = _kept.Dead + 1 };
                break;
        }
    }

    bool Keeps(RefusedEventRow? row, byte[] key, ReadOnlyMemory<byte> body)
    {
        if (row is null)
        {
            _whole = false;
            LeftOut++;
        }

        if (row is null || row.Position > kept)
            return false;
        take(key, body.ToArray());
        return true;
    }

    void End()
    {
        if (_name is null)
            return;
        var whole = _whole && _found is { } found && found.Waiting == _seen.Waiting && found.Dead == _seen.Dead;
        if (!whole)
            _restarted.Add(Encoding.UTF8.GetString(_name));
        var body = new byte[PluginRow.EncodedBytes];
        (_kept with { Cursor = whole ? Math.Min(_found!.Value.Cursor, kept) : 0 }).Write(body);
        take(Keyspace.Plugin(Encoding.UTF8.GetString(_name)), body);
    }
}
