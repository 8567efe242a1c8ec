using System.Buffers.Binary;
using System.Net;

namespace EventDbx.Server.Connections;

/// <summary>Where a connection comes from, as limits count it: an IPv4 address, the /64 of an IPv6 address, or this machine.</summary>
/// <remarks>Who has one IPv6 address has its whole /64. An IPv4 address inside an IPv6 one is that IPv4 address.</remarks>
internal readonly record struct ClientAddress
{
    readonly ulong _bits;
    readonly Family _family;

    ClientAddress(Family family, ulong bits) => (_family, _bits) = (family, bits);

    enum Family : byte
    {
        /// <summary>Every address of this machine's own, and a socket in the file system.</summary>
        Here,
        V4,
        V6,
    }

    public static ClientAddress Of(EndPoint? remote) => remote is IPEndPoint { Address: var address } ? Of(address) : default;

    public static ClientAddress Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return default;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return written == sizeof(uint)
            ? new(Family.V4, BinaryPrimitives.ReadUInt32BigEndian(bytes))
            : new(Family.V6, BinaryPrimitives.ReadUInt64BigEndian(bytes));
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        switch (_family)
        {
            case Family.V4:
                BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)_bits);
                return new IPAddress(bytes[..sizeof(uint)]).ToString();
            case Family.V6:
                BinaryPrimitives.WriteUInt64BigEndian(bytes, _bits);
                return $"{new IPAddress(bytes)}/64";
            default:
                return "this machine";
        }
    }
}
