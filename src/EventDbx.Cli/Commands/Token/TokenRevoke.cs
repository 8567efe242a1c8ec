namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token revoke</c>: a token that works no more.</summary>
internal static class TokenRevoke
{
    static readonly Option<string> Reason = Options.Text("--reason", "TEXT", "Why; for the list and the log.");

    public static Verb Create() => new("revoke", "End a token: the very next request with it is refused.", TokenCommand.Existing)
    {
        Remarks = [TokenCommand.WhoDoesIt],
        Examples =
        [
            new("dbx token revoke 45c3013e-9b95-4ed0-9af9-1a465f81d3cf --reason \"left\"", "By its id."),
            new("dbx token revoke --token @token.txt", "By the token itself, from a file."),
        ],
        Options = { Reason },
        CanBeElsewhere = true,
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var token = await TokenCommand.ExistingAsync(call, cancellation).ConfigureAwait(false);
        return await Link.ToTokensAsync(
            call,
            async store =>
            {
                var revoked = await store.RevokeTokenAsync(token, call.Get(Reason), cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(call.Json ? TokenText.Json(revoked, token) : $"revoked {revoked.Jti:D}\n").ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: () => throw TokenCommand.NoneYet(),
            cancellation).ConfigureAwait(false);
    }
}
