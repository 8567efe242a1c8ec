namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote allowed</c>: who may come to this node.</summary>
internal static class RemoteAllowed
{
    public static Verb Create() => new("allowed", "List who may come to this node: name, what it may, fingerprint of its key.")
    {
        Remarks = [RemoteCommand.Who],
        Examples =
        [
            new("dbx remote allowed", "One a line."),
            new("dbx remote allowed --json", "An object by name, with the keys themselves."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToPeersAsync(
        call, reading: true,
        async peers =>
        {
            var allowed = await peers.GetAllowedAsync(cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(
                call.Json ? RemoteText.Json(allowed, RemoteText.Allowed)
                : allowed.Count == 0 ? "(nobody is allowed)\n"
                : string.Concat(allowed.OrderBy(peer => peer.Key, JsonText.Utf8Order)
                    .Select(peer => PlainText.Line($"{peer.Key} {RemoteText.Rights(peer.Value)} {RemoteText.Fingerprint(peer.Value.PublicKey)}")))).ConfigureAwait(false);
            return ExitCode.Done;
        },
        cancellation);
}
