using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>Nonces (12 bytes), salts (16) and keys (32) from one pooled random fill: the system is asked once per 4 KiB.</summary>
/// <remarks>
/// Thread-safe. Bytes are handed out once and wiped from the pool as they leave. Like every generator in user space,
/// it would repeat itself if one memory image of a virtual machine were resumed twice: clone disks, not running memory.
/// </remarks>
/// <param name="fill">Where randomness comes from: fills the whole span. Tests give a fixed one.</param>
internal sealed class NoncePool(Action<Span<byte>> fill)
{
    /// <summary>Bytes asked of the source at once.</summary>
    public const int PoolBytes = 4096;

    readonly Lock _gate = new();
    readonly byte[] _pool = new byte[PoolBytes];
    int _at = PoolBytes;

    /// <summary>From the system's generator.</summary>
    public NoncePool() : this(RandomNumberGenerator.Fill) { }

    /// <summary>Fills the target, of at most <see cref="PoolBytes"/> bytes, with bytes nobody else was or will be given.</summary>
    public void Take(Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(target.Length, PoolBytes);
        lock (_gate)
        {
            if (PoolBytes - _at < target.Length)
                Refill();
            var taken = _pool.AsSpan(_at, target.Length);
            taken.CopyTo(target);
            taken.Clear();
            _at += target.Length;
        }
    }

    void Refill()
    {
        // Marked as spent first: when the source throws halfway, nothing half-filled is ever handed out.
        _at = PoolBytes;
        fill(_pool);
        _at = 0;
    }
}
