using System.Buffers.Binary;
using System.IO.Hashing;

namespace EventDbx.Events;

/// <summary>The event ids that a store makes, and knows again: UUIDs v7 of which 32 of the random bits are a tag.</summary>
/// <remarks>
/// <code>
/// unix_ts_ms 48 | version 4 | random 12 | variant 2 | random 30 | tag 32
/// tag = low half of XxHash3(aggregate key, the 12 bytes before it; seed = XxHash3(database id))
/// </code>
/// No secret and no proof: it spares the index of ids a row for each event, for an id that carries no tag was never made here.
/// One in 2^32 of other ids carries it by chance. Thread-safe. docs/decisions/0013.
/// </remarks>
internal sealed class StoreMadeIds
{
    const int TagAt = 12;

    readonly long _seed;

    public StoreMadeIds(Guid databaseId)
    {
        Span<byte> bytes = stackalloc byte[16];
        databaseId.TryWriteBytes(bytes, bigEndian: true, out _);
        _seed = (long)XxHash3.HashToUInt64(bytes);
    }

    /// <param name="aggregate">The event's.</param>
    /// <param name="time">Now.</param>
    /// <param name="random10">As <see cref="EventIds.New"/> takes them.</param>
    public Guid New(AggregateKey aggregate, Timestamp time, ReadOnlySpan<byte> random10)
    {
        Span<byte> bytes = stackalloc byte[16];
        EventIds.New(time, random10).TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[TagAt..], TagOf(aggregate, bytes[..TagAt]));
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>Whether the id is one that this store made for an event of this aggregate.</summary>
    public bool Made(AggregateKey aggregate, Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return bytes[6] >> 4 == 7 && BinaryPrimitives.ReadUInt32BigEndian(bytes[TagAt..]) == TagOf(aggregate, bytes[..TagAt]);
    }

    /// <summary>When a UUID v7 was made, to the millisecond.</summary>
    public static Timestamp TimeOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return new((long)(BinaryPrimitives.ReadUInt64BigEndian(bytes) >> 16) * TimeSpan.TicksPerMillisecond);
    }

    uint TagOf(AggregateKey aggregate, ReadOnlySpan<byte> before)
    {
        Span<byte> content = stackalloc byte[Limits.TypeBytesMax + 1 + Limits.IdBytesMax + TagAt];
        aggregate.Row.CopyTo(content);
        before.CopyTo(content[aggregate.Row.Length..]);
        return (uint)XxHash3.HashToUInt64(content[..(aggregate.Row.Length + TagAt)], _seed);
    }
}
