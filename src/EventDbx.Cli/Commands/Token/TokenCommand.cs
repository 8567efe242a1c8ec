namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token …</c>: who may come in over the network, and what they may do.</summary>
internal static class TokenCommand
{
    /// <summary>A token that exists, as a value of a command.</summary>
    public static Slot Existing { get; } = new("--token", "TOKEN", $"The token, or its id (jti). {SecretText.Forms}");

    public static Noun Create() => new(
        "token",
        "Issue, list, revoke and refresh the tokens with which clients come to the server.",
        TokenGenerate.Create(),
        TokenList.Create(),
        TokenRevoke.Create(),
        TokenRefresh.Create(),
        TokenRotateSecret.Create());

    /// <summary>Who manages tokens, where the command line does not say.</summary>
    public const string Who = "Without `--token` and `--server` it is done as the owner of the data directory, whatever EVENTDBX_TOKEN says.";

    /// <summary>Where <c>--token</c> names the token that something is done to, and not the one that does it.</summary>
    public const string WhoDoesIt = "With `--server` the token that does it stands before the command (`dbx --token TOKEN token …`), or in EVENTDBX_TOKEN.";

    /// <summary>The token that the command line names, from wherever it is.</summary>
    public static async Task<string> ExistingAsync(Call call, CancellationToken cancellation) =>
        await SecretText.ReadAsync(Existing.Name, call[Existing], call.Shell, cancellation).ConfigureAwait(false)
        ?? throw new UsageException("TOKEN is blank; give the token, or its id.");

    public static Option<long?> TtlOption(string whenAbsent) => Options.WholeNumber(
        "--expiration", $"Seconds it lives, 0 for ever (default: {whenAbsent}).", aliases: "--ttl");

    public static Option<long?> LimitOption(string whenAbsent) => Options.WholeNumber(
        "--limit", $"Events it may append in its life (default: {whenAbsent}).", aliases: "--write-limit");

    /// <summary>What to say where there is no store, and so no token.</summary>
    public static RefusedException NoneYet() => new(RefusalCode.Unauthenticated, "Token not found or inactive: there is no store yet, and so no token.");
}
