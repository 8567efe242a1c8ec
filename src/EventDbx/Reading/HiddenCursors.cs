using System.Security.Cryptography;

namespace EventDbx.Reading;

/// <summary>Cursors of lists that end at an aggregate which the caller may not see: its name is sealed in them.</summary>
/// <remarks>
/// <code>
/// 0 | nonce 12 | AES-256-GCM(name) | tag 16        a name never begins with 0, so other cursors are told apart
/// </code>
/// The key lives as long as the open database: such a cursor does not outlive it. Thread-safe.
/// </remarks>
internal sealed class HiddenCursors(NoncePool nonces)
{
    const byte Mark = 0;

    const int NonceBytes = 12, TagBytes = 16;

    // Drawn when first needed: most databases never hide anything.
    readonly Lazy<byte[]> _key = new(() => TakeKey(nonces));

    /// <summary>A cursor that leads on behind a name and does not tell it.</summary>
    public byte[] Seal(ReadOnlySpan<byte> name)
    {
        var cursor = new byte[1 + NonceBytes + name.Length + TagBytes];
        cursor[0] = Mark;
        var nonce = cursor.AsSpan(1, NonceBytes);
        nonces.Take(nonce);
        using var aes = new AesGcm(_key.Value, TagBytes);
        aes.Encrypt(nonce, name, cursor.AsSpan(1 + NonceBytes, name.Length), cursor.AsSpan(^TagBytes));
        return cursor;
    }

    /// <summary>The name that a cursor leads on behind, sealed or not.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it was not sealed here.</exception>
    public byte[] Open(byte[] cursor)
    {
        if (cursor is not [Mark, ..] || cursor.Length <= 1 + NonceBytes + TagBytes)
            return cursor;
        var name = new byte[cursor.Length - 1 - NonceBytes - TagBytes];
        try
        {
            using var aes = new AesGcm(_key.Value, TagBytes);
            aes.Decrypt(cursor.AsSpan(1, NonceBytes), cursor.AsSpan(1 + NonceBytes, name.Length), cursor.AsSpan(^TagBytes), name);
            return name;
        }
        catch (AuthenticationTagMismatchException)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, "The cursor ends at what is not shown, and was given before the database was last opened, or by another one. Begin the list again.");
        }
    }

    static byte[] TakeKey(NoncePool nonces)
    {
        var key = new byte[32];
        nonces.Take(key);
        return key;
    }
}
