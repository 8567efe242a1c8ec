using System.Security.Cryptography;

namespace EventDbx.Benchmarks.Layout;

/// <summary>AES-256-GCM: nonce, ciphertext, tag; bound to the row's key. Without a key, nothing.</summary>
internal sealed class Seal : IDisposable
{
    const int NonceBytes = 12;
    const int TagBytes = 16;

    readonly AesGcm? _cipher;
    readonly byte[] _nameKey = new byte[32];

    public Seal(bool sealed_)
    {
        RandomNumberGenerator.Fill(_nameKey);
        _cipher = sealed_ ? new AesGcm(RandomNumberGenerator.GetBytes(32), TagBytes) : null;
    }

    public bool IsPlain => _cipher is null;

    public byte[] Close(ReadOnlySpan<byte> key, ReadOnlySpan<byte> plain)
    {
        if (_cipher is null)
            return plain.ToArray();
        var box = new byte[NonceBytes + plain.Length + TagBytes];
        var (nonce, tag) = (box.AsMemory(0, NonceBytes), box.AsMemory(NonceBytes + plain.Length));
        RandomNumberGenerator.Fill(nonce.Span);
        _cipher.Encrypt(nonce.Span, plain, box.AsSpan(NonceBytes, plain.Length), tag.Span, key);
        return box;
    }

    public byte[] Open(ReadOnlySpan<byte> key, byte[] box)
    {
        if (_cipher is null)
            return box;
        var plain = new byte[box.Length - NonceBytes - TagBytes];
        _cipher.Decrypt(
            box.AsSpan(0, NonceBytes), box.AsSpan(NonceBytes, plain.Length), box.AsSpan(NonceBytes + plain.Length), plain, key);
        return plain;
    }

    /// <summary>The name in a key: itself, or 16 bytes that say nothing about it.</summary>
    public byte[] Name(byte[] name) => _cipher is null ? name : HMACSHA256.HashData(_nameKey, name)[..16];

    public void Dispose() => _cipher?.Dispose();
}
