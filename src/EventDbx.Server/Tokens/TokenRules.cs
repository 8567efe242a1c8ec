namespace EventDbx.Server.Tokens;

/// <summary>What a token may be asked to be, and what stands for what was not said.</summary>
internal static class TokenRules
{
    static readonly string[] RootActions = ["*.*"];
    static readonly string[] AllResources = ["*"];

    /// <summary>Seconds from 1970 to the end of the year 9999.</summary>
    const long LastSecond = 253_402_300_799;

    /// <summary>The request with nothing left open but the lifetime.</summary>
    /// <exception cref="RefusedException">Something in it is out of form or bounds.</exception>
    public static TokenRequest Complete(TokenRequest request)
    {
        Check("group", request.Group, TokenBounds.NameBytesMax);
        Check("user", request.User, TokenBounds.NameBytesMax);
        var subject = string.IsNullOrWhiteSpace(request.Subject) ? $"{request.Group}:{request.User}" : request.Subject;
        Check("subject", subject, TokenBounds.SubjectBytesMax);
        var issuedBy = request.IssuedBy ?? "admin";
        Check("issued_by", issuedBy, TokenBounds.NameBytesMax);
        // Checked even where root makes them idle: what is misspelt was meant.
        CheckCount("actions", request.Actions, TokenBounds.ActionsMax);
        CheckCount("resources", request.Resources, TokenBounds.ResourcesMax);
        foreach (var action in request.Actions)
            Check("An action", action, TokenBounds.NameBytesMax);
        foreach (var resource in request.Resources)
            Check("A resource", resource, TokenBounds.ResourceBytesMax);
        if (!Grants.TryParse(request.Actions, request.Resources, out _, out var refusal))
            throw new RefusedException(refusal);
        return request with
        {
            Subject = subject,
            IssuedBy = issuedBy,
            Actions = request.Root ? RootActions : request.Actions.Count == 0 ? TokenRequest.DefaultActions : [.. request.Actions],
            Resources = request.Root || request.Resources.Count == 0 ? AllResources : [.. request.Resources],
        };
    }

    /// <summary>A request from afar says what it wants: a member that was forgotten must not become a token that may append everywhere.</summary>
    /// <exception cref="RefusedException">It names no action, and is not for root.</exception>
    public static void DemandActions(TokenRequest request)
    {
        if (!request.Root && request.Actions.Count == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "actions must be provided for non-root tokens: \"actions\": [\"aggregate.read\"], or \"root\": true.");
    }

    /// <summary>The reason as it is kept: null when nothing was said.</summary>
    public static string? CheckReason(string? reason)
    {
        if (string.IsNullOrWhiteSpace(reason))
            return null;
        Check("reason", reason, TokenBounds.ReasonBytesMax);
        return reason;
    }

    /// <summary>The end of a lifetime; null for 0, which is for ever. What goes beyond the year 9999 ends with it.</summary>
    public static Timestamp? ExpiryOf(Timestamp issuedAt, ulong ttlSeconds)
    {
        if (ttlSeconds == 0)
            return null;
        var start = issuedAt.Ticks100ns / TimeSpan.TicksPerSecond;
        var seconds = ttlSeconds >= (ulong)(LastSecond - start) ? LastSecond : start + (long)ttlSeconds;
        return new(seconds * TimeSpan.TicksPerSecond);
    }

    static void Check(string what, string text, int bytesMax)
    {
        if (Names.Check(what, text, bytesMax) is { } refusal)
            throw new RefusedException(refusal);
    }

    static void CheckCount(string what, IReadOnlyList<string> items, int max)
    {
        if (items.Count > max)
            throw new RefusedException(RefusalCode.LimitExceeded, $"A token with {items.Count} {what}; at most {max} are taken. Patterns with * reach many at once.");
    }
}
