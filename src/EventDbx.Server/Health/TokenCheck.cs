using EventDbx.Server.Tokens;

namespace EventDbx.Server.Health;

/// <summary>Tokens that nobody might miss, and that may do a great deal.</summary>
public static class TokenCheck
{
    const string Check = "tokens";

    /// <summary>How many are named; the rest is counted.</summary>
    const int Named = 5;

    /// <param name="findings">Receives what is found.</param>
    /// <param name="tokens">As lists show them.</param>
    public static void Look(Findings findings, IReadOnlyList<TokenListing> tokens)
    {
        var active = tokens.Where(token => token.Status == TokenStatus.Active).ToList();
        var eternal = active.Where(token => token.Root && token.ExpiresAt is null).ToList();
        if (eternal.Count > 0)
        {
            findings.Warn(Check, FormattableString.Invariant($"{eternal.Count} root token{(eternal.Count == 1 ? "" : "s")} never expire{(eternal.Count == 1 ? "s" : "")}: {Names(eternal)}."),
                "`dbx token refresh JTI --expiration SECONDS` gives a successor an end; `dbx token revoke JTI` ends one that nobody needs.");
        }

        var wide = active.Where(token => !token.Root && token.ExpiresAt is null && token.Resources.Contains("*") && token.Actions.Any(action => action is "*" or "*.*")).ToList();
        if (wide.Count > 0)
            findings.Warn(Check, FormattableString.Invariant($"{wide.Count} token(s) may do everything but manage, everywhere, and never expire: {Names(wide)}."), "Give them the actions and resources that they need, and an end.");
        if (eternal.Count + wide.Count == 0)
            findings.Ok(Check, FormattableString.Invariant($"{active.Count} token(s) work, and none of them is root for ever."));
    }

    static string Names(List<TokenListing> tokens) => string.Join(", ", tokens.Take(Named).Select(token => $"{token.Jti:D} ({token.Subject})"))
        + (tokens.Count > Named ? FormattableString.Invariant($" and {tokens.Count - Named} more") : "");
}
