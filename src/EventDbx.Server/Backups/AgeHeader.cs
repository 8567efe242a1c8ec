using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace EventDbx.Server.Backups;

/// <summary>The beginning of a file in the format of age, encrypted to a passphrase (C2SP, age.md): <c>age -d</c> opens it as well.</summary>
/// <remarks>
/// <code>
/// age-encryption.org/v1
/// -> scrypt SALT WORK-FACTOR        16 bytes; base64 without padding, in one spelling only
/// FILE-KEY                          16 bytes, ChaCha20-Poly1305 under scrypt("age-encryption.org/v1/scrypt" SALT)
/// --- MAC                           HMAC-SHA-256 of everything up to the dashes, under HKDF(file key, "header")
/// NONCE [16]                        the payload follows, under HKDF(file key, nonce, "payload"): AgeWriter
/// </code>
/// </remarks>
internal static class AgeHeader
{
    public const int NonceBytes = 16;
    public const int KeyBytes = 32;

    const string Version = "age-encryption.org/v1";
    const string Stanza = "-> scrypt ";
    const string SaltLabel = "age-encryption.org/v1/scrypt";
    const int FileKeyBytes = 16;
    const int SaltBytes = 16;
    const int TagBytes = 16;

    /// <summary>Bytes of a line: far more than any of ours.</summary>
    const int LineBytesMax = 256;

    public static AeadAlgorithm Cipher { get; } = AeadAlgorithm.ChaCha20Poly1305;

    /// <summary>What every such file begins with.</summary>
    public static ReadOnlySpan<byte> Beginning => "age-encryption.org/"u8;

    /// <summary>Makes one, with a file key of its own.</summary>
    /// <param name="passphrase">Of whoever is to read it.</param>
    /// <param name="workFactor">See <see cref="ServerLimits.AgeWorkFactor"/>.</param>
    /// <returns>The bytes up to the payload, and the key of the payload.</returns>
    public static (byte[] Header, Key PayloadKey) Make(string passphrase, int workFactor)
    {
        Span<byte> fileKey = stackalloc byte[FileKeyBytes], salt = stackalloc byte[SaltBytes], sealedKey = stackalloc byte[FileKeyBytes + TagBytes];
        RandomNumberGenerator.Fill(fileKey);
        RandomNumberGenerator.Fill(salt);
        using (var wrap = WrapKey(passphrase, salt, workFactor))
            Cipher.Encrypt(wrap, new byte[Cipher.NonceSize], [], fileKey, sealedKey);
        var text = $"{Version}\n{Stanza}{Base64(salt)} {workFactor}\n{Base64(sealedKey)}\n---";
        var nonce = RandomNumberGenerator.GetBytes(NonceBytes);
        byte[] header = [.. Encoding.ASCII.GetBytes($"{text} {Base64(Mac(fileKey, text))}\n"), .. nonce];
        var payloadKey = PayloadKey(fileKey, nonce);
        CryptographicOperations.ZeroMemory(fileKey);
        return (header, payloadKey);
    }

    /// <summary>Reads one from the beginning of a stream, and leaves it at the payload.</summary>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.InvalidArgument"/>: another passphrase, another recipient than one, or more work than is done for a file;
    /// <see cref="RefusalCode.IntegrityViolation"/>: it is not as it was written.
    /// </exception>
    public static Key Read(Stream source, string passphrase)
    {
        var version = ReadLine(source);
        if (version != Version)
            throw Damaged($"it begins with \"{PlainStart(version)}\", where {Version} is read here");
        var stanza = ReadLine(source);
        if (!stanza.StartsWith(Stanza, StringComparison.Ordinal))
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument, "The backup is encrypted to a key, not to a passphrase. Decrypt it with age (`age -d -i KEY`), and take what comes out.");
        }

        var parts = stanza[Stanza.Length..].Split(' ');
        if (parts.Length != 2 || FromBase64(parts[0], SaltBytes) is not { } salt || !TryReadWorkFactor(parts[1], out var workFactor))
            throw Damaged("its header cannot be read");
        if (workFactor > ServerLimits.AgeWorkFactorMax)
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument, $"The passphrase of the backup asks for a work factor of {workFactor}; at most {ServerLimits.AgeWorkFactorMax} is done here, which is 1 GiB of memory. `age -d` may do more.");
        }

        var body = ReadLine(source);
        var dashes = ReadLine(source);
        if (FromBase64(body, FileKeyBytes + TagBytes) is not { } sealedKey || !dashes.StartsWith("--- ", StringComparison.Ordinal) || FromBase64(dashes[4..], SHA256.HashSizeInBytes) is not { } mac)
            throw Damaged("its header cannot be read");
        Span<byte> fileKey = stackalloc byte[FileKeyBytes];
        using (var wrap = WrapKey(passphrase, salt, workFactor))
        {
            if (!Cipher.Decrypt(wrap, new byte[Cipher.NonceSize], [], sealedKey, fileKey))
                throw new RefusedException(RefusalCode.InvalidArgument, "The passphrase does not open the backup: it is another one, or the beginning of the file was changed.");
        }

        if (!CryptographicOperations.FixedTimeEquals(Mac(fileKey, $"{version}\n{stanza}\n{body}\n---"), mac))
            throw Damaged("its header was changed");
        var nonce = new byte[NonceBytes];
        if (source.ReadAtLeast(nonce, nonce.Length, throwOnEndOfStream: false) < nonce.Length)
            throw Damaged("it ends in its header");
        var payloadKey = PayloadKey(fileKey, nonce);
        CryptographicOperations.ZeroMemory(fileKey);
        return payloadKey;
    }

    public static RefusedException Damaged(string what) => new(RefusalCode.IntegrityViolation, $"The encrypted backup is damaged or was changed: {what}.");

    static Key WrapKey(string passphrase, ReadOnlySpan<byte> salt, int workFactor)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        var secret = Encoding.UTF8.GetBytes(passphrase);
        Scrypt.Derive(secret, [.. Encoding.ASCII.GetBytes(SaltLabel), .. salt], workFactor, key);
        CryptographicOperations.ZeroMemory(secret);
        return Import(key);
    }

    static Key PayloadKey(ReadOnlySpan<byte> fileKey, ReadOnlySpan<byte> nonce)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, key, nonce, "payload"u8);
        return Import(key);
    }

    static Key Import(Span<byte> key)
    {
        var imported = Key.Import(Cipher, key, KeyBlobFormat.RawSymmetricKey);
        CryptographicOperations.ZeroMemory(key);
        return imported;
    }

    static byte[] Mac(ReadOnlySpan<byte> fileKey, string header)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, fileKey, key, [], "header"u8);
        return HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(header));
    }

    static string Base64(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    /// <summary>Null where it is not the one spelling of so many bytes.</summary>
    static byte[]? FromBase64(string text, int bytes)
    {
        var content = new byte[bytes];
        return Convert.TryFromBase64String(text + new string('=', (4 - (text.Length % 4)) % 4), content, out var written) && written == bytes && Base64(content) == text ? content : null;
    }

    static bool TryReadWorkFactor(string text, out int workFactor) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out workFactor) && workFactor > 0 && text[0] != '0' && text.Length <= 2;

    static string ReadLine(Stream source)
    {
        Span<byte> line = stackalloc byte[LineBytesMax];
        for (var length = 0; length < line.Length; length++)
        {
            if (source.ReadByte() is not (>= 0 and var next))
                throw Damaged("it ends in its header");
            if (next == '\n')
                return Encoding.Latin1.GetString(line[..length]);
            line[length] = (byte)next;
        }

        throw Damaged("its header cannot be read");
    }

    static string PlainStart(string line)
    {
        var start = line.Length > 40 ? line[..40] : line;
        return string.Create(start.Length, start, static (shown, from) =>
        {
            for (var i = 0; i < shown.Length; i++)
                shown[i] = char.IsAscii(from[i]) && !char.IsControl(from[i]) ? from[i] : '?';
        });
    }
}
