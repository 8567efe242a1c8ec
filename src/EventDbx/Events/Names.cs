using System.Buffers;
using System.Text;

namespace EventDbx.Events;

/// <summary>What may be a name: aggregate types and ids, event types, groups and users.</summary>
public static class Names
{
    static readonly SearchValues<char> Control =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (char)c), '\u007f']);

    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Why a name cannot be stored, or null when it can.</summary>
    /// <param name="what">The member as callers know it, for the message.</param>
    /// <param name="name">The name.</param>
    /// <param name="bytesMax">Its bound in bytes of UTF-8.</param>
    public static Refusal? Check(string what, string? name, int bytesMax)
    {
        if (string.IsNullOrEmpty(name))
            return new(RefusalCode.InvalidName, $"{what} is empty; it takes 1 to {bytesMax} bytes of UTF-8.");
        if (name is "." or "..")
            return new(RefusalCode.InvalidName, $"{what} is \"{name}\", which no URL can name; choose another.");
        var at = name.AsSpan().IndexOfAny(Control);
        if (at >= 0)
            return new(RefusalCode.InvalidName, $"{what} holds the control character U+{(int)name[at]:X4} at index {at}; control characters are not accepted.");
        int bytes;
        try
        {
            bytes = Strict.GetByteCount(name);
        }
        catch (EncoderFallbackException)
        {
            return new(RefusalCode.InvalidName, $"{what} holds half of a surrogate pair, which UTF-8 cannot carry.");
        }

        return bytes <= bytesMax
            ? null
            : new(RefusalCode.InvalidName, $"{what} has {bytes} bytes of UTF-8; at most {bytesMax} are accepted.");
    }
}
