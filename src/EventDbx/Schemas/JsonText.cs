using System.Buffers;

namespace EventDbx.Schemas;

/// <summary>A JSON string's characters, or a number's, on the caller's stack when they fit, otherwise rented. Dispose returns them.</summary>
internal readonly ref struct JsonText : IDisposable
{
    /// <summary>What a caller puts on its stack.</summary>
    public const int StackCharacters = 256;

    readonly char[]? _rented;

    /// <param name="json">A string with its quotes, or a number: well-formed, minified.</param>
    /// <param name="stack">Memory of the caller.</param>
    public JsonText(ReadOnlySpan<byte> json, Span<char> stack)
    {
        var raw = json[0] == (byte)'"' ? json[1..^1] : json;
        // No byte becomes more than one UTF-16 unit, and no escape more than it is long.
        if (raw.Length > stack.Length)
            stack = _rented = ArrayPool<char>.Shared.Rent(raw.Length);
        if (!raw.Contains((byte)'\\'))
        {
            Characters = stack[..Encoding.UTF8.GetChars(raw, stack)];
            return;
        }

        using PooledBytes unescaped = new(raw.Length, stackalloc byte[PooledBytes.StackBytes]);
        var length = JsonEscape.Unescape(raw, unescaped.Span);
        Characters = stack[..Encoding.UTF8.GetChars(unescaped.Span[..length], stack)];
    }

    public ReadOnlySpan<char> Characters { get; }

    public void Dispose()
    {
        if (_rented is not null)
            ArrayPool<char>.Shared.Return(_rented);
    }
}
