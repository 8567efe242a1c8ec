using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using NSec.Cryptography;

namespace EventDbx.Server.Checkpoints;

/// <summary>A private key of signed notes: of a log, whose checkpoints it signs, or of a witness, which cosigns them.</summary>
/// <remarks>
/// <code>
/// PRIVATE+KEY+NAME+ID+base64(algorithm ‖ seed[32])        and a newline; the form that tools for signed notes use
/// </code>
/// A log's key signs under the origin of each epoch in turn, so the name in its file is not an origin: it only says what the key is
/// for. Thread-safe.
/// </remarks>
public sealed class SigningKey : ICheckpointSigner, IDisposable
{
    /// <summary>The name in a log's key file.</summary>
    public const string LogName = "eventdbx-checkpoints";

    const string Prefix = "PRIVATE+KEY+";

    readonly Key _key;

    SigningKey(string name, NoteAlgorithm algorithm, ReadOnlySpan<byte> seed)
    {
        _key = Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey);
        Public = NoteKey.Of(name, algorithm, _key.PublicKey);
    }

    /// <summary>Its public half, under the name in its file.</summary>
    public NoteKey Public { get; }

    /// <summary>A key of that seed.</summary>
    /// <param name="name">See <see cref="SignedNote.IsKeyName"/>.</param>
    /// <param name="algorithm">What it signs.</param>
    /// <param name="seed">32 bytes that nobody else knows.</param>
    public static SigningKey Of(string name, NoteAlgorithm algorithm, ReadOnlySpan<byte> seed) => new(name, algorithm, seed);

    /// <summary>A new key as the text of its file.</summary>
    public static string NewText(string name, NoteAlgorithm algorithm)
    {
        Span<byte> secret = stackalloc byte[1 + NoteKey.KeyBytes];
        secret[0] = (byte)algorithm;
        RandomNumberGenerator.Fill(secret[1..]);
        using var key = new SigningKey(name, algorithm, secret[1..]);
        var text = key.Text(secret);
        CryptographicOperations.ZeroMemory(secret);
        return text;
    }

    /// <summary>Reads the text of a key file; null for anything that <see cref="NewText"/> would not write.</summary>
    public static SigningKey? Parse(string text, NoteAlgorithm algorithm)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || !text.EndsWith('\n')
            || text[Prefix.Length..^1].Split('+', 3) is not [var name, _, var encoded] || !SignedNote.IsKeyName(name))
            return null;
        var secret = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, secret, out var length) || length != 1 + NoteKey.KeyBytes || secret[0] != (byte)algorithm)
            return null;
        var key = new SigningKey(name, algorithm, secret.AsSpan(1, NoteKey.KeyBytes));
        if (key.Text(secret.AsSpan(0, length)) == text)
            return key;
        key.Dispose();
        return null;
    }

    public string VerifierKey(string keyName) => Public.Named(keyName).ToString();

    public NoteSignature Sign(string keyName, string text) => new(
        keyName, Public.Named(keyName).Id, SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(text)));

    public bool Verifies(string keyName, SignedNote note) => Public.Named(keyName).GoodOf(note) is not null;

    /// <summary>States that a checkpoint is the largest that was seen of its log, and consistent with all seen before.</summary>
    /// <param name="text">Of the checkpoint, extension lines included.</param>
    /// <param name="time">When.</param>
    public NoteSignature Cosign(string text, DateTimeOffset time)
    {
        var seconds = (ulong)Math.Max(0, time.ToUnixTimeSeconds());
        var bytes = new byte[sizeof(ulong) + NoteKey.SignatureBytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, seconds);
        SignatureAlgorithm.Ed25519.Sign(_key, NoteKey.CosignedText(seconds, text), bytes.AsSpan(sizeof(ulong)));
        return new(Public.Name, Public.Id, bytes);
    }

    public void Dispose() => _key.Dispose();

    string Text(ReadOnlySpan<byte> secret) => string.Create(
        CultureInfo.InvariantCulture, $"{Prefix}{Public.Name}+{Public.Id:x8}+{Convert.ToBase64String(secret)}\n");
}
