using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.Tests.Encryption;

/// <summary>Fixed keys, names and randomness.</summary>
internal static class Given
{
    public static readonly AggregateKey Order = AggregateKey.Create("order", "1001");

    public static readonly byte[] EventId = Convert.FromHexString("0198f2c4a1b27c3d8e4f5a6b7c8d9e0f");

    public static byte[] Bytes(int first, int count = 32) => [.. Enumerable.Range(first, count).Select(i => (byte)i)];

    public static DataKey DataKey() => new(Bytes(0));

    public static AggregateCipher Cipher(AggregateKey? name = null) => new(name ?? Order, Bytes(32), []);

    /// <summary>A source that gives the same bytes again and again.</summary>
    public static NoncePool Repeating(byte[] bytes) => new(target =>
    {
        for (var i = 0; i < target.Length; i++)
            target[i] = bytes[i % bytes.Length];
    });

    public static byte[] Seal(AggregateCipher? cipher, Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> plaintext, NoncePool? nonces = null)
    {
        var target = new byte[Sealer.SealedBytes(cipher, plaintext.Length)];
        Sealer.Seal(cipher, purpose, place, plaintext, target, nonces ?? new NoncePool());
        return target;
    }

    /// <summary>The plaintext, or null when the value is refused.</summary>
    public static byte[]? Open(AggregateCipher? cipher, Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> value)
    {
        var plaintext = new byte[Sealer.OpenedBytes(cipher, value.Length)];
        return Sealer.TryOpen(cipher, purpose, place, value, plaintext) ? plaintext : null;
    }
}
