using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace EventDbx.Server.Rest;

/// <summary>Entity tags: <c>"3"</c> is an aggregate at version 3, <c>"3a"</c> the same archived.</summary>
internal static class EntityTag
{
    public static string Of(AggregateState aggregate) =>
        string.Create(CultureInfo.InvariantCulture, $"\"{aggregate.Version}{(aggregate.Archived ? "a" : "")}\"");

    /// <summary>Whether one of the tags of <c>If-None-Match</c> is this one. Weak ones count, as RFC 9110 §13.1.2 has it.</summary>
    public static bool IsAmong(StringValues header, string tag)
    {
        foreach (var line in header)
        {
            foreach (var part in (line ?? "").Split(','))
            {
                var one = part.AsSpan().Trim();
                if (one is "*" || (one.StartsWith("W/") ? one[2..] : one).SequenceEqual(tag))
                    return true;
            }
        }

        return false;
    }
}

/// <summary>What the headers of an append demand of the aggregate.</summary>
/// <param name="Version">It is at this version.</param>
/// <param name="MustExist"><c>If-Match: *</c>: it has events.</param>
internal readonly record struct Preconditions(ulong? Version, bool MustExist)
{
    /// <summary>Whether there are any.</summary>
    public bool Any => Version is not null || MustExist;

    /// <exception cref="RefusedException">They are none that can be held against a version, or contradict each other.</exception>
    public static Preconditions Of(IHeaderDictionary headers)
    {
        var (match, noneMatch) = (headers.IfMatch, headers.IfNoneMatch);
        if (match.Count + noneMatch.Count > 1)
            throw Refused("If-Match and If-None-Match together, or twice: send one of them once.");
        if (noneMatch.Count == 1)
        {
            return noneMatch[0]?.Trim() == "*"
                ? new(0, false)
                : throw Refused($"If-None-Match: {Shown.Of(noneMatch[0] ?? "")} says nothing about an append; it takes `*`, for an aggregate without events.");
        }

        if (match.Count == 0)
            return default;
        var tag = (match[0] ?? "").Trim();
        if (tag == "*")
            return new(null, true);
        if (tag.Length > 2 && tag[0] == '"' && tag[^1] == '"')
        {
            var inside = tag.AsSpan(1, tag.Length - 2);
            if (ulong.TryParse(inside, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
                return new(version, false);
            if (inside[^1] == 'a' && ulong.TryParse(inside[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out _))
                throw new PreconditionFailedException(new(RefusalCode.VersionConflict, $"If-Match: {tag} is an archived aggregate, and those take no appends."));
        }

        throw Refused($"If-Match: {Shown.Of(tag)} is not a version; it takes one strong tag as a read sends it in ETag, such as \"3\", or `*`.");
    }

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}

/// <summary>A condition of the headers does not hold: 412, whatever the status of its code is elsewhere.</summary>
internal sealed class PreconditionFailedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
