namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote show</c>: one remote.</summary>
internal static class RemoteShow
{
    public static Verb Create() => new("show", "Show a remote: its endpoint, the pinned key, and the fingerprint of that.", RemoteCommand.Name)
    {
        Remarks = [RemoteCommand.Who],
        Examples = [new("dbx remote show standby", "The fingerprint is what `dbx remote key` shows on that node.")],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToPeersAsync(
        call, reading: true,
        async peers =>
        {
            var name = call.NameIn(RemoteCommand.Name, "remote");
            var remote = (await peers.GetRemotesAsync(cancellation).ConfigureAwait(false)).GetValueOrDefault(name)
                ?? throw new RefusedException(RefusalCode.NotFound, $"no remote named '{name}' is configured.");
            await call.Shell.Out.WriteAsync(
                call.Json ? RemoteText.Json(name, remote, RemoteText.Remote)
                : string.Concat(
                    PlainText.Line($"name: {name}"), PlainText.Line($"endpoint: {remote.Endpoint}"), PlainText.Line($"public_key: {remote.PublicKey}"),
                    PlainText.Line($"fingerprint: {RemoteText.Fingerprint(remote.PublicKey)}"),
                    RemoteText.Mode(remote) is { } mode ? PlainText.Line($"mode: {mode}") : "")).ConfigureAwait(false);
            return ExitCode.Done;
        },
        cancellation);
}
