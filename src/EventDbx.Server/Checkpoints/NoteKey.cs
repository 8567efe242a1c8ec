using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using NSec.Cryptography;

namespace EventDbx.Server.Checkpoints;

/// <summary>What a key of signed notes signs. The number is part of its id.</summary>
public enum NoteAlgorithm : byte
{
    /// <summary>Ed25519 over the text of the note: the signature of a log. C2SP signed-note.</summary>
    Signature = 1,

    /// <summary>Ed25519 over a time and the text of a checkpoint: the statement of a witness. C2SP tlog-cosignature.</summary>
    Cosignature = 4,
}

/// <summary>A public key of signed notes under a name: a vkey, <c>name+key id+base64(algorithm ‖ public key)</c>.</summary>
/// <remarks>Sources: C2SP signed-note ("verifier keys") and tlog-cosignature; RFC 8032 for the signatures.</remarks>
public sealed class NoteKey
{
    /// <summary>Bytes of an Ed25519 public key, and of the seed of a private one.</summary>
    public const int KeyBytes = 32;

    /// <summary>Bytes of an Ed25519 signature.</summary>
    public const int SignatureBytes = 64;

    /// <summary>Characters of a key's name: a host and a path, and an origin with a database id and an epoch.</summary>
    public const int NameMax = 255;

    readonly PublicKey _key;

    NoteKey(string name, NoteAlgorithm algorithm, PublicKey key)
    {
        (Name, Algorithm, _key) = (name, algorithm, key);
        Id = IdOf(name, algorithm, key.Export(KeyBlobFormat.RawPublicKey));
    }

    /// <summary>Of a log, its origin.</summary>
    public string Name { get; }

    public NoteAlgorithm Algorithm { get; }

    /// <summary>The first four bytes of SHA-256(name ‖ 0A ‖ algorithm ‖ public key), big-endian.</summary>
    public uint Id { get; }

    internal static NoteKey Of(string name, NoteAlgorithm algorithm, PublicKey key) => new(name, algorithm, key);

    /// <summary>Reads a vkey; false for anything that <see cref="ToString"/> would write in another way.</summary>
    /// <param name="text">The vkey.</param>
    /// <param name="key">What it says.</param>
    /// <param name="why">What is wrong, for the end of a sentence; null where nothing is.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out NoteKey? key, [NotNullWhen(false)] out string? why)
    {
        (key, why) = (null, "it is not `name+8 hex digits+base64`");
        // Names have no plus; base64 may.
        if (text.Split('+', 3) is not [var name, { Length: 8 } id, var encoded] || name.Length > NameMax || !SignedNote.IsKeyName(name))
            return false;
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var length) || length == 0)
            return false;
        if (bytes[0] is not ((byte)NoteAlgorithm.Signature or (byte)NoteAlgorithm.Cosignature))
        {
            why = string.Create(CultureInfo.InvariantCulture, $"its algorithm is {bytes[0]:x2}; 01 (signatures) and 04 (cosignatures), both of Ed25519, are known");
            return false;
        }

        if (length != 1 + KeyBytes || !PublicKey.TryImport(SignatureAlgorithm.Ed25519, bytes.AsSpan(1, KeyBytes), KeyBlobFormat.RawPublicKey, out var raw))
        {
            why = string.Create(CultureInfo.InvariantCulture, $"a key of Ed25519 has {KeyBytes} bytes, and this one {length - 1}");
            return false;
        }

        var read = new NoteKey(name, (NoteAlgorithm)bytes[0], raw!);
        if (read.ToString() != text)
        {
            why = "its id is not that of its name and key: it was cut, changed or mistyped";
            return false;
        }

        (key, why) = (read, null);
        return true;
    }

    /// <summary>The vkey.</summary>
    public override string ToString()
    {
        byte[] bytes = [(byte)Algorithm, .. _key.Export(KeyBlobFormat.RawPublicKey)];
        return string.Create(CultureInfo.InvariantCulture, $"{Name}+{Id:x8}+{Convert.ToBase64String(bytes)}");
    }

    /// <summary>The same key under another name.</summary>
    public NoteKey Named(string name) => new(name, Algorithm, _key);

    /// <summary>Whether a note has a good signature of the log's key that a vkey names.</summary>
    public static bool Verifies(string vkey, SignedNote note) => TryParse(vkey, out var key, out _) && key.Algorithm == NoteAlgorithm.Signature && key.GoodOf(note) is not null;

    /// <summary>The first of a note's signatures that is of this key and good; null when there is none.</summary>
    public NoteSignature? GoodOf(SignedNote note) => GoodOf(note.Text, note.Signatures);

    /// <inheritdoc cref="GoodOf(SignedNote)"/>
    public NoteSignature? GoodOf(string text, IEnumerable<NoteSignature> signatures) =>
        signatures.FirstOrDefault(one => one.KeyName == Name && one.KeyId == Id && IsGood(text, one.Bytes));

    bool IsGood(string text, byte[] signature) => Algorithm switch
    {
        NoteAlgorithm.Signature => signature.Length == SignatureBytes && SignatureAlgorithm.Ed25519.Verify(_key, Encoding.UTF8.GetBytes(text), signature),
        NoteAlgorithm.Cosignature => signature.Length == sizeof(ulong) + SignatureBytes
            && BinaryPrimitives.ReadUInt64BigEndian(signature) is <= long.MaxValue and var time
            && SignatureAlgorithm.Ed25519.Verify(_key, CosignedText(time, text), signature.AsSpan(sizeof(ulong))),
    };

    /// <summary>What a witness signs.</summary>
    /// <param name="time">Seconds since 1970.</param>
    /// <param name="text">Of the checkpoint.</param>
    internal static byte[] CosignedText(ulong time, string text) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {time}\n{text}"));

    static uint IdOf(string name, NoteAlgorithm algorithm, byte[] key)
    {
        byte[] identity = [.. Encoding.UTF8.GetBytes(name), (byte)'\n', (byte)algorithm, .. key];
        return BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(identity));
    }
}
