using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EventDbx.Verification;

/// <summary>The snapshots that somebody asked for against the entries that say so: as many, and the same.</summary>
/// <remarks>
/// Neither leads to the other, and there may be millions. So each adds a number to a sum that nobody can aim at, HMAC-SHA-256 of
/// what it says under a key drawn for this verify alone, and the sums are equal. Those of version 0 go when their aggregate
/// is removed, and are summed by aggregate.
/// </remarks>
/// <param name="most">Aggregates with snapshots at version 0 that are remembered; with more of them those snapshots are not compared.</param>
internal sealed class SnapshotLedger(int most)
{
    readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    readonly Dictionary<UInt128, UInt128> _ofVersion0 = [];
    bool _version0Known = true;
    UInt128 _sum;
    UInt128 _sumOfVersion0;
    string? _miscounted;

    /// <summary>Takes the next control entry in log order.</summary>
    public void Note(EntryRow entry)
    {
        if (entry.Type == LifecycleNames.Remove && LifecycleNames.Aggregate(entry.Subject) is { } removed)
            _ofVersion0.Remove(LifecycleLedger.KeyOf(removed));
        if (entry.Type != LifecycleNames.Snapshot)
            return;
        var number = NumberOf(entry.Subject, entry.CreatedAt, entry.Body.Span);
        if (!IsOfVersion0(entry.Body.Span) || LifecycleNames.Aggregate(entry.Subject) is not { } aggregate)
        {
            _sum += number;
            return;
        }

        var key = LifecycleLedger.KeyOf(aggregate);
        _ofVersion0[key] = _ofVersion0.GetValueOrDefault(key) + number;
        _version0Known &= _ofVersion0.Count <= most;
        if (!_version0Known)
            _ofVersion0.Clear();
    }

    /// <summary>Takes a snapshot row that is not automatic, once each.</summary>
    public void See(AggregateKey aggregate, ulong version, SnapshotRow snapshot)
    {
        var number = NumberOf(LifecycleNames.Subject(aggregate), snapshot.CreatedAt, LifecycleNames.SnapshotBody(version, snapshot.Comment));
        if (version == 0)
            _sumOfVersion0 += number;
        else
            _sum -= number;
    }

    /// <summary>Takes a head that counts otherwise: which snapshot is missing or too many says more, where that is it.</summary>
    public void Miscounted(string what) => _miscounted ??= what;

    /// <summary>All were seen, and no other, and heads count them as they are.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void End(IStorageView view)
    {
        var version0 = UInt128.Zero;
        foreach (var number in _ofVersion0.Values)
            version0 += number;
        if (_sum != 0 || (_version0Known && version0 != _sumOfVersion0))
            throw Find(view);
        if (_miscounted is not null)
            throw Violation.Of(_miscounted);
    }

    /// <summary>Names the first that has no counterpart. Slow, and only on the way to a violation; so it may remember them all.</summary>
    RefusedException Find(IStorageView view)
    {
        var rows = new Dictionary<UInt128, string>();
        var kept = new RowCursor(view, Family.Snapshots, Keyspace.FirstName.ToArray(), []);
        for (; kept.Peek() is { } row; kept.Take())
        {
            if (Keyspace.TryReadSnapshot(row.Key, out var name, out var version, out var sequence) && sequence >= SnapshotRow.FirstSequence
                && AggregateKey.TryRead(name, out var aggregate) && SnapshotRow.TryRead(Checked.Body(Family.Snapshots, row.Key, row.Value)) is { Automatic: false } snapshot)
                rows[NumberOf(LifecycleNames.Subject(aggregate), snapshot.CreatedAt, LifecycleNames.SnapshotBody(version, snapshot.Comment))] = $"{aggregate} at version {version}";
        }

        var log = new RowCursor(view, Family.Log, Keyspace.Position(1), []);
        for (; log.Peek() is { } row; log.Take())
        {
            if (!EntryRow.MayBeControl(row.Value) || EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is not { Type: LifecycleNames.Snapshot } entry)
                continue;
            if (!rows.Remove(NumberOf(entry.Subject, entry.CreatedAt, entry.Body.Span)) && !IsOfVersion0(entry.Body.Span))
                return Violation.Of($"The snapshot of {entry.Subject} that position {Keyspace.ReadPosition(row.Key)} speaks of is missing, or says something else of itself.");
        }

        return rows.Values.FirstOrDefault() is { } orphan
            ? Violation.Of($"The snapshot of {orphan} has no entry in the log that asked for it, or not with that time and comment.")
            : Violation.Of("There is another number of snapshots than the log speaks of.");
    }

    static bool IsOfVersion0(ReadOnlySpan<byte> body) => body.StartsWith("{\"version\":0"u8);

    UInt128 NumberOf(string subject, long time, ReadOnlySpan<byte> body)
    {
        var name = Encoding.UTF8.GetBytes(subject);
        var said = ControlOrigin.Without(body);
        var text = new byte[4 + name.Length + 8 + said.Length];
        BinaryPrimitives.WriteInt32BigEndian(text, name.Length);
        name.CopyTo(text, 4);
        BinaryPrimitives.WriteInt64BigEndian(text.AsSpan(4 + name.Length), time);
        said.CopyTo(text.AsSpan(12 + name.Length));
        return BinaryPrimitives.ReadUInt128BigEndian(HMACSHA256.HashData(_key, text));
    }
}
