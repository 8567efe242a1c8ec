using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace EventDbx.Server.Replication;

/// <summary>The public key by which another node is known: 32 bytes of Ed25519, a point that somebody can hold the private half of.</summary>
/// <remarks>
/// <code>
/// text          standard base64, with or without its padding: 43 characters, or 44
/// fingerprint   SHA256: and the base64 of SHA-256(string "ssh-ed25519" ‖ string key), as OpenSSH shows it
/// </code>
/// A key that is no point of the curve, not canonical, or outside the group of prime order is none: for the points of small order
/// (all zero is one of them) there are signatures that anybody can make. Sources: RFC 8032, RFC 8709 and RFC 4253 for the
/// fingerprint's input, libsodium for the test.
/// </remarks>
public sealed partial class PeerKey : IEquatable<PeerKey>
{
    /// <summary>Bytes of a public key of Ed25519, and of the seed of a private one.</summary>
    public const int BytesCount = 32;

    const string Algorithm = "ssh-ed25519";

    const string Form = "it is 32 bytes in standard base64, as `dbx remote key` prints it";

    readonly byte[] _bytes;

    PeerKey(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A short name of the key for people, to be compared with what the other side shows.</summary>
    public string Fingerprint
    {
        get
        {
            var blob = new byte[sizeof(int) + Algorithm.Length + sizeof(int) + BytesCount];
            BinaryPrimitives.WriteInt32BigEndian(blob, Algorithm.Length);
            Encoding.ASCII.GetBytes(Algorithm, blob.AsSpan(sizeof(int)));
            BinaryPrimitives.WriteInt32BigEndian(blob.AsSpan(sizeof(int) + Algorithm.Length), BytesCount);
            _bytes.CopyTo(blob, blob.Length - BytesCount);
            return $"SHA256:{Unpadded(SHA256.HashData(blob))}";
        }
    }

    /// <summary>A key that came from a private one.</summary>
    internal static PeerKey Of(ReadOnlySpan<byte> bytes) => new(bytes.ToArray());

    /// <summary>Reads a key; blanks around it are left out.</summary>
    /// <param name="text">As somebody typed it, or as it stands in a file.</param>
    /// <param name="key">What it says.</param>
    /// <param name="why">What is wrong with it, as a sentence without its end.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out PeerKey? key, [NotNullWhen(false)] out string? why)
    {
        (key, why) = (null, null);
        text = text.Trim();
        if (text.Length == 0)
        {
            why = "public key cannot be empty";
            return false;
        }

        if (Decoded(text, out var what) is not { } bytes)
        {
            why = $"invalid base64 public key: {what}; {Form}";
            return false;
        }

        if (bytes.Length != BytesCount)
        {
            why = string.Create(CultureInfo.InvariantCulture, $"public key must decode to {BytesCount} bytes, and this one to {bytes.Length}; {Form}");
            return false;
        }

        if (Unpadded(bytes) != text.TrimEnd('='))
        {
            why = $"invalid base64 public key: its last character says more than the bytes have room for; {Form}";
            return false;
        }

        if (IsValidPoint(bytes) != 1)
        {
            why = "public key is none of Ed25519: its 32 bytes are no point of the curve that a private key could belong to. Was it cut, changed or mistyped?";
            return false;
        }

        key = new(bytes);
        return true;
    }

    /// <summary>The key of that text.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it is none.</exception>
    public static PeerKey Parse(string text) =>
        TryParse(text, out var key, out var why) ? key : throw new RefusedException(RefusalCode.InvalidArgument, why.EndsWith('?') ? why : $"{why}.");

    /// <summary>The fingerprint of what is to be a key; null where it is none, as in a file that somebody edited.</summary>
    public static string? FingerprintOf(string text) => TryParse(text, out var key, out _) ? key.Fingerprint : null;

    /// <summary>Standard base64 without padding.</summary>
    public override string ToString() => Unpadded(_bytes);

    public bool Equals(PeerKey? other) => other is not null && _bytes.AsSpan().SequenceEqual(other._bytes);

    public override bool Equals(object? obj) => Equals(obj as PeerKey);

    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(_bytes);

    static string Unpadded(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    /// <summary>Strictly: the framework passes over blanks between digits.</summary>
    static byte[]? Decoded(string text, out string what)
    {
        var digits = text.TrimEnd('=');
        var foreign = digits.AsSpan().IndexOfAnyExcept(Base64Digits);
        if (foreign >= 0)
        {
            what = digits[foreign] is '-' or '_' ? "it is in the alphabet for URLs" : string.Create(CultureInfo.InvariantCulture, $"character {foreign + 1} is none of base64");
            return null;
        }

        what = "its length is that of no base64";
        var padding = text.Length - digits.Length;
        if (digits.Length % 4 == 1 || padding > 2 || (padding > 0 && text.Length % 4 != 0))
            return null;
        var padded = digits.PadRight((digits.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        return Convert.TryFromBase64String(padded, bytes, out var length) ? bytes[..length] : null;
    }

    static readonly System.Buffers.SearchValues<char> Base64Digits =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

    /// <summary>Of the library that signs, NSec's, which has no word of its own for it: 1 for a canonical point of the group of prime order.</summary>
    [LibraryImport("libsodium", EntryPoint = "crypto_core_ed25519_is_valid_point")]
    [UnmanagedCallConv(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    private static partial int IsValidPoint(ReadOnlySpan<byte> point);
}
