using EventDbx.Storage;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Verification;

/// <summary>One way to change a stored row.</summary>
internal sealed record TamperCell(Family Family, string Operation, string Row, IReadOnlyList<RowWrite> Writes)
{
    public override string ToString() => $"{Families.NameOf(Family)} × {Operation}: {Row}";
}

/// <summary>Generates the cells of the tamper matrix from whatever rows a store has.</summary>
internal sealed class TamperCells(TamperStore store, Random random)
{
    /// <summary>Every single-row and two-row operation on a sample of each family's rows.</summary>
    public IEnumerable<TamperCell> OfRows(int rowsMax, int flips)
    {
        foreach (var family in Families.All)
        {
            var rows = store.Rows[family];
            // The first row says how far the family reflects the log; the others are drawn.
            foreach (var row in rows.Take(1).Concat(Draw(rows.Skip(1), rowsMax)))
            {
                foreach (var (operation, writes) in OfRow(family, row, flips))
                    yield return new(family, operation, EventDbx.Integrity.Violation.Show(family, row.Key), writes);
            }
        }
    }

    IEnumerable<(string, RowWrite[])> OfRow(Family family, Row row, int flips)
    {
        var body = row.Value[..^Checked.TrailerBytes];
        foreach (var at in Draw(Enumerable.Range(0, body.Length), flips))
            yield return ("flip a bit, new checksum", [Sealed(family, row.Key, Flip(body, at))]);
        foreach (var at in Draw(Enumerable.Range(0, row.Value.Length), Math.Max(1, flips / 4)))
            yield return ("flip a bit", [new(family, row.Key, Flip(row.Value, at))]);

        yield return ("delete", [new(family, row.Key, null)]);
        yield return ("empty", [new(family, row.Key, [])]);
        yield return ("truncate", [new(family, row.Key, row.Value[..random.Next(row.Value.Length)])]);
        if (body.Length > 0)
            yield return ("truncate, new checksum", [Sealed(family, row.Key, body.AsSpan(0, random.Next(body.Length)))]);
        yield return ("lengthen, new checksum", [Sealed(family, row.Key, [.. body, .. Bytes(random.Next(1, 40))])]);
        yield return ("random bytes, new checksum", [Sealed(family, row.Key, Bytes(body.Length))]);

        foreach (var other in Draw(store.Rows[family].Where(o => !ReferenceEquals(o.Key, row.Key)), 2))
        {
            var otherBody = other.Value[..^Checked.TrailerBytes];
            yield return ("replace by another", [new(family, row.Key, other.Value)]);
            yield return ("replace by another, new checksum", [Sealed(family, row.Key, otherBody)]);
            yield return ("swap", [new(family, row.Key, other.Value), new(family, other.Key, row.Value)]);
            yield return ("swap, new checksums", [Sealed(family, row.Key, otherBody), Sealed(family, other.Key, body)]);
        }

        foreach (var (how, key) in OtherKeys(family, row.Key))
        {
            if (store.Value(family, key) is not null)
                continue;
            yield return ($"duplicate {how}", [new(family, key, row.Value)]);
            yield return ($"duplicate {how}, new checksum", [Sealed(family, key, body)]);
            yield return ($"move {how}, new checksum", [Sealed(family, key, body), new(family, row.Key, null)]);
        }

        foreach (var to in Draw(Families.All.Where(other => other != family && store.Value(other, row.Key) is null), 1))
            yield return ("duplicate in another family, new checksum", [Sealed(to, row.Key, body)]);
    }

    /// <summary>Keys near a key: the next one, one that is longer or shorter, the same of another or an unknown aggregate.</summary>
    IEnumerable<(string, byte[])> OtherKeys(Family family, byte[] key)
    {
        var next = key.ToArray();
        next[^1]++;
        yield return ("under the next key", next);
        yield return ("under a longer key", [.. key, .. Bytes(random.Next(1, 12))]);
        // What stands behind a zero byte is, in some families, no part of the name.
        yield return ("under a key with one part more", [.. key, 0, .. Bytes(random.Next(0, 10))]);
        if (key.Length > 1)
            yield return ("under a shorter key", key[..random.Next(1, key.Length)]);
        if (family is not (Family.Heads or Family.Archive or Family.Index or Family.State or Family.Ids or Family.Snapshots) || key.Length < 3)
            yield break;
        var rest = key[Keyspace.NameIn(key).Length..];
        yield return ("under an unknown aggregate", [.. "order\0nobody"u8, .. rest]);
        foreach (var head in Draw(store.Rows[Family.Heads].Skip(1), 1))
            yield return ("under another aggregate", [.. head.Key, .. rest]);
    }

    byte[] Flip(byte[] value, int at)
    {
        var flipped = value.ToArray();
        flipped[at] ^= (byte)(1 << random.Next(8));
        return flipped;
    }

    byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    List<T> Draw<T>(IEnumerable<T> from, int most)
    {
        var all = from.ToList();
        for (var i = 0; i < Math.Min(most, all.Count); i++)
        {
            var other = random.Next(i, all.Count);
            (all[i], all[other]) = (all[other], all[i]);
        }

        return all.Count <= most ? all : all[..most];
    }

    /// <summary>A row with the checksum it would have.</summary>
    public static RowWrite Sealed(Family family, byte[] key, ReadOnlySpan<byte> body)
    {
        var plan = new WritePlan();
        Checked.Put(plan, family, key, body);
        foreach (var put in plan)
            return new(family, key, put.Value.ToArray());
        throw new InvalidOperationException();
    }
}
