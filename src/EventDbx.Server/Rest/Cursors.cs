using System.Buffers.Binary;
using System.Buffers.Text;

namespace EventDbx.Server.Rest;

/// <summary>The opaque texts with which lists go on, here and on the command line: base64url of a kind and a place.</summary>
public static class Cursors
{
    const byte Aggregates = 1, Events = 2, Snapshots = 3;

    /// <summary>Of a page of aggregates that has a next one.</summary>
    public static string OfAggregates(ReadOnlySpan<byte> next) => Base64Url.EncodeToString([Aggregates, .. next]);

    /// <exception cref="RefusedException">It is none of a list of aggregates.</exception>
    public static byte[] ReadAggregates(string cursor)
    {
        var bytes = Read(cursor, Aggregates);
        return bytes.Length > 1 ? bytes[1..] : throw Refused(cursor);
    }

    /// <summary>Of a page of events that has a next one.</summary>
    public static string OfEvents(ulong nextVersion)
    {
        Span<byte> bytes = stackalloc byte[9];
        bytes[0] = Events;
        BinaryPrimitives.WriteUInt64BigEndian(bytes[1..], nextVersion);
        return Base64Url.EncodeToString(bytes);
    }

    /// <exception cref="RefusedException">It is none of a list of events.</exception>
    public static ulong ReadEvents(string cursor)
    {
        var bytes = Read(cursor, Events);
        return bytes.Length == 9 ? BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(1)) : throw Refused(cursor);
    }

    /// <summary>Of a page of snapshots that has a next one.</summary>
    public static string OfSnapshots(ReadOnlySpan<byte> next) => Base64Url.EncodeToString([Snapshots, .. next]);

    /// <exception cref="RefusedException">It is none of a list of snapshots.</exception>
    public static byte[] ReadSnapshots(string cursor)
    {
        var bytes = Read(cursor, Snapshots);
        return bytes.Length > 1 ? bytes[1..] : throw Refused(cursor);
    }

    static byte[] Read(string cursor, byte kind)
    {
        if (!Base64Url.IsValid(cursor, out var length) || length == 0)
            throw Refused(cursor);
        var bytes = Base64Url.DecodeFromChars(cursor);
        return bytes[0] == kind ? bytes : throw Refused(cursor);
    }

    static RefusedException Refused(string cursor) => new(
        RefusalCode.InvalidArgument, $"`cursor` is \"{Shown.Of(cursor)}\", which no page of this list has given. Take it from X-Next-Cursor, or leave it out to begin.");
}
