namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token list</c>: every token that is known.</summary>
internal static class TokenList
{
    public static Verb Create() => new("list", "List the tokens that were issued, with what is left of them.")
    {
        Remarks = ["The tokens themselves are not shown, for only their hashes are kept.", TokenCommand.Who],
        Examples =
        [
            new("dbx token list", "One after the other."),
            new("dbx token list --json", "As an array."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToTokensAsync(
        call,
        async store =>
        {
            var listings = await store.ListTokensAsync(cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(
                call.Json ? TokenText.Json(listings)
                : listings.Count == 0 ? "no issued tokens\n"
                : string.Concat(listings.Select(TokenText.Of))).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () =>
        {
            call.Shell.Out.Write(call.Json ? "[]\n" : "no issued tokens\n");
            return ExitCode.Done;
        },
        cancellation);
}
