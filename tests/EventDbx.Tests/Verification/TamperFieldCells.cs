using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Verification;

/// <summary>The changes of each field in the row of an event, the rest of it left as it is, with the checksum it would have.</summary>
internal sealed class TamperFieldCells
{
    static readonly int FlipsMax = Effort.Choose(2, 24, 24);

    readonly List<(byte[] Key, EntryParts Parts)> _entries;

    public TamperFieldCells(TamperStore store) => _entries =
    [
        .. TamperPlace.All[0].Rows(store, int.MaxValue).Where(row => EntryRow.TryRead(row.Value.AsMemory(..^Checked.TrailerBytes))!.Aggregate!.Type is "order" or "part")
            .Select(row => (row.Key, EntryParts.Of(row.Value.AsSpan(..^Checked.TrailerBytes)))),
    ];

    public IEnumerable<string> Names => _entries.SelectMany(entry => entry.Parts.Parts.Select(part => part.Name)).Distinct().Order(StringComparer.Ordinal);

    public IEnumerable<(string Operation, RowWrite[] Writes)> Of(string name)
    {
        var having = _entries.FindAll(entry => entry.Parts.Find(name) is not null);
        var (key, parts) = having[0];
        Assert.Equal(parts.Write(), parts.With("nothing", null).Write());
        var part = parts.Find(name)!;
        var step = Math.Max(1, (part.Content.Length + FlipsMax - 1) / FlipsMax);
        for (var at = 0; at < part.Content.Length; at += step)
        {
            for (var bit = at % 8; bit < 8; bit += name == "format and flags" ? 1 : 8)
            {
                var flipped = part.Content.ToArray();
                flipped[at] ^= (byte)(1 << bit);
                yield return ("flip a bit", [Write(key, parts.With(name, flipped))]);
            }
        }

        yield return ("replace", [Write(key, parts.With(name, [.. part.Content.Select((b, i) => part.PrefixBytes == 2 ? (byte)('a' + (i % 26)) : (byte)(b ^ 0x5a ^ i))]))]);
        foreach (var (otherKey, other) in having.Where(entry => !entry.Parts.Find(name)!.Content.AsSpan().SequenceEqual(part.Content)).Take(3))
        {
            var theirs = other.Find(name)!.Content;
            yield return ("replace", [Write(key, parts.With(name, theirs))]);
            yield return ("swap two", [Write(key, parts.With(name, theirs)), Write(otherKey, other.With(name, part.Content))]);
            if (name == "sealed payload")
                yield return ("move to another aggregate", [Write(key, parts.With(name, theirs))]);
        }

        if (part.PrefixBytes > 0)
        {
            yield return ("delete", [Write(key, parts.With(name, []))]);
            yield return ("duplicate", [Write(key, parts.With(name, [.. part.Content, .. part.Content]))]);
        }

        var flag = name switch
        {
            "note" => EntryRow.RowFlags.Note,
            "place in its batch" => EntryRow.RowFlags.Batch,
            "request fingerprint" => EntryRow.RowFlags.Patch,
            "wrapped key" => EntryRow.RowFlags.Key,
            _ => EntryRow.RowFlags.None,
        };
        if (flag != EntryRow.RowFlags.None)
            yield return ("delete", [Write(key, Without(parts, name, flag))]);
        byte[] backwards = [.. part.Content.Reverse()];
        if (!backwards.AsSpan().SequenceEqual(part.Content))
            yield return ("reorder", [Write(key, parts.With(name, backwards))]);
        yield return ("truncate", [Write(key, parts.With(name, part.Content[..^1]))]);
        switch (name)
        {
            case "place in its batch":
                // The whole batch says that it was none: five neighbours.
                yield return ("recompute everything", [.. having.Take(5).Select(entry => Write(entry.Key, Without(entry.Parts, name, flag)))]);
                break;
            case "request fingerprint":
                // Entry and id row speak of the same other request.
                var other = part.Content.Select(b => (byte)~b).ToArray();
                var idKey = new byte[Keyspace.KeyBytesMax];
                var entry = EntryRow.TryRead(parts.Write())!;
                idKey = idKey[..Keyspace.WriteEventId(idKey, entry.Aggregate!, entry.EventId)];
                var id = new byte[IdRow.EncodedBytes];
                new IdRow(entry.Version, Hash32.Read(other)).Write(id);
                yield return ("recompute everything", [Write(key, parts.With(name, other)), TamperCells.Sealed(Family.Ids, idKey, id)]);
                break;
            case "schema revision":
                var enforced = having.Find(entry => entry.Parts.Find(name)!.Content.AsSpan().IndexOfAnyExcept((byte)0) >= 0);
                yield return ("recompute everything", [Write(enforced.Key, enforced.Parts.With(name, new byte[8]))]);
                break;
        }
    }

    static EntryParts Without(EntryParts parts, string name, EntryRow.RowFlags flag)
    {
        var flags = parts.Find("format and flags")!.Content.ToArray();
        flags[1] &= (byte)~flag;
        return parts.With(name, null).With("format and flags", flags);
    }

    static RowWrite Write(byte[] key, EntryParts parts) => TamperCells.Sealed(Family.Log, key, parts.Write());
}
