using System.Security.Cryptography;
using NSec.Cryptography;

namespace EventDbx.Server.Replication;

/// <summary>Which end of a session signs.</summary>
internal enum SessionRole : byte
{
    /// <summary>Who dialled.</summary>
    Client = 1,

    /// <summary>Who was dialled.</summary>
    Server = 2,
}

/// <summary>What both ends sign: this connection, and no other one.</summary>
/// <remarks>
/// <code>
/// bytes   0 –  23   "eventdbx replication v2" and a zero
///         24        role of who signs: 1 who dialled, 2 who was dialled
///         25 –  56  SHA-256 of the server's certificate, DER
///         57 –  88  SHA-256 of the client's certificate, DER
///         89 – 120  the server's nonce
///        121 – 152  the client's nonce
/// </code>
/// The certificates are made for one connection, TLS proves that each end holds the key of its own, and each has the nonce of its side in its subject. So a signature says
/// nothing about any other connection, and who stands between has certificates that were not signed for.
/// </remarks>
internal static class SessionTranscript
{
    public const int BytesCount = 24 + 1 + (4 * 32);

    /// <summary>Bytes of a signature of Ed25519.</summary>
    public const int SignatureBytes = 64;

    static ReadOnlySpan<byte> Label => "eventdbx replication v2\0"u8;

    /// <param name="role">Of who signs.</param>
    /// <param name="serverCertificate">DER.</param>
    /// <param name="clientCertificate">DER.</param>
    /// <param name="serverNonce">32 bytes.</param>
    /// <param name="clientNonce">32 bytes.</param>
    public static byte[] Of(SessionRole role, ReadOnlySpan<byte> serverCertificate, ReadOnlySpan<byte> clientCertificate, ReadOnlySpan<byte> serverNonce, ReadOnlySpan<byte> clientNonce)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(serverNonce.Length, SessionCertificate.NonceBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(clientNonce.Length, SessionCertificate.NonceBytes);
        var bytes = new byte[BytesCount];
        Label.CopyTo(bytes);
        bytes[24] = (byte)role;
        SHA256.HashData(serverCertificate, bytes.AsSpan(25));
        SHA256.HashData(clientCertificate, bytes.AsSpan(57));
        serverNonce.CopyTo(bytes.AsSpan(89));
        clientNonce.CopyTo(bytes.AsSpan(121));
        return bytes;
    }

    /// <summary>Whether a key made this signature. Of no length but the right one is any good.</summary>
    public static bool Verifies(PeerKey key, ReadOnlySpan<byte> content, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureBytes
        && NSec.Cryptography.PublicKey.TryImport(SignatureAlgorithm.Ed25519, key.Bytes, KeyBlobFormat.RawPublicKey, out var imported)
        && SignatureAlgorithm.Ed25519.Verify(imported!, content, signature);
}
