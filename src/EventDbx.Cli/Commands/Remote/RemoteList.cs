namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote ls</c>: every remote.</summary>
internal static class RemoteList
{
    public static Verb Create() => new("ls", "List the remotes: name, endpoint, fingerprint of the pinned key.")
    {
        Remarks = [RemoteCommand.Who],
        Examples =
        [
            new("dbx remote ls", "One a line."),
            new("dbx remote ls --json", "An object by name, with the keys themselves."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToPeersAsync(
        call, reading: true,
        async peers =>
        {
            var remotes = await peers.GetRemotesAsync(cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(
                call.Json ? RemoteText.Json(remotes, RemoteText.Remote)
                : remotes.Count == 0 ? "(no remotes configured)\n"
                : string.Concat(remotes.OrderBy(remote => remote.Key, JsonText.Utf8Order)
                    .Select(remote => PlainText.Line($"{remote.Key} {remote.Value.Endpoint} {RemoteText.Fingerprint(remote.Value.PublicKey)}{(RemoteText.Mode(remote.Value) is { } mode ? $" mode={mode}" : "")}")))).ConfigureAwait(false);
            return ExitCode.Done;
        },
        cancellation);
}
