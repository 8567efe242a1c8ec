using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>The header <c>Idempotency-Key</c>: an event id, or a text that stands for one.</summary>
internal static class IdempotencyKey
{
    public const string Header = "Idempotency-Key";

    static ReadOnlySpan<byte> Purpose => "eventdbx idempotency-key 1\0"u8;

    /// <summary>The event id it stands for; null without the header.</summary>
    /// <exception cref="RefusedException">It stands twice, is too long, or holds what is not visible ASCII.</exception>
    public static Guid? Find(IHeaderDictionary headers)
    {
        var given = headers[Header];
        if (given.Count == 0)
            return null;
        if (given.Count > 1)
            throw new RefusedException(RefusalCode.InvalidArgument, $"{Header} stands {given.Count} times; send it once.");
        var key = Unquote((given[0] ?? "").Trim());
        foreach (var c in key)
        {
            if (c is < '!' or > '~')
                throw Refused("holds something else");
        }

        if (key.Length is 0 or > ServerLimits.IdempotencyKeyMax)
            throw Refused($"has {key.Length} characters");
        if (!Guid.TryParseExact(key, "D", out _))
            return Derive(key);
        return EventIds.TryParse(key, out var id, out var refusal) ? id : throw new RefusedException(refusal with { Message = $"{Header}: {refusal.Message}" });
    }

    /// <summary>A UUID v8 over the key: the same key is the same event, on every server and for ever.</summary>
    public static Guid Derive(string key)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData([.. Purpose, .. Encoding.ASCII.GetBytes(key)], digest);
        digest[6] = (byte)((digest[6] & 0x0f) | 0x80);
        digest[8] = (byte)((digest[8] & 0x3f) | 0x80);
        return new Guid(digest[..16], bigEndian: true);
    }

    /// <summary>The header is a string of RFC 9651 where a client follows the draft to the letter: in quotes, with escapes.</summary>
    static string Unquote(string text)
    {
        if (text.Length < 2 || text[0] != '"')
            return text;
        var inside = new StringBuilder();
        var at = 1;
        for (; at < text.Length && text[at] != '"'; at++)
        {
            if (text[at] == '\\' && (++at == text.Length || text[at] is not ('"' or '\\')))
                throw Refused("is quoted, and has a backslash before something else than a quote or a backslash");
            inside.Append(text[at]);
        }

        return at == text.Length - 1 ? inside.ToString() : throw Refused("begins with a quote, and does not end with the one that closes it");
    }

    static RefusedException Refused(string found) => new(
        RefusalCode.InvalidArgument, $"{Header} {found}; it takes a UUID, or 1 to {ServerLimits.IdempotencyKeyMax} visible ASCII characters, in quotes or not.");
}
