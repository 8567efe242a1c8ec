using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Verification;

/// <summary>What can be changed in a store, as the matrix names it, with the rows that are it.</summary>
/// <param name="Name">As the matrix shows it.</param>
/// <param name="Family">Where its rows are.</param>
/// <param name="Is">Which of them.</param>
internal sealed record TamperPlace(string Name, Family Family, Func<Row, bool> Is)
{
    static readonly Func<Row, bool> Any = static row => !row.Key.AsSpan().SequenceEqual(Keyspace.Reflects);

    /// <summary>Families whose keys begin with an aggregate's name.</summary>
    public bool IsOfAggregates => Family is Family.Heads or Family.Archive or Family.Index or Family.State or Family.Ids or Family.Snapshots;

    public static IReadOnlyList<TamperPlace> All { get; } =
    [
        new("event entry", Family.Log, static row => Any(row) && !EntryRow.MayBeControl(row.Value)),
        new("control entry", Family.Log, static row => Any(row) && EntryRow.MayBeControl(row.Value)),
        new("head", Family.Heads, Any),
        new("state in one row", Family.State, static row => Any(row) && row.Key.AsSpan().Count((byte)0) == 1),
        new("state in a row a field", Family.State, static row => Any(row) && row.Key.AsSpan().Count((byte)0) > 1),
        new("archive record", Family.Archive, Any),
        new("index row", Family.Index, Any),
        new("id row", Family.Ids, Any),
        new("fold point", Family.Snapshots, static row => Any(row) && Sequence(row) == 0),
        new("snapshot that was asked for", Family.Snapshots, static row => Any(row) && Sequence(row) > 0 && !IsAutomatic(row)),
        new("automatic snapshot", Family.Snapshots, static row => Any(row) && Sequence(row) > 0 && IsAutomatic(row)),
        new("tile", Family.Tree, Any),
        new("checkpoint", Family.Checkpoints, Any),
        new("size and frontier of the log", Family.Meta, static row => row.Key.AsSpan().SequenceEqual(Keyspace.LogRow)),
        new("how far a family reflects the log", Family.Index, static row => row.Key.AsSpan().SequenceEqual(Keyspace.Reflects)),
        new("what the store is", Family.Meta, static row => row.Key.AsSpan().SequenceEqual(Keyspace.StoreRow)),
        new("schema row", Family.Meta, static row => row.Key.AsSpan().StartsWith(Keyspace.SchemaPrefix)),
        new("token row", Family.Tokens, Any),
    ];

    /// <summary>At most so many of its rows: the first, the last, and between them.</summary>
    public List<Row> Rows(TamperStore store, int most)
    {
        var all = store.Rows[Family].Where(Is).ToList();
        return all.Count <= most ? all : [.. Enumerable.Range(0, most).Select(i => all[i * (all.Count - 1) / (most - 1)])];
    }

    static uint Sequence(Row row) => Keyspace.TryReadSnapshot(row.Key, out _, out _, out var sequence) ? sequence : 0;

    static bool IsAutomatic(Row row) => SnapshotRow.TryRead(row.Value.AsMemory(..^Checked.TrailerBytes)) is { Automatic: true };
}

/// <summary>The changes of one place: for each operation the writes, or why there is none.</summary>
internal sealed class TamperPlaceCells(TamperStore store, TamperPlace place)
{
    static readonly int FlipsMax = Effort.Choose(2, 40, 40);

    readonly List<Row> _rows = place.Rows(store, 3);

    public IEnumerable<(string Operation, string What, RowWrite[] Writes)> All()
    {
        foreach (var (row, first) in _rows.Select((row, i) => (row, i == 0)))
        {
            var what = Violation.Show(place.Family, row.Key);
            foreach (var (operation, writes) in OfRow(row, first))
                yield return (operation, what, writes);
        }

        if (_rows.Count == 3)
        {
            var (a, b, c) = (_rows[0], _rows[1], _rows[2]);
            yield return ("reorder", "three in a ring", [Sealed(a.Key, b), Sealed(b.Key, c), Sealed(c.Key, a)]);
        }

        foreach (var (operation, what, writes) in Special())
            yield return (operation, what, writes);
    }

    IEnumerable<(string, RowWrite[])> OfRow(Row row, bool thorough)
    {
        var body = Body(row);
        var step = Math.Max(1, (body.Length + FlipsMax - 1) / FlipsMax);
        for (var at = 0; thorough && at < body.Length; at += step)
        {
            var flipped = body.ToArray();
            flipped[at] ^= (byte)(1 << (at % 8));
            yield return ("flip a bit", [TamperCells.Sealed(place.Family, row.Key, flipped)]);
        }

        var raw = row.Value.ToArray();
        raw[raw.Length / 2] ^= 1;
        yield return ("flip a bit", [new(place.Family, row.Key, raw)]);

        yield return ("replace", [TamperCells.Sealed(place.Family, row.Key, [.. body.Select((b, i) => (byte)(b ^ (i * 37) ^ 0x5a))])]);
        if (_rows.Find(other => !other.Value.AsSpan().SequenceEqual(row.Value)) is { Key: not null } other)
        {
            yield return ("replace", [new(place.Family, row.Key, other.Value)]);
            yield return ("replace", [Sealed(row.Key, other)]);
            yield return ("swap two", [new(place.Family, row.Key, other.Value), new(place.Family, other.Key, row.Value)]);
            yield return ("swap two", [Sealed(row.Key, other), Sealed(other.Key, row)]);
        }

        yield return ("delete", [new(place.Family, row.Key, null)]);
        foreach (var key in (byte[][])[Next(row.Key), [.. row.Key, 7], [.. row.Key, 0, 7]])
        {
            if (store.Value(place.Family, key) is null)
                yield return ("duplicate", [Sealed(key, row)]);
        }

        yield return ("truncate", [new(place.Family, row.Key, row.Value[..(row.Value.Length / 2)])]);
        foreach (var length in (int[])[0, body.Length / 2, body.Length - 1])
            yield return ("truncate", [TamperCells.Sealed(place.Family, row.Key, body.AsSpan(0, length))]);
        if (store.OldRows[place.Family].Find(old => old.Key.AsSpan().SequenceEqual(row.Key)) is { Key: not null } old && !old.Value.AsSpan().SequenceEqual(row.Value))
            yield return ("put back an old value", [new(place.Family, row.Key, old.Value)]);
        if (!place.IsOfAggregates)
            yield break;
        var rest = row.Key[Keyspace.NameIn(row.Key).Length..];
        foreach (var name in (byte[][])[[.. "order\0nobody"u8], [.. "Ärger/%\0ü:1"u8], [.. "order\0empty"u8]])
        {
            if (store.Value(place.Family, [.. name, .. rest]) is null)
            {
                yield return ("move to another aggregate", [Sealed([.. name, .. rest], row), new(place.Family, row.Key, null)]);
                yield return ("move to another aggregate", [Sealed([.. name, .. rest], row)]);
            }
        }
    }

    /// <summary>What takes more than one row, or the data key.</summary>
    IEnumerable<(string, string, RowWrite[])> Special()
    {
        var forgeries = new TamperForgeries(store, new(1));
        switch (place.Name)
        {
            case "event entry":
                foreach (var row in _rows)
                {
                    yield return ("re-type JSON", "a number becomes a text, with the key", [Retyped(row, forgeries)]);
                    var parts = EntryParts.Of(Body(row)).With("aggregate type", "order"u8.ToArray()).With("aggregate id", "nobody"u8.ToArray());
                    var entry = EntryRow.TryRead(Body(row))!;
                    var index = Keyspace.Versioned(entry.Aggregate!, entry.Version);
                    var moved = Keyspace.Versioned(AggregateKey.Create("order", "nobody"), entry.Version);
                    yield return ("move to another aggregate", "its name alone", [TamperCells.Sealed(Family.Log, row.Key, parts.Write())]);
                    yield return ("move to another aggregate", "its index row too",
                        [TamperCells.Sealed(Family.Log, row.Key, parts.Write()), TamperCells.Sealed(Family.Index, moved, store.Value(Family.Index, index)!.AsSpan(..^Checked.TrailerBytes)), new(Family.Index, index, null)]);
                }

                // Two neighbours in the log change places, and the index follows.
                var (one, two) = (EntryRow.TryRead(Body(Position(100)))!, EntryRow.TryRead(Body(Position(101)))!);
                yield return ("reorder", "two neighbours, the index follows",
                    [Sealed(Keyspace.Position(100), Position(101)), Sealed(Keyspace.Position(101), Position(100)), At(one, 101), At(two, 100)]);
                break;
            case "control entry":
                foreach (var row in _rows)
                {
                    var body = Body(row);
                    var json = EntryRow.TryRead(body)!.Body.Length;
                    body[^(json - 1)] = body[^(json - 1)] == (byte)'"' ? (byte)' ' : (byte)'"';
                    yield return ("re-type JSON", "a member more or less", [TamperCells.Sealed(Family.Log, row.Key, body)]);
                    var moved = Body(row);
                    var subject = Encoding.UTF8.GetBytes(EntryRow.TryRead(moved)!.Subject);
                    moved[moved.AsSpan().IndexOf(subject) + subject.Length - 1] ^= 1;
                    yield return ("move to another aggregate", "another subject", [TamperCells.Sealed(Family.Log, row.Key, moved)]);
                }

                break;
            case "schema row":
                foreach (var row in _rows)
                {
                    var text = Encoding.Latin1.GetString(Body(row)).Replace(":2,", ":9,", StringComparison.Ordinal).Replace(":false", ":true ", StringComparison.Ordinal).Replace("{}", "[]", StringComparison.Ordinal);
                    yield return ("re-type JSON", "a value of another type", [TamperCells.Sealed(Family.Meta, row.Key, Encoding.Latin1.GetBytes(text))]);
                }

                break;
            case "state in one row" or "state in a row a field" or "archive record" or "snapshot that was asked for" or "automatic snapshot" or "fold point":
                foreach (var cell in forgeries.ForgedStates().Where(cell => cell.Family == place.Family))
                {
                    yield return ("re-type JSON", $"{cell.Row}, a number becomes a text, with the key", [.. cell.Writes]);
                    yield return ("recompute everything", $"{cell.Row}, with the key, digest and head too", [.. cell.Writes]);
                }

                break;
            case "id row":
                foreach (var row in _rows.Take(1))
                {
                    // The entry says no more that a client chose the id, and its row is gone.
                    var entry = store.Rows[Family.Log].Find(log => EntryRow.TryRead(Body(log)) is { IsControl: false } e && (e.Flags & (EntryRow.RowFlags.ClientId | EntryRow.RowFlags.Patch)) == EntryRow.RowFlags.ClientId
                        && row.Key.AsSpan().StartsWith(e.Aggregate!.Row) && row.Key.AsSpan().EndsWith(e.EventId.ToByteArray(bigEndian: true)));
                    var body = Body(entry);
                    body[1] &= (byte)~EntryRow.RowFlags.ClientId;
                    yield return ("recompute everything", "the entry's flag too", [new(Family.Ids, row.Key, null), TamperCells.Sealed(Family.Log, entry.Key, body)]);
                }

                break;
        }
    }

    static RowWrite Retyped(Row row, TamperForgeries forgeries)
    {
        var entry = EntryRow.TryRead(Body(row))!;
        var cipher = forgeries.Cipher(entry.Aggregate!);
        Assert.True(EventBody.TryOpen(cipher, entry, out var salt, out var payload));
        var before = Encoding.UTF8.GetString(payload.Span);
        var text = before == "{}" ? "[]" : System.Text.RegularExpressions.Regex.Replace(before, "\"n\":([0-9]+)", "\"n\":\"$1\"");
        Assert.NotEqual(before, text);
        var body = EventBody.Seal(cipher, entry.EventId, salt.Span, Encoding.UTF8.GetBytes(text), new());
        return TamperCells.Sealed(Family.Log, row.Key, EntryParts.Of(Body(row)).With("sealed payload", body).Write());
    }

    RowWrite At(EntryRow entry, ulong position)
    {
        var key = Keyspace.Versioned(entry.Aggregate!, entry.Version);
        Assert.True(IndexRow.TryRead(store.Value(Family.Index, key)!.AsMemory(..^Checked.TrailerBytes), out var index));
        var body = new byte[IndexRow.EncodedBytes];
        (index with { Position = position }).Write(body);
        return TamperCells.Sealed(Family.Index, key, body);
    }

    Row Position(ulong position) => new(Keyspace.Position(position), store.Value(Family.Log, Keyspace.Position(position))!);

    RowWrite Sealed(byte[] key, Row row) => TamperCells.Sealed(place.Family, key, Body(row));

    static byte[] Body(Row row) => row.Value[..^Checked.TrailerBytes];

    static byte[] Next(byte[] key)
    {
        var next = key.ToArray();
        next[^1]++;
        return next;
    }
}
