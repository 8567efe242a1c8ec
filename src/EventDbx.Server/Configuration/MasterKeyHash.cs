using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace EventDbx.Server.Configuration;

/// <summary>The admin master key, as it is kept: an Argon2id hash in the PHC form <c>$argon2id$v=19$m=19456,t=2,p=1$salt$hash</c>.</summary>
public static class MasterKeyHash
{
    const int SaltBytes = 16;
    const int HashBytes = 32;
    const int HashBytesMin = 16;
    const int HashBytesMax = 64;
    const int MemoryKib = 19_456;
    const int Passes = 2;

    /// <summary>Of libsodium.</summary>
    const int MemoryKibMin = 8;

    /// <summary>Two may be checked at once: a file that asks for more would let strangers take the memory of the machine.</summary>
    const int MemoryKibMax = 65_536;

    /// <summary>A quarter of a second at the largest memory.</summary>
    const int PassesMax = 10;
    const string Prefix = "$argon2id$v=19$";

    /// <summary>Why nobody could ever be let in with this key, for no request can carry it; null where one can.</summary>
    /// <param name="key">White space around it does not count.</param>
    public static string? ProblemOf(string key)
    {
        key = key.Trim();
        if (key.Length == 0)
            return "admin master key cannot be empty";
        if (key.AsSpan().ContainsAny('\r', '\n'))
            return "it has several lines, and the key comes in a header, which has one; give a single line";
        if (key.Any(char.IsControl))
            return "it holds control characters, which no header can";
        return key.Length <= ServerLimits.AdminKeyMax ? null : string.Create(CultureInfo.InvariantCulture,
            $"it has {key.Length} characters, and a key of more than {ServerLimits.AdminKeyMax} is never looked at");
    }

    /// <param name="key">White space around it does not count.</param>
    public static string Of(string key) => Of(key, RandomNumberGenerator.GetBytes(SaltBytes));

    internal static string Of(string key, ReadOnlySpan<byte> salt, int memoryKib = MemoryKib, int passes = Passes) => string.Create(CultureInfo.InvariantCulture,
        $"{Prefix}m={memoryKib},t={passes},p=1${Unpadded(salt)}${Unpadded(Derive(key, salt, memoryKib, passes, HashBytes))}");

    /// <summary>Whether this is the key of a hash that was <see cref="Checked"/>. Takes the memory and the time that the hash asks for.</summary>
    /// <param name="hash">Its cost is read from it: an older or a stronger one stays good.</param>
    /// <param name="key">White space around it does not count.</param>
    /// <exception cref="FormatException">The hash is none that can be checked.</exception>
    internal static bool Verify(string hash, string key)
    {
        var stored = Parse(hash) ?? throw new FormatException("The stored admin master key hash is invalid.");
        return CryptographicOperations.FixedTimeEquals(Derive(key, stored.Salt, stored.MemoryKib, stored.Passes, stored.Hash.Length), stored.Hash);
    }

    /// <summary>The hash, if it has a form that can be checked later.</summary>
    internal static string Checked(ConfigValue value)
    {
        var what = string.Create(CultureInfo.InvariantCulture,
            $"an Argon2id hash ($argon2id$v=19$m=…,t=…,p=1$…) of at most {MemoryKibMax} KiB and {PassesMax} passes; `dbx config --admin-master-key` makes one");
        var text = value.Text(what);
        return Parse(text) is not null ? text : throw new ConfigValueException(what);
    }

    static byte[] Derive(string key, ReadOnlySpan<byte> salt, int memoryKib, int passes, int bytes)
    {
        var argon2 = PasswordBasedKeyDerivationAlgorithm.Argon2id(
            new Argon2Parameters { MemorySize = memoryKib, NumberOfPasses = passes, DegreeOfParallelism = 1 });
        return argon2.DeriveBytes(Encoding.UTF8.GetBytes(key.Trim()), salt, bytes);
    }

    static (int MemoryKib, int Passes, byte[] Salt, byte[] Hash)? Parse(string text)
    {
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text[Prefix.Length..].Split('$') is not [var cost, var salt, var hash])
            return null;
        if (cost.Split(',') is not [var m, var t, "p=1"] || Number(m, "m=", MemoryKibMin, MemoryKibMax) is not { } memory || Number(t, "t=", 1, PassesMax) is not { } passes)
            return null;
        return Bytes(salt) is { Length: SaltBytes } saltBytes && Bytes(hash) is { Length: >= HashBytesMin and <= HashBytesMax } hashBytes
            ? (memory, passes, saltBytes, hashBytes)
            : null;
    }

    static int? Number(string text, string name, int min, int max) =>
        text.StartsWith(name, StringComparison.Ordinal) && int.TryParse(text.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= min && number <= max ? number : null;

    /// <summary>One spelling each: what is not what we would write is refused.</summary>
    static byte[]? Bytes(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length) && Unpadded(bytes.AsSpan(0, length)) == text
            ? bytes[..length]
            : null;
    }

    static string Unpadded(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');
}
