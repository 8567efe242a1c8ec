namespace EventDbx.Server.Tokens;

/// <summary>What a new token is to be.</summary>
public sealed record TokenRequest
{
    /// <summary>With <see cref="User"/> the actor of every entry made with it.</summary>
    public required string Group { get; init; }

    public required string User { get; init; }

    /// <summary>Null or blank: <c>group:user</c>.</summary>
    public string? Subject { get; init; }

    /// <summary>Everything, tokens and settings included; actions and resources then do not matter.</summary>
    public bool Root { get; init; }

    /// <summary>None, and no root: <see cref="DefaultActions"/>.</summary>
    public IReadOnlyList<string> Actions { get; init; } = [];

    /// <summary>None: everything.</summary>
    public IReadOnlyList<string> Resources { get; init; } = [];

    /// <summary>Seconds it lives; 0: for ever. Null: as configured.</summary>
    public ulong? TtlSeconds { get; init; }

    /// <summary>Who or what issues it, such as <c>cli</c>; null: <c>admin</c>.</summary>
    public string? IssuedBy { get; init; }

    /// <summary>Events it may append in its life; null: no limit.</summary>
    public ulong? WriteLimit { get; init; }

    /// <summary>Every use moves its end to a whole lifetime from then on.</summary>
    public bool KeepAlive { get; init; }

    /// <summary>What a token may do when nothing was said about it.</summary>
    public static IReadOnlyList<string> DefaultActions { get; } = ["aggregate.append", "aggregate.read"];
}

/// <summary>How the successor of a token differs from it.</summary>
public sealed record TokenRefresh
{
    /// <summary>Seconds; 0: for ever. Null: the lifetime the old one had, else as configured.</summary>
    public ulong? TtlSeconds { get; init; }

    /// <summary>Null: what the old one has left.</summary>
    public ulong? WriteLimit { get; init; }
}

/// <summary>A token in clear, this one time.</summary>
/// <param name="Token">The secret; only its hash is kept.</param>
/// <param name="Listing">What lists will show of it.</param>
public sealed record IssuedToken(string Token, TokenListing Listing)
{
    /// <summary>Nothing was said about actions, so it got <see cref="TokenRequest.DefaultActions"/>: the caller should hear of it.</summary>
    public bool ActionsDefaulted { get; init; }
}

/// <summary>What has become of a token.</summary>
public enum TokenStatus
{
    Active,
    Expired,
    Revoked,
}

/// <summary>Limits of a token beside its lifetime.</summary>
/// <param name="WriteEvents">Events it may append in its life; null: no limit.</param>
/// <param name="KeepAlive">Every use moves its end.</param>
public sealed record TokenLimits(ulong? WriteEvents, bool KeepAlive);

/// <summary>A token as lists show it.</summary>
public sealed record TokenListing
{
    public required Guid Jti { get; init; }

    public required string Subject { get; init; }

    public required string Group { get; init; }

    public required string User { get; init; }

    public required bool Root { get; init; }

    public required IReadOnlyList<string> Actions { get; init; }

    public required IReadOnlyList<string> Resources { get; init; }

    public required Timestamp IssuedAt { get; init; }

    public Timestamp? NotBefore { get; init; }

    /// <summary>As it is now, for a token that is kept alive; null: never.</summary>
    public Timestamp? ExpiresAt { get; init; }

    public required string IssuedBy { get; init; }

    public required TokenStatus Status { get; init; }

    public required TokenLimits Limits { get; init; }

    /// <summary>Set when it was revoked here.</summary>
    public Timestamp? RevokedAt { get; init; }

    public string? RevokedReason { get; init; }

    /// <summary>Null without a limit.</summary>
    public ulong? WritesRemaining { get; init; }
}

/// <summary>A signing secret that was replaced. The secrets themselves are in the configuration, and nowhere else.</summary>
/// <param name="KeyId">Names the one that signs from now on.</param>
/// <param name="PreviousKeyId">Names the one that signed before.</param>
/// <param name="PreviousUntil">Until when its tokens are taken; null: they are not.</param>
public sealed record SecretRotation(string KeyId, string PreviousKeyId, Timestamp? PreviousUntil)
{
    /// <summary>The one before that, whose tokens would still have been taken: there are two secrets at most. Null where there was none.</summary>
    public RetiredSecret? Dropped { get; init; }
}

/// <summary>A token that works no more.</summary>
public sealed record TokenRevocation(Guid Jti, Timestamp RevokedAt, string? Reason);
