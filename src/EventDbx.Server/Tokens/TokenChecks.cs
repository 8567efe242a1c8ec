namespace EventDbx.Server.Tokens;

/// <summary>How often tokens were looked at since the start, by outcome.</summary>
/// <param name="Good">Taken.</param>
/// <param name="Malformed">None at all.</param>
/// <param name="Unknown">Of the form, and not issued here.</param>
/// <param name="Refused">Issued here, and not good now.</param>
public readonly record struct TokenChecks(long Good, long Malformed, long Unknown, long Refused);
