using System.Buffers;

namespace EventDbx.Integrity;

/// <summary>Scratch memory of a known size: the caller's stack when it fits, otherwise rented. Dispose returns it.</summary>
internal readonly ref struct PooledBytes : IDisposable
{
    /// <summary>What a caller puts on its stack.</summary>
    public const int StackBytes = 1024;

    readonly byte[]? _rented;

    /// <param name="length">Bytes of <see cref="Span"/>.</param>
    /// <param name="stack">Memory of the caller, usually <see cref="StackBytes"/> of it.</param>
    public PooledBytes(int length, Span<byte> stack)
    {
        if (length > stack.Length)
            stack = _rented = ArrayPool<byte>.Shared.Rent(length);
        Span = stack[..length];
    }

    /// <summary>The scratch bytes. Their content is whatever was there before.</summary>
    public Span<byte> Span { get; }

    public void Dispose()
    {
        if (_rented is not null)
            ArrayPool<byte>.Shared.Return(_rented);
    }
}
