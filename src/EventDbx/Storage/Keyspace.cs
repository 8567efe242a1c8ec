using System.Buffers.Binary;

namespace EventDbx.Storage;

/// <summary>Every key of the store. No other file builds one.</summary>
/// <remarks>
/// Integers are big-endian, so byte order is numeric order; <c>00</c> separates names, which hold no control characters,
/// so key order is type, then id, in UTF-8 bytes. The one-byte key <c>00</c> of every family is its "reflects the log up
/// to" row: it sorts before everything else and no name begins with it. Source: docs/storage-format.md.
/// </remarks>
internal static partial class Keyspace
{
    /// <summary>Longest key: type, id, a field name (or a version and sequence), two separators.</summary>
    public const int KeyBytesMax = Limits.TypeBytesMax + 1 + Limits.IdBytesMax + 1 + Limits.FieldNameBytesMax;

    /// <summary>The row that says how far a family reflects the log.</summary>
    public static ReadOnlySpan<byte> Reflects => [0];

    /// <summary>In <c>meta</c>: format, database id, epoch, encryption.</summary>
    public static ReadOnlySpan<byte> StoreRow => "store"u8;

    /// <summary>In <c>meta</c>: whose log this store is the mirror of; there in a mirror alone.</summary>
    public static ReadOnlySpan<byte> MirrorRow => "mirror"u8;

    /// <summary>In <c>meta</c>: size and frontier of the log tree.</summary>
    public static ReadOnlySpan<byte> LogRow => "log"u8;

    /// <summary>In <c>meta</c>: what the keys of schemas begin with.</summary>
    public static ReadOnlySpan<byte> SchemaPrefix => "schema\0"u8;

    /// <summary>The lowest key above all schemas.</summary>
    public static byte[] AfterSchemas => "schema\u0001"u8.ToArray();

    /// <summary>In <c>meta</c>: the schema of an aggregate type.</summary>
    public static byte[] SchemaRow(string type) => [.. SchemaPrefix, .. Encoding.UTF8.GetBytes(type)];

    /// <summary>In <c>meta</c>: what the keys of sealed documents begin with.</summary>
    public static ReadOnlySpan<byte> DocumentPrefix => "document\0"u8;

    /// <summary>In <c>meta</c>: the newest revision of a sealed document.</summary>
    public static byte[] DocumentRow(string name) => [.. DocumentPrefix, .. Encoding.UTF8.GetBytes(name)];

    /// <summary>The lowest key that is a name.</summary>
    public static ReadOnlySpan<byte> FirstName => [1];

    public static byte[] Position(ulong position)
    {
        var key = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(key, position);
        return key;
    }

    public static void WritePosition(Span<byte> target, ulong position) => BinaryPrimitives.WriteUInt64BigEndian(target, position);

    /// <summary>The position a key of the log names.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: no key of ours looks like that.</exception>
    public static ulong ReadPosition(ReadOnlySpan<byte> key) => key.Length == 8
        ? BinaryPrimitives.ReadUInt64BigEndian(key)
        : throw Integrity.Violation.OfRow(Family.Log, key, "its key is no position");

    /// <summary>type 00 id 00 version.</summary>
    public static byte[] Versioned(AggregateKey aggregate, ulong version)
    {
        var key = new byte[aggregate.Row.Length + 9];
        WriteVersioned(key, aggregate, version);
        return key;
    }

    public static int WriteVersioned(Span<byte> target, AggregateKey aggregate, ulong version)
    {
        var at = aggregate.Row.Length;
        aggregate.Row.CopyTo(target);
        target[at] = 0;
        BinaryPrimitives.WriteUInt64BigEndian(target[(at + 1)..], version);
        return at + 9;
    }

    /// <summary>type 00 id of any key of the families that are kept by aggregate: all before the second zero byte.</summary>
    public static ReadOnlySpan<byte> NameIn(ReadOnlySpan<byte> key)
    {
        var type = key.IndexOf((byte)0);
        if (type < 0)
            return key;
        var id = key[(type + 1)..].IndexOf((byte)0);
        return id < 0 ? key : key[..(type + 1 + id)];
    }

    /// <summary>Splits type 00 id 00 version; false when the bytes have another form.</summary>
    public static bool TryReadVersioned(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> aggregate, out ulong version)
    {
        aggregate = default;
        version = 0;
        if (key.Length < 12 || key[^9] != 0)
            return false;
        aggregate = key[..^9];
        version = BinaryPrimitives.ReadUInt64BigEndian(key[^8..]);
        return true;
    }

    /// <summary>type 00 id 00 field, where the field is its name, or its tag in an encrypted store.</summary>
    public static int WriteField(Span<byte> target, AggregateKey aggregate, ReadOnlySpan<byte> field)
    {
        var at = aggregate.Row.Length;
        aggregate.Row.CopyTo(target);
        target[at] = 0;
        field.CopyTo(target[(at + 1)..]);
        return at + 1 + field.Length;
    }

    /// <summary>The lowest key above everything that begins with type 00 id 00.</summary>
    public static byte[] AfterAggregate(AggregateKey aggregate) => [.. aggregate.Row, 1];

    /// <summary>type 00 id 00: the prefix of fields, versions and ids.</summary>
    public static byte[] Prefix(AggregateKey aggregate) => [.. aggregate.Row, 0];

    /// <summary>type 00 id 00 event id (RFC 9562 byte order).</summary>
    public static int WriteEventId(Span<byte> target, AggregateKey aggregate, Guid eventId)
    {
        var at = aggregate.Row.Length;
        aggregate.Row.CopyTo(target);
        target[at] = 0;
        eventId.TryWriteBytes(target[(at + 1)..], bigEndian: true, out _);
        return at + 17;
    }

    /// <summary>type 00 id 00 version sequence. Sequence 0 is the engine's own fold point.</summary>
    public static byte[] Snapshot(AggregateKey aggregate, ulong version, uint sequence)
    {
        var key = new byte[aggregate.Row.Length + 13];
        WriteVersioned(key, aggregate, version);
        BinaryPrimitives.WriteUInt32BigEndian(key.AsSpan(aggregate.Row.Length + 9), sequence);
        return key;
    }

    /// <summary>Splits type 00 id 00 version sequence.</summary>
    public static bool TryReadSnapshot(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> aggregate, out ulong version, out uint sequence)
    {
        sequence = key.Length > 4 ? BinaryPrimitives.ReadUInt32BigEndian(key[^4..]) : 0;
        aggregate = default;
        version = 0;
        return key.Length > 4 && TryReadVersioned(key[..^4], out aggregate, out version);
    }

    /// <summary>A tile of the log tree: level (1 and up), index.</summary>
    public static byte[] Tile(int level, ulong index)
    {
        var key = new byte[9];
        key[0] = (byte)level;
        BinaryPrimitives.WriteUInt64BigEndian(key.AsSpan(1), index);
        return key;
    }

    /// <summary>A checkpoint: epoch u32, size u64.</summary>
    public static byte[] Checkpoint(uint epoch, ulong size)
    {
        var key = new byte[CheckpointBytes];
        BinaryPrimitives.WriteUInt32BigEndian(key, epoch);
        BinaryPrimitives.WriteUInt64BigEndian(key.AsSpan(4), size);
        return key;
    }

    /// <summary>Splits epoch and size; false when the bytes have another form.</summary>
    public static bool TryReadCheckpoint(ReadOnlySpan<byte> key, out uint epoch, out ulong size)
    {
        var fits = key.Length == CheckpointBytes;
        (epoch, size) = fits ? (BinaryPrimitives.ReadUInt32BigEndian(key), BinaryPrimitives.ReadUInt64BigEndian(key[4..])) : default;
        return fits;
    }

    const int CheckpointBytes = 12;

    /// <summary>Level and index of a tile's key, which has 9 bytes.</summary>
    public static (int Level, ulong Index) ReadTile(ReadOnlySpan<byte> key) => (key[0], BinaryPrimitives.ReadUInt64BigEndian(key[1..]));
}
