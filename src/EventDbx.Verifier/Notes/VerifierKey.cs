using System.Buffers.Binary;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace EventDbx.Verifier.Notes;

/// <summary>A public key with the name of its owner: <c>name+8 hex digits+base64(algorithm ‖ public key)</c>, a vkey.</summary>
internal sealed class VerifierKey
{
    /// <summary>Ed25519 over the text of a note: logs.</summary>
    public const byte Log = 0x01;

    /// <summary>Ed25519 over a time and the text of a note: witnesses.</summary>
    public const byte Witness = 0x04;

    static readonly int PublicKeyBytes = Ed25519.PublicKeySize;

    VerifierKey(string text, string name, uint id, byte algorithm, byte[] publicKey) =>
        (Vkey, Name, Id, Algorithm, PublicKey) = (text, name, id, algorithm, publicKey);

    /// <summary>As it was given.</summary>
    public string Vkey { get; }

    public string Name { get; }

    /// <summary>The first four bytes of SHA-256(name ‖ 0A ‖ algorithm ‖ public key).</summary>
    public uint Id { get; }

    public byte Algorithm { get; }

    public byte[] PublicKey { get; }

    /// <summary>Reads a vkey; otherwise says what is wrong with it.</summary>
    public static VerifierKey? Parse(string text, out string wrong)
    {
        wrong = "a key is NAME+8 hex digits+base64 of its algorithm and 32 bytes";
        var first = text.IndexOf('+', StringComparison.Ordinal);
        var second = first < 0 ? -1 : text.IndexOf('+', first + 1);
        if (second != first + 9 || !Note.IsKeyName(text.AsSpan(0, first)))
            return null;
        Span<byte> id = stackalloc byte[4];
        if (!Text.TryHex(Text.Utf8.GetBytes(text[(first + 1)..second]), id) || !Text.TryBase64(text.AsSpan(second + 1), out var key) || key.Length == 0)
            return null;
        if (key[0] is not (Log or Witness))
        {
            wrong = $"its algorithm is {key[0]:x2}; this program knows 01 (logs) and 04 (witnesses)";
            return null;
        }

        if (key.Length != 1 + PublicKeyBytes)
            return null;
        var name = text[..first];
        var read = new VerifierKey(text, name, BinaryPrimitives.ReadUInt32BigEndian(id), key[0], key[1..]);
        if (read.Id == IdOf(name, key))
            return read;
        wrong = "its 8 hex digits do not belong to the key: a digit or a letter was changed on the way";
        return null;
    }

    /// <summary>Whether the signature is this key's for that message.</summary>
    /// <param name="signature">64 bytes.</param>
    public bool Verifies(byte[] signature, byte[] message) =>
        signature.Length == Ed25519.SignatureSize && Ed25519.Verify(signature, 0, PublicKey, 0, message, 0, message.Length);

    static uint IdOf(string name, byte[] key)
    {
        Sha.Bytes(Text.Utf8.GetBytes(name));
        Sha.Byte((byte)'\n');
        Sha.Bytes(key);
        return (uint)(Sha.End().A >> 32);
    }
}
