namespace EventDbx.Recovery;

/// <summary>Reads the log of a damaged store from its beginning, as far as it can be believed.</summary>
/// <remarks>
/// Each entry becomes the operation that would write it again byte for byte, together with everything that is an index of
/// it. It stops at the first entry that is missing, unreadable or sealed for another place; what comes after has lost its
/// foundation. A batch is handed out whole or not at all. The key of an aggregate stands in the entry that begins it: those that were read
/// are kept until they are too many, and found again where their aggregates have been written.
/// </remarks>
internal sealed class LogReplay(IStorageView view, Keyring keyring)
{
    readonly Dictionary<AggregateKey, ReadOnlyMemory<byte>> _keys = [];

    /// <summary>Keys that are kept at most, but for those of one batch.</summary>
    public int KeysMax { get; init; } = Limits.ReplayKeysMax;

    /// <summary>Finds the wrapped key of an aggregate that has been written; empty where there is none.</summary>
    public Func<AggregateKey, ReadOnlyMemory<byte>> FindWritten { get; set; } = static _ => default;

    /// <summary>Keys that are kept.</summary>
    public int KeysKept => _keys.Count;

    /// <summary>Whether it is time to write what was read, and to <see cref="ForgetKeys"/>.</summary>
    public bool HasManyKeys => _keys.Count >= KeysMax;

    /// <summary>Every aggregate of which an entry was handed out has been written, and its key is found there.</summary>
    public void ForgetKeys() => _keys.Clear();

    /// <summary>The last entry that is read: the end of a batch, or of the log.</summary>
    public ulong Last { get; init; } = ulong.MaxValue;

    /// <summary>Why it ended before the end; null when there was simply nothing more.</summary>
    public string? Stopped { get; private set; }

    /// <summary>Whether it ended because a key did not open: a damaged one, or not the key of this store.</summary>
    public bool KeyRefused { get; private set; }

    /// <summary>One commit a batch, or an entry outside a batch; in log order.</summary>
    public IEnumerable<PendingCommit> Read()
    {
        var batch = new List<Operation>();
        foreach (var (entry, position) in ReadEntries())
        {
            if ((entry.IsControl ? Control(entry, position) : Append(entry, position)) is not { } operation)
                break;
            var place = Math.Max((ushort)1, entry.BatchIndex);
            if (place != batch.Count + 1)
            {
                Stopped = $"place {place} of a batch follows where place {batch.Count + 1} is due";
                yield break;
            }

            batch.Add(operation);
            if (batch.Count < entry.BatchCount)
                continue;
            yield return new([.. batch]);
            batch.Clear();
        }

        if (batch.Count > 0)
            Stopped = $"the last batch is cut after {batch.Count} of its entries{(Stopped is null ? "" : $"; {Stopped}")}";
    }

    /// <summary>How many entries there are of whole batches, none of them opened: as many as can be handed out, at most.</summary>
    public ulong CountReadable()
    {
        var whole = 0UL;
        foreach (var (entry, position) in ReadEntries())
            whole = entry.BatchIndex >= entry.BatchCount ? position : whole;
        return whole;
    }

    IEnumerable<(EntryRow Entry, ulong Position)> ReadEntries()
    {
        for (ulong next = 1; ReadRows(next) is { Count: > 0 } rows;)
        {
            foreach (var (key, value) in rows)
            {
                if (key.Length != sizeof(ulong))
                    Stopped = $"a row of the log has the key {Convert.ToHexString(key)}";
                else if (Keyspace.ReadPosition(key) is var position && position != next)
                    Stopped = $"entries {next} to {position - 1} are missing";
                else if (!Checked.TryBody(Family.Log, key, value, out var body) || EntryRow.TryRead(body) is not { } entry)
                    Stopped = $"entry {next} cannot be read";
                else
                {
                    yield return (entry, next);
                    next++;
                    continue;
                }

                yield break;
            }
        }
    }

    /// <summary>The next rows; where a table is damaged, as many as lie before the damage.</summary>
    IReadOnlyList<Row> ReadRows(ulong from)
    {
        for (var rows = Limits.PageItemsMax; ; rows = (rows + 1) / 2)
        {
            try
            {
                return from > Last ? [] : view.Range(Family.Log, Keyspace.Position(from), Last == ulong.MaxValue ? default(ReadOnlySpan<byte>) : Keyspace.Position(Last + 1), rows, Limits.PageBytesMax);
            }
            catch (Exception cause) when (rows > 1 && Salvage.IsUnreadable(cause))
            {
            }
            catch (Exception cause) when (Salvage.IsUnreadable(cause))
            {
                Stopped = $"entry {from} cannot be read: {cause.Message}";
                return [];
            }
        }
    }

    /// <summary>The aggregate's cipher; false when its key does not open.</summary>
    bool TryOpenKey(AggregateKey aggregate, EntryRow entry, ulong position, out AggregateCipher? cipher)
    {
        cipher = null;
        if (!entry.WrappedKey.IsEmpty)
            _keys[aggregate] = entry.WrappedKey.ToArray(); // A copy: it is a part of the whole row.
        try
        {
            if (keyring.Encrypted && !_keys.ContainsKey(aggregate) && FindWritten(aggregate) is { IsEmpty: false } written)
                _keys[aggregate] = written;
            cipher = keyring.Open(aggregate, _keys.GetValueOrDefault(aggregate));
            return true;
        }
        catch (RefusedException refused)
        {
            (Stopped, KeyRefused) = ($"entry {position}: {refused.Message}", true);
            return false;
        }
    }

    AppendOperation? Append(EntryRow entry, ulong position)
    {
        if (!TryOpenKey(entry.Aggregate!, entry, position, out var cipher))
            return null;
        if (EventBody.TryOpen(cipher, entry, out var salt, out var text) && JsonPayload.TryParse(text.Span, out var payload, out _))
            return RecordedOperations.Event(entry, cipher, salt, payload, mirrored: null);
        Stopped = $"the payload of entry {position} does not open";
        return null;
    }

    Operation? Control(EntryRow entry, ulong position)
    {
        AggregateCipher? cipher = null;
        if (RecordedOperations.Begun(entry) is { } begun && !TryOpenKey(begun, entry, position, out cipher))
            return null;
        if (RecordedOperations.Control(entry, cipher, mirrored: false, out var why) is { } operation)
            return operation;
        Stopped = $"entry {position} cannot be read: {why}";
        return null;
    }
}
