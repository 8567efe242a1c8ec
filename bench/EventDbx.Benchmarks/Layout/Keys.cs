using System.Buffers.Binary;

namespace EventDbx.Benchmarks.Layout;

/// <summary>Keys as docs/storage-format.md has them, made the short way.</summary>
internal static class Keys
{
    public static byte[] Number(ulong number)
    {
        var key = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(key, number);
        return key;
    }

    public static byte[] Aggregate(int number) => Encoding.UTF8.GetBytes($"order\0order-{number:d8}");

    public static byte[] Version(byte[] aggregate, int version) => [.. aggregate, 0, .. Number((ulong)version)];

    /// <summary>The first key that does not begin with <c>prefix 00</c>.</summary>
    public static byte[] After(byte[] prefix) => [.. prefix, 1];
}
