using System.Buffers.Binary;
using System.Numerics;

namespace EventDbx.Storage;

/// <summary>Puts and gets rows that know where they belong.</summary>
/// <remarks>
/// Every stored value ends with a CRC-32C over family, key and value. A CRC finds every single flipped bit, and with the
/// key inside it a row that was moved or swapped with another is found by the very read that meets it. RocksDB's block
/// checksums guard the same bytes further down; they do not see a row that was rewritten through RocksDB itself.
/// It is no defence against somebody who computes it anew: that is what hashes, trees and checkpoints are for.
/// </remarks>
internal static class Checked
{
    /// <summary>Bytes of the trailer.</summary>
    public const int TrailerBytes = 4;

    /// <summary>A row being put: the caller fills <see cref="Body"/>, then calls <see cref="Close"/>.</summary>
    public readonly ref struct OpenRow(Family family, ReadOnlySpan<byte> key, Span<byte> value)
    {
        readonly ReadOnlySpan<byte> _key = key;
        readonly Span<byte> _value = value;

        public Span<byte> Body => _value[..^TrailerBytes];

        public void Close() => BinaryPrimitives.WriteUInt32BigEndian(_value[^TrailerBytes..], Sum(family, _key, _value[..^TrailerBytes]));
    }

    public static OpenRow Open(WritePlan plan, Family family, ReadOnlySpan<byte> key, int bodyBytes) =>
        new(family, key, plan.Put(family, key, bodyBytes + TrailerBytes));

    public static void Put(WritePlan plan, Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> body)
    {
        var row = Open(plan, family, key, body.Length);
        body.CopyTo(row.Body);
        row.Close();
    }

    /// <summary>The body of a row, or null when there is none.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: the row is not what was put there.</exception>
    public static ReadOnlyMemory<byte>? Get(IStorageView view, Family family, ReadOnlySpan<byte> key) =>
        // The cast matters: a bare null would become an empty body, for an array converts to memory.
        view.Get(family, key) is { } value ? Body(family, key, value) : (ReadOnlyMemory<byte>?)null;

    /// <summary>Checks one row and returns its body.</summary>
    public static ReadOnlyMemory<byte> Body(Family family, ReadOnlySpan<byte> key, byte[] value) =>
        TryBody(family, key, value, out var body) ? body : throw Integrity.Violation.OfRow(family, key, "its checksum does not match");

    public static bool TryBody(Family family, ReadOnlySpan<byte> key, byte[] value, out ReadOnlyMemory<byte> body)
    {
        body = default;
        if (value.Length < TrailerBytes)
            return false;
        body = value.AsMemory(0, value.Length - TrailerBytes);
        return BinaryPrimitives.ReadUInt32BigEndian(value.AsSpan(body.Length)) == Sum(family, key, body.Span);
    }

    /// <summary>CRC-32C (Castagnoli) of family, key and body; the processor has an instruction for it.</summary>
    static uint Sum(Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> body)
    {
        var sum = BitOperations.Crc32C(~0u, (byte)family);
        sum = Add(sum, key);
        // The key's length keeps a byte from wandering between key and body unseen.
        sum = BitOperations.Crc32C(sum, (uint)key.Length);
        return ~Add(sum, body);
    }

    static uint Add(uint sum, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes)
            sum = BitOperations.Crc32C(sum, b);
        return sum;
    }
}
