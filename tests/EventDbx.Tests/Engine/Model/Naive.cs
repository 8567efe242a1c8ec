using System.Buffers.Binary;
using System.Security.Cryptography;
using EventDbx.Integrity;

namespace EventDbx.Tests.Engine.Model;

/// <summary>docs/integrity.md, section 1, written down as it stands there; shares nothing with the engine.</summary>
internal static class Naive
{
    /// <summary>SHA-256(00 ‖ 01 ‖ …) of an event.</summary>
    public static byte[] EventLeaf(
        string type, string id, ulong version, string eventType, Guid eventId, long createdAt, Actor? actor, string? note,
        byte[] previousRoot, byte[] payload, byte[] salt) => SHA256.HashData(
    [
        0, 1, .. Prefixed(type), .. Prefixed(id), .. Number(version), .. Prefixed(eventType), .. eventId.ToByteArray(bigEndian: true),
        .. Number((ulong)createdAt), .. Optional(actor), .. Optional(note), .. previousRoot, .. Prefixed(payload), .. salt,
    ]);

    /// <summary>SHA-256(00 ‖ 02 ‖ …) of a control entry.</summary>
    public static byte[] ControlLeaf(string kind, string subject, long time, Actor? actor, byte[] body, byte[] salt) =>
        SHA256.HashData([0, 2, .. Prefixed(kind), .. Prefixed(subject), .. Number((ulong)time), .. Optional(actor), .. Prefixed(body), .. salt]);

    /// <summary>The RFC 6962 root.</summary>
    public static Hash32 Root(IEnumerable<byte[]> leaves) => Hash32.Read(Integrity.MerkleModel.Root(leaves.ToArray()));

    static byte[] Prefixed(string text) => Prefixed(Encoding.UTF8.GetBytes(text));

    static byte[] Prefixed(byte[] bytes)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(length, (uint)bytes.Length);
        return [.. length, .. bytes];
    }

    static byte[] Number(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }

    static byte[] Optional(Actor? actor) => actor is null ? [0] : [1, .. Prefixed(actor.Group), .. Prefixed(actor.User)];

    static byte[] Optional(string? text) => text is null ? [0] : [1, .. Prefixed(text)];
}
