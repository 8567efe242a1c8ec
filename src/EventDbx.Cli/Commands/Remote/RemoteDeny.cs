namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote deny</c>: a node that may not come any more.</summary>
internal static class RemoteDeny
{
    static readonly Slot Peer = new("--peer", "NAME|KEY", "The node, as it is called here, or its public key.");

    public static Verb Create() => new("deny", "Let a node come no more. What it brought or fetched before stays.", Peer)
    {
        Remarks = [RemoteCommand.Who],
        Examples =
        [
            new("dbx remote deny standby", "By the name."),
            new("dbx remote deny 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "By the key, whatever it is called."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToPeersAsync(
        call, reading: false,
        async peers =>
        {
            var (name, peer) = await peers.DenyAsync(call.NameIn(Peer, "peer"), cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(
                call.Json ? RemoteText.Json(name, peer, RemoteText.Allowed) : PlainText.Line($"Denied peer '{name}' with key {peer.PublicKey}")).ConfigureAwait(false);
            return ExitCode.Done;
        },
        cancellation);
}
