using EventDbx.Integrity;

namespace EventDbx.Server.Tokens;

/// <summary>One token in the ledger. The token itself is not there, only its hash.</summary>
internal sealed record TokenRecord
{
    public required Hash32 Sha256 { get; init; }

    public required Guid Jti { get; init; }

    public required string Subject { get; init; }

    public required string Group { get; init; }

    public required string User { get; init; }

    public required bool Root { get; init; }

    public required IReadOnlyList<string> Actions { get; init; }

    public required IReadOnlyList<string> Resources { get; init; }

    public required Timestamp IssuedAt { get; init; }

    public Timestamp? NotBefore { get; init; }

    /// <summary>As issued. Where a token that is kept alive has got to since, the store knows.</summary>
    public Timestamp? ExpiresAt { get; init; }

    public required string IssuedBy { get; init; }

    public bool Revoked { get; init; }

    public Timestamp? RevokedAt { get; init; }

    public string? RevokedReason { get; init; }

    public required TokenLimits Limits { get; init; }

    /// <summary>Ticks of 100 ns from issue to expiry; null when it has none.</summary>
    public long? Lifetime => ExpiresAt is { } end ? Math.Max(0, end.Ticks100ns - IssuedAt.Ticks100ns) : null;
}
