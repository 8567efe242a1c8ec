using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace EventDbx.Server.Configuration;

/// <summary>The admin master key, as it is kept: an Argon2id hash in the PHC form <c>$argon2id$v=19$m=19456,t=2,p=1$salt$hash</c>.</summary>
public static class MasterKeyHash
{
    const int SaltBytes = 16;
    const int HashBytes = 32;
    const string Parameters = "m=19456,t=2,p=1"; // KiB, passes, lanes
    const string Prefix = "$argon2id$v=19$";

    /// <param name="key">White space around it does not count.</param>
    public static string Of(string key) => Of(key, RandomNumberGenerator.GetBytes(SaltBytes));

    internal static string Of(string key, ReadOnlySpan<byte> salt)
    {
        var argon2 = PasswordBasedKeyDerivationAlgorithm.Argon2id(
            new Argon2Parameters { MemorySize = 19_456, NumberOfPasses = 2, DegreeOfParallelism = 1 });
        var hash = argon2.DeriveBytes(Encoding.UTF8.GetBytes(key.Trim()), salt, HashBytes);
        return $"{Prefix}{Parameters}${Unpadded(salt)}${Unpadded(hash)}";
    }

    /// <summary>The hash, if it has a form that can be checked later.</summary>
    internal static string Checked(ConfigValue value)
    {
        const string what = "an Argon2id hash ($argon2id$v=19$…); `dbx config --admin-master-key` makes one";
        var text = value.Text(what);
        return text.StartsWith(Prefix, StringComparison.Ordinal) && text.Split('$').Length == 6
            ? text
            : throw new ConfigValueException(what);
    }

    static string Unpadded(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');
}
