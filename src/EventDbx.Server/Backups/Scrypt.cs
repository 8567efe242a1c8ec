using System.Runtime.InteropServices;

namespace EventDbx.Server.Backups;

/// <summary>scrypt (RFC 7914) of libsodium, which NSec offers with salts of 32 bytes only; age has 44.</summary>
internal static unsafe partial class Scrypt
{
    /// <summary>Derives a key with block size 8 and no parallelism.</summary>
    /// <param name="passphrase">In UTF-8.</param>
    /// <param name="salt">Of any length.</param>
    /// <param name="workFactor">The cost is 2 to the power of this; so many KiB of memory.</param>
    /// <param name="key">Is filled.</param>
    public static void Derive(ReadOnlySpan<byte> passphrase, ReadOnlySpan<byte> salt, int workFactor, Span<byte> key)
    {
        fixed (byte* from = passphrase, with = salt, to = key)
        {
            if (crypto_pwhash_scryptsalsa208sha256_ll(from, (nuint)passphrase.Length, with, (nuint)salt.Length, 1UL << workFactor, 8, 1, to, (nuint)key.Length) != 0)
                throw new RefusedException(RefusalCode.Unavailable, $"There is not enough memory to make a key of the passphrase: it takes {1 << workFactor >> 10} MiB.");
        }
    }

    [LibraryImport("libsodium")]
    private static partial int crypto_pwhash_scryptsalsa208sha256_ll(
        byte* passphrase, nuint passphraseLength, byte* salt, nuint saltLength, ulong cost, uint blockSize, uint parallelism, byte* key, nuint keyLength);
}
