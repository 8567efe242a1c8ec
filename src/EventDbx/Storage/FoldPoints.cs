using System.Buffers.Binary;

namespace EventDbx.Storage;

/// <summary>The engine's own memory of states at every <see cref="Limits.FoldPointInterval"/>th version.</summary>
/// <remarks>
/// Rows of family <c>snapshots</c> with sequence 0: a sealed state blob. Snapshots (<see cref="SnapshotRow"/>) serve as well. Deleting
/// all of them changes no answer, only its cost.
/// </remarks>
internal static class FoldPoints
{
    public const uint Sequence = 0;

    public static void Put(WritePlan plan, AggregateKey aggregate, ulong version, AggregateCipher? cipher, ReadOnlySpan<byte> fields, NoncePool nonces)
    {
        var row = Checked.Open(plan, Family.Snapshots, Keyspace.Snapshot(aggregate, version, Sequence), Sealer.SealedBytes(cipher, fields.Length));
        Sealer.Seal(cipher, Purpose.Snapshot, Place(version), fields, row.Body, nonces);
        row.Close();
    }

    /// <summary>The state at a fold point, as its row holds it.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[] Open(byte[] key, ReadOnlyMemory<byte> body, ulong version, AggregateCipher? cipher)
    {
        var fields = new byte[Math.Max(0, Sealer.OpenedBytes(cipher, body.Length))];
        if (!Sealer.TryOpen(cipher, Purpose.Snapshot, Place(version), body.Span, fields) || !StateText.Validate(fields))
            throw Violation.OfRow(Family.Snapshots, key, "it does not open");
        return fields;
    }

    /// <summary>The state that a row of the family keeps, fold point or snapshot.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[] OpenAny(byte[] key, byte[] value, ulong version, uint sequence, AggregateCipher? cipher)
    {
        var body = Checked.Body(Family.Snapshots, key, value);
        if (sequence == Sequence)
            return Open(key, body, version, cipher);
        return (SnapshotRow.TryRead(body) ?? throw Violation.OfRow(Family.Snapshots, key, "it cannot be read")).Open(key, version, cipher);
    }

    /// <summary>The newest state kept at or below a version, as a fold point or a snapshot; or an empty state at version 0.</summary>
    public static (ulong Version, byte[] Fields) Nearest(IStorageView view, AggregateKey aggregate, ulong version, AggregateCipher? cipher)
    {
        var rows = view.Range(
            Family.Snapshots, Keyspace.Prefix(aggregate), Keyspace.Snapshot(aggregate, version, uint.MaxValue),
            rowsMax: 1, Limits.StateBytesMax * 2, backwards: true);
        if (rows.Count > 0)
        {
            var (key, value) = rows[0];
            return Keyspace.TryReadSnapshot(key, out _, out var at, out var sequence)
                ? (at, OpenAny(key, value, at, sequence, cipher))
                : throw Violation.OfRow(Family.Snapshots, key, "its key is not one of a remembered state");
        }

        return (0, StateText.Empty);
    }

    /// <summary>Where a state kept at this version belongs.</summary>
    public static byte[] Place(ulong version)
    {
        var place = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(place, version);
        return place;
    }
}
