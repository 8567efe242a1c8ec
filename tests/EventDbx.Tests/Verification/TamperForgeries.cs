using EventDbx.Encryption;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Verification;

/// <summary>Changes of many rows at once, by somebody who knows the format and, where it takes one, has the key.</summary>
internal sealed class TamperForgeries(TamperStore store, Random random)
{
    /// <summary>Rows of another store put in place of ours: those of every choice of families but all, and all.</summary>
    /// <param name="what">What the other store is.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="most">Choices at most.</param>
    public IEnumerable<TamperCell> Mixed(string what, IReadOnlyDictionary<Family, List<Row>> rows, int most) =>
        Choices(what, "", Difference(rows).ToLookup(GroupOf), most);

    /// <summary>The same for the rows of one aggregate at a time, those in the log included.</summary>
    public IEnumerable<TamperCell> MixedByAggregate(string what, IReadOnlyDictionary<Family, List<Row>> rows, int most) => Difference(rows)
        .GroupBy(NameOf)
        .Where(writes => writes.Key is not null)
        .SelectMany(writes => Choices($"{what}, of one aggregate", writes.Key!, writes.ToLookup(GroupOf), most));

    /// <summary>All rows of two aggregates exchanged, but for those in the log.</summary>
    public IEnumerable<TamperCell> Exchanged()
    {
        var heads = store.Rows[Family.Heads].Skip(1).Concat(store.Rows[Family.Archive].Skip(1)).Select(row => row.Key).ToList();
        for (var i = 1; i < heads.Count; i++)
            yield return new(Family.Heads, "exchange two aggregates, new checksums", Show(heads[i]), [.. Moved(heads[i - 1], heads[i]), .. Moved(heads[i], heads[i - 1])]);
    }

    /// <summary>States, archived states and remembered ones that were sealed again with the right key, and fit their heads.</summary>
    public IEnumerable<TamperCell> ForgedStates()
    {
        foreach (var row in store.Rows[Family.Heads].Skip(1))
        {
            Assert.True(AggregateKey.TryRead(row.Key, out var aggregate));
            var head = HeadRow.TryRead(Body(row))!;
            var cipher = store.Database.Keyring.Open(aggregate, head.WrappedKey);
            var plan = new WritePlan();
            StateRows.PutAll(plan, aggregate, head, cipher, Forged(aggregate), new NoncePool());
            var forged = new byte[head.EncodedBytes];
            head.Write(forged);
            var gone = store.Rows[Family.State].Where(state => Keyspace.NameIn(state.Key).SequenceEqual(aggregate.Row)).Select(state => new RowWrite(Family.State, state.Key, null));
            yield return new(Family.State, "forge the state and its digest", aggregate.ToString(), [.. gone, .. Writes(plan), TamperCells.Sealed(Family.Heads, row.Key, forged)]);
        }

        foreach (var row in store.Rows[Family.Archive].Skip(1))
        {
            Assert.True(AggregateKey.TryRead(row.Key, out var aggregate));
            var archive = ArchiveRow.Read(aggregate, Body(row), store.Database.Keyring);
            foreach (var (how, fields, time) in ((string, byte[], long)[])[("state", Forged(aggregate), archive.ArchivedAt), ("time", archive.Fields, archive.ArchivedAt + 1)])
            {
                (archive.Head.StateFields, archive.Head.StateBytes) = (StateText.FieldCount(fields), StateText.ContentBytes(fields));
                yield return new(Family.Archive, $"forge the archived {how}", aggregate.ToString(),
                    [TamperCells.Sealed(Family.Archive, row.Key, ArchiveRow.Write(aggregate, archive.Head, fields, time, archive.Cipher, new NoncePool()))]);
            }
        }

        foreach (var row in store.Rows[Family.Snapshots].Skip(1))
        {
            Assert.True(Keyspace.TryReadSnapshot(row.Key, out var name, out var version, out var sequence));
            Assert.True(AggregateKey.TryRead(name, out var aggregate));
            var cipher = Cipher(aggregate);
            if (sequence == FoldPoints.Sequence)
            {
                var plan = new WritePlan();
                FoldPoints.Put(plan, aggregate, version, cipher, Forged(aggregate), new NoncePool());
                yield return new(Family.Snapshots, "forge a remembered state", $"{aggregate} {version}", [.. Writes(plan)]);
                continue;
            }

            var kept = SnapshotRow.TryRead(Body(row))!;
            yield return new(Family.Snapshots, "forge a snapshot", $"{aggregate} {version}",
                [TamperCells.Sealed(Family.Snapshots, row.Key, SnapshotRow.Write(kept.Automatic, kept.CreatedAt, kept.Root, kept.Comment, version, Forged(aggregate), cipher, new NoncePool()))]);
        }
    }

    /// <summary>The cipher of an aggregate, archived or not.</summary>
    public AggregateCipher? Cipher(AggregateKey aggregate)
    {
        var head = store.Value(Family.Heads, aggregate.Row.ToArray()) is { } active
            ? HeadRow.TryRead(active.AsMemory(..^Checked.TrailerBytes))!
            : ArchiveRow.ReadHead(aggregate, store.Value(Family.Archive, aggregate.Row.ToArray())!.AsMemory(..^Checked.TrailerBytes));
        return store.Database.Keyring.Open(aggregate, head.WrappedKey);
    }

    /// <summary>Where two sets of rows differ, as what makes ours the other.</summary>
    public IEnumerable<RowWrite> Difference(IReadOnlyDictionary<Family, List<Row>> other)
    {
        foreach (var family in Families.All)
        {
            var theirs = other[family].ToDictionary(row => row.Key, row => row.Value, ByteComparer.Instance);
            foreach (var row in store.Rows[family])
            {
                if (!theirs.Remove(row.Key, out var value))
                    yield return new(family, row.Key, null);
                else if (!value.AsSpan().SequenceEqual(row.Value))
                    yield return new(family, row.Key, value);
            }

            foreach (var (key, value) in theirs)
                yield return new(family, key, value);
        }
    }

    IEnumerable<TamperCell> Choices(string what, string of, ILookup<string, RowWrite> groups, int most)
    {
        var names = groups.Select(group => group.Key).Order(StringComparer.Ordinal).ToList();
        var choices = Enumerable.Range(1, (1 << names.Count) - 1).ToList();
        // All of them is always among those taken.
        while (choices.Count > most)
            choices.RemoveAt(random.Next(choices.Count - 1));
        foreach (var choice in choices)
        {
            var chosen = names.Where((_, i) => (choice >> i & 1) != 0).ToList();
            yield return new(groups[chosen[0]].First().Family, what, $"{of} {string.Join('+', chosen)}".Trim(), [.. chosen.SelectMany(name => groups[name])]);
        }
    }

    string GroupOf(RowWrite write) => write.Key.AsSpan().SequenceEqual(Keyspace.Reflects) || (write.Family == Family.Meta && write.Key.AsSpan().SequenceEqual(Keyspace.LogRow))
        ? "sizes"
        : Families.NameOf(write.Family);

    string? NameOf(RowWrite write)
    {
        switch (write.Family)
        {
            case Family.Log when write.Key.Length == 8:
                var entry = EntryRow.TryRead(Body(new(write.Key, write.Value ?? store.Value(Family.Log, write.Key)!)))!;
                return entry.IsControl ? null : entry.Aggregate!.ToString();
            case Family.Heads or Family.Archive or Family.Index or Family.State or Family.Ids or Family.Snapshots:
                return AggregateKey.TryRead(Keyspace.NameIn(write.Key), out var aggregate) ? aggregate.ToString() : null;
            default:
                return null;
        }
    }

    List<RowWrite> Moved(byte[] from, byte[] to)
    {
        var writes = new List<RowWrite>();
        foreach (var family in (Family[])[Family.Heads, Family.Archive, Family.Index, Family.State, Family.Ids, Family.Snapshots])
        {
            foreach (var row in store.Rows[family].Where(row => Keyspace.NameIn(row.Key).SequenceEqual(from)))
                writes.Add(TamperCells.Sealed(family, [.. to, .. row.Key.AsSpan(from.Length)], Body(row)));
            foreach (var row in store.Rows[family].Where(row => Keyspace.NameIn(row.Key).SequenceEqual(to)))
            {
                if (store.Value(family, [.. from, .. row.Key.AsSpan(to.Length)]) is null)
                    writes.Add(new(family, row.Key, null));
            }
        }

        return writes;
    }

    byte[] Forged(AggregateKey aggregate)
    {
        var fold = new StateFold(store.Database.OpenSession().GetAggregate(aggregate).Fields.ToArray());
        fold.Apply("""{"n":"forged"}"""u8);
        return fold.Fields;
    }

    static List<RowWrite> Writes(WritePlan plan)
    {
        var writes = new List<RowWrite>();
        foreach (var put in plan)
            writes.Add(new(put.Family, put.Key.ToArray(), put.Value.ToArray()));
        return writes;
    }

    static byte[] Body(Row row) => row.Value[..^Checked.TrailerBytes];

    static string Show(byte[] name) => Violation.Show(Family.Heads, name);
}
