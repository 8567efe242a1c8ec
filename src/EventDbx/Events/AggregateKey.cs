using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace EventDbx.Events;

/// <summary>The name of one aggregate: its type and its id within that type.</summary>
/// <remarks>Compared by UTF-8 bytes. A key that exists is a key that can be stored: <see cref="TryCreate"/> is the only door.</remarks>
public sealed class AggregateKey : IEquatable<AggregateKey>, IComparable<AggregateKey>
{
    readonly byte[] _row;
    readonly int _hash;

    AggregateKey(string type, string id)
    {
        (Type, Id) = (type, id);
        TypeBytes = Encoding.UTF8.GetByteCount(type);
        _row = new byte[TypeBytes + 1 + Encoding.UTF8.GetByteCount(id)];
        Encoding.UTF8.GetBytes(type, _row);
        Encoding.UTF8.GetBytes(id, _row.AsSpan(TypeBytes + 1));
        var hash = default(HashCode);
        hash.AddBytes(_row);
        _hash = hash.ToHashCode();
    }

    public string Type { get; }

    public string Id { get; }

    /// <summary>The key as it stands in the store: type, one zero byte, id; UTF-8.</summary>
    internal ReadOnlySpan<byte> Row => _row;

    internal ReadOnlySpan<byte> TypeUtf8 => _row.AsSpan(0, TypeBytes);

    internal ReadOnlySpan<byte> IdUtf8 => _row.AsSpan(TypeBytes + 1);

    int TypeBytes { get; }

    /// <summary>Makes a key, or says why not.</summary>
    public static bool TryCreate(
        string? type, string? id, [NotNullWhen(true)] out AggregateKey? key, [NotNullWhen(false)] out Refusal? refusal)
    {
        refusal = Names.Check("aggregate_type", type, Limits.TypeBytesMax) ?? Names.Check("aggregate_id", id, Limits.IdBytesMax);
        key = refusal is null ? new AggregateKey(type!, id!) : null;
        return key is not null;
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidName"/>.</exception>
    public static AggregateKey Create(string? type, string? id) =>
        TryCreate(type, id, out var key, out var refusal) ? key : throw new RefusedException(refusal.Value);

    /// <summary>Reads a key back from its stored form; false when the bytes are not one.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> row, [NotNullWhen(true)] out AggregateKey? key)
    {
        key = null;
        var zero = row.IndexOf((byte)0);
        if (zero <= 0)
            return false;
        return TryCreate(Encoding.UTF8.GetString(row[..zero]), Encoding.UTF8.GetString(row[(zero + 1)..]), out key, out _)
            && key.Row.SequenceEqual(row);
    }

    public bool Equals(AggregateKey? other) => other is not null && _hash == other._hash && Row.SequenceEqual(other.Row);

    public override bool Equals(object? obj) => obj is AggregateKey key && Equals(key);

    public override int GetHashCode() => _hash;

    public int CompareTo(AggregateKey? other) => other is null ? 1 : Row.SequenceCompareTo(other.Row);

    public override string ToString() => $"{Type}/{Id}";
}
