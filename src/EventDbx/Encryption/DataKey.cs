using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>The data key of a database: 32 random bytes that wrap the key of every aggregate.</summary>
/// <remarks>
/// Without it nothing that was stored can be read: keep a copy elsewhere. It never seals anything itself; a key derived
/// from it does, so that wrapping and checking cannot be confused. Thread-safe. <see cref="Dispose"/> wipes it from memory.
/// </remarks>
public sealed class DataKey : IDisposable
{
    /// <summary>Bytes of a wrapped aggregate key: algorithm, epoch, nonce, key, tag.</summary>
    internal const int WrappedBytes = SealedValue.OverheadBytes + SubKey.Bytes;

    /// <summary>Bytes of a key check value: algorithm, epoch, HMAC-SHA-256.</summary>
    internal const int CheckBytes = CheckHeaderBytes + HMACSHA256.HashSizeInBytes;

    const int CheckHeaderBytes = 5;
    const int TextCharacters = 44;

    // Pinned: the collector must not leave copies behind that nobody can wipe.
    readonly byte[] _key = GC.AllocateArray<byte>(SubKey.Bytes, pinned: true);
    readonly SealingKey _wrapping;
    readonly SealingKey _documents;
    readonly SealingKey _rotation;
    volatile bool _disposed;

    internal DataKey(ReadOnlySpan<byte> key, uint generation = SealedValue.FirstEpoch)
    {
        Generation = generation;
        key.CopyTo(_key);
        _wrapping = new SealingKey(_key, Purpose.Key, generation);
        _documents = new SealingKey(_key, Purpose.Document, generation);
        _rotation = new SealingKey(_key, Purpose.Rotation, generation);
    }

    /// <summary>Which data key of its store it is: 1 for the first, one more after each rotation. Stands in everything it seals.</summary>
    internal uint Generation { get; }

    /// <summary>A copy of the caller's own, as that of a store.</summary>
    internal DataKey Copy(uint generation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new(_key, generation);
    }

    /// <summary>Whether both are the same 32 bytes, of whatever generation.</summary>
    public bool IsSameAs(DataKey other) => CryptographicOperations.FixedTimeEquals(_key, other._key);

    /// <summary>A new key from the system's random generator.</summary>
    public static DataKey Generate()
    {
        Span<byte> bytes = stackalloc byte[SubKey.Bytes];
        RandomNumberGenerator.Fill(bytes);
        var key = new DataKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    /// <summary>Reads a key as <see cref="ToBase64"/> writes it, with white space around it ignored.</summary>
    /// <param name="base64">44 characters of standard base64 (RFC 4648, 4): 32 bytes.</param>
    /// <param name="key">The key; the caller disposes it.</param>
    /// <param name="why">A full sentence that holds no part of the text.</param>
    public static bool TryParse(string? base64, [NotNullWhen(true)] out DataKey? key, [NotNullWhen(false)] out string? why)
    {
        key = null;
        var text = base64.AsSpan().Trim();
        Span<byte> bytes = stackalloc byte[SubKey.Bytes];
        why = Decode(text, bytes);
        if (why is null)
            key = new DataKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key is not null;
    }

    static string? Decode(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        const string Wanted = "a data key is 32 bytes in standard base64: 44 characters, the last one =.";
        if (text.IsEmpty)
            return $"The data key is empty; {Wanted}";
        if (text.Length != TextCharacters)
            return $"The data key has {text.Length} characters; {Wanted}";
        if (text.IndexOfAny('-', '_') >= 0)
            return $"The data key is in the URL alphabet of base64 (with - and _); {Wanted}";
        // Written back and compared, because the decoder is lenient: no white space inside, no stray bits in the last character.
        Span<char> again = stackalloc char[TextCharacters];
        var decoded = Convert.TryFromBase64Chars(text, bytes, out var written) && written == bytes.Length
            && Convert.TryToBase64Chars(bytes, again, out _) && text.SequenceEqual(again);
        again.Clear();
        return decoded ? null : $"The data key is not valid base64; {Wanted}";
    }

    /// <summary>The key as text: 44 characters. Whoever holds it reads everything.</summary>
    public string ToBase64()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Convert.ToBase64String(_key);
    }

    /// <summary>Wraps an aggregate's key: a sealed value of purpose <c>key</c> with an empty place.</summary>
    /// <param name="aggregate">The only aggregate for which it will open.</param>
    /// <param name="key32">32 bytes.</param>
    /// <param name="target"><see cref="WrappedBytes"/> bytes.</param>
    /// <param name="nonces">Gives the nonce.</param>
    internal void Wrap(AggregateKey aggregate, ReadOnlySpan<byte> key32, Span<byte> target, NoncePool nonces)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key32.Length, SubKey.Bytes);
        _wrapping.Seal(aggregate, place: [], key32, target, nonces);
    }

    /// <summary>False when it was wrapped with another data key, for another aggregate, or changed since.</summary>
    /// <param name="aggregate">The aggregate it was found at.</param>
    /// <param name="wrapped">Of any length.</param>
    /// <param name="key32">32 bytes; nothing usable when false.</param>
    internal bool TryUnwrap(AggregateKey aggregate, ReadOnlySpan<byte> wrapped, Span<byte> key32)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key32.Length, SubKey.Bytes);
        return wrapped.Length == WrappedBytes && _wrapping.TryOpen(aggregate, place: [], wrapped, key32);
    }

    /// <summary>Seals a document: a sealed value of purpose <c>document</c> that opens only under its name, in its place.</summary>
    internal byte[] SealDocument(AggregateKey name, ReadOnlySpan<byte> place, ReadOnlySpan<byte> content, NoncePool nonces)
    {
        var value = new byte[content.Length + SealedValue.OverheadBytes];
        _documents.Seal(name, place, content, value, nonces);
        return value;
    }

    /// <summary>The content of a sealed document; null when it was sealed with another key, under another name or in another place, or changed since.</summary>
    internal byte[]? OpenDocument(AggregateKey name, ReadOnlySpan<byte> place, ReadOnlySpan<byte> value)
    {
        if (!SealedValue.HasForm(value))
            return null;
        var content = new byte[value.Length - SealedValue.OverheadBytes];
        return _documents.TryOpen(name, place, value, content) ? content : null;
    }

    /// <summary>Seals another data key of the same store, while the one replaces the other.</summary>
    /// <param name="other">The key that is sealed.</param>
    /// <param name="databaseId">Of the store, 16 bytes.</param>
    /// <param name="nonces">Gives the nonce.</param>
    internal byte[] SealKey(DataKey other, ReadOnlySpan<byte> databaseId, NoncePool nonces)
    {
        ObjectDisposedException.ThrowIf(other._disposed, other);
        var value = new byte[WrappedBytes];
        _rotation.Seal(RotationName, databaseId, other._key, value, nonces);
        return value;
    }

    /// <summary>The data key that <see cref="SealKey"/> has sealed; null when it does not open here.</summary>
    internal DataKey? OpenKey(uint generation, ReadOnlySpan<byte> databaseId, ReadOnlySpan<byte> value)
    {
        Span<byte> key = stackalloc byte[SubKey.Bytes];
        var other = value.Length == WrappedBytes && _rotation.TryOpen(RotationName, databaseId, value, key) ? new DataKey(key, generation) : null;
        CryptographicOperations.ZeroMemory(key);
        return other;
    }

    static AggregateKey RotationName { get; } = AggregateKey.Create("eventdbx", "data-key");

    /// <summary>The key check value: lets an open tell a wrong key before it reads anything.</summary>
    /// <remarks>
    /// <code>
    /// alg u8 (1) | generation u32be | HMAC-SHA-256(HKDF-Expand(key, "eventdbx/1/check"), database id ‖ generation u32be if above 1)
    /// </code>
    /// A MAC and not a sealed constant: the same for the same key, no nonce to spend, and it commits to the key.
    /// </remarks>
    /// <param name="databaseId">The id of the database, in any fixed form.</param>
    internal byte[] MakeCheck(ReadOnlySpan<byte> databaseId)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var check = new byte[CheckBytes];
        check[0] = SealedValue.GcmAlgorithm;
        BinaryPrimitives.WriteUInt32BigEndian(check.AsSpan(1), Generation);
        Span<byte> key = stackalloc byte[SubKey.Bytes];
        SubKey.Derive(_key, "check"u8, key);
        ReadOnlySpan<byte> bound = Generation == SealedValue.FirstEpoch ? databaseId : [.. databaseId, .. check.AsSpan(1, sizeof(uint))];
        HMACSHA256.HashData(key, bound, check.AsSpan(CheckHeaderBytes));
        CryptographicOperations.ZeroMemory(key);
        return check;
    }

    /// <summary>The generation that a check value speaks of; 0 where it is none.</summary>
    internal static uint GenerationOf(ReadOnlySpan<byte> check) =>
        check.Length == CheckBytes ? BinaryPrimitives.ReadUInt32BigEndian(check[1..]) : 0;

    /// <summary>A copy of this key as the check value says it is; null when the value was made with another key, or for another database.</summary>
    internal DataKey? Fit(ReadOnlySpan<byte> databaseId, ReadOnlySpan<byte> check)
    {
        if (GenerationOf(check) is not (> 0 and var generation))
            return null;
        var copy = Copy(generation);
        if (copy.Matches(databaseId, check))
            return copy;
        copy.Dispose();
        return null;
    }

    /// <summary>Whether the check value was made with this key for this database.</summary>
    internal bool Matches(ReadOnlySpan<byte> databaseId, ReadOnlySpan<byte> check) =>
        CryptographicOperations.FixedTimeEquals(MakeCheck(databaseId), check);

    /// <summary>Wipes the key. Every later use throws <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        _disposed = true;
        CryptographicOperations.ZeroMemory(_key);
        _wrapping.Dispose();
        _documents.Dispose();
        _rotation.Dispose();
    }

    /// <summary>Names the type and nothing of the key.</summary>
    public override string ToString() => nameof(DataKey);
}
