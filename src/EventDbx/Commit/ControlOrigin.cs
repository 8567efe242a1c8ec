using System.Buffers;

namespace EventDbx.Commit;

/// <summary>From where a control entry was made: the member <c>from</c>, the last one of its body.</summary>
/// <remarks>
/// What the body says of the change itself is compared with rows elsewhere, so it must be possible to take the member out again. Its
/// text is plain, and a quote inside a string is escaped: what looks like the member at the very end is the member.
/// </remarks>
internal static class ControlOrigin
{
    static readonly SearchValues<char> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:%-_[]");

    static ReadOnlySpan<byte> Member => "\"from\":\""u8;

    static ReadOnlySpan<byte> End => "\"}"u8;

    /// <summary>The origin, if it can be one.</summary>
    /// <exception cref="ArgumentException">It is empty, long, or has other characters than letters, digits, blanks and those of an address.</exception>
    public static string Checked(string origin) => origin.Length is > 0 and <= Limits.OriginCharactersMax && !origin.AsSpan().ContainsAnyExcept(Plain)
        ? origin
        : throw new ArgumentException($"An origin is 1 to {Limits.OriginCharactersMax} plain characters, such as `rest 192.0.2.1`.", nameof(origin));

    /// <summary>The body with the member; as it is where there is no origin.</summary>
    /// <param name="body">A JSON object.</param>
    public static byte[] Into(byte[] body, string? origin)
    {
        if (origin is null)
            return body;
        var comma = body.Length > 2 ? ","u8 : default;
        return [.. body.AsSpan(0, body.Length - 1), .. comma, .. Member, .. Encoding.ASCII.GetBytes(origin), .. End];
    }

    /// <summary>The origin that a body names; null where it names none.</summary>
    public static string? In(ReadOnlySpan<byte> body) => StartOf(body) is { } at
        ? Encoding.ASCII.GetString(body[(at + Member.Length)..^End.Length])
        : null;

    /// <summary>What a body says beside the origin: without that member, and without the brace at its end.</summary>
    public static ReadOnlySpan<byte> Without(ReadOnlySpan<byte> body)
    {
        if (StartOf(body) is not { } at)
            return body.IsEmpty ? body : body[..^1];
        return body[at - 1] == (byte)',' ? body[..(at - 1)] : body[..at];
    }

    static int? StartOf(ReadOnlySpan<byte> body)
    {
        var at = body.LastIndexOf(Member);
        if (at < 1 || !body.EndsWith(End) || body[at - 1] is not ((byte)',' or (byte)'{'))
            return null;
        var text = body[(at + Member.Length)..];
        return text.Length > End.Length && text.IndexOfAny((byte)'"', (byte)'\\') == text.Length - End.Length ? at : null;
    }
}
