namespace EventDbx.Access;

/// <summary>What can be done to a token: the kinds of its control entries.</summary>
public enum TokenChange
{
    Issue,
    Refresh,
    Revoke,
}

internal static class TokenChanges
{
    public static string NameOf(TokenChange change) => change switch
    {
        TokenChange.Issue => "token_issue",
        TokenChange.Refresh => "token_refresh",
        TokenChange.Revoke => "token_revoke",
    };
}
