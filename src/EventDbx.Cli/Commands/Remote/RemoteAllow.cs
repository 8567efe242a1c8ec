using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote allow</c>: who may come to this node, and for what.</summary>
internal static class RemoteAllow
{
    public static Slot Name { get; } = new("--name", "NAME", "What the other node is called here.");

    static readonly Option<string> PublicKey = RemoteCommand.PublicKeyOption("the node that may come");

    static readonly Option<bool> Push = Options.Switch("--push", "It may bring events.");

    static readonly Option<bool> Pull = Options.Switch("--pull", "It may fetch events, all of them.");

    static readonly Option<bool> Both = Options.Switch("--both", "Both.");

    static readonly Option<bool> Replace = Options.Switch("--replace", "Change what that name may, or its key, if it is known.");

    public static Verb Create() => new("allow", "Let another node come to this one: to push, to pull, or both.", Name)
    {
        Remarks = ["Nobody may who is not allowed here; whom this node goes to is `dbx remote add`. What may be pulled is everything: no token narrows it.", RemoteCommand.Who],
        Examples =
        [
            new("dbx remote allow standby --pull --public-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "A standby that fetches."),
            new("dbx remote allow standby --both --public-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo --replace", "From now on it may bring events, too."),
        ],
        Options = { Push, Pull, Both, PublicKey, Replace, AccessToken.Option },
        Check = call =>
        {
            call.NotBoth(Both, Push);
            call.NotBoth(Both, Pull);
            if (!call.Get(Push) && !call.Get(Pull) && !call.Get(Both))
                throw new UsageException($"say what it may: `{Push.Name}`, `{Pull.Name}` or `{Both.Name}`.");
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var asked = new AllowedPeer { PublicKey = call.Demanded(PublicKey), Push = call.Get(Push) || call.Get(Both), Pull = call.Get(Pull) || call.Get(Both) };
        var name = call.NameIn(Name, "peer");
        return await Link.ToPeersAsync(
            call, reading: false,
            async peers =>
            {
                var peer = await peers.AllowAsync(name, asked, call.Get(Replace), cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(
                    call.Json ? RemoteText.Json(name, peer, RemoteText.Allowed)
                    : PlainText.Line($"Peer '{name}' may {RemoteText.Rights(peer).Replace(",", " and ", StringComparison.Ordinal)} with key {peer.PublicKey}")
                        + $"fingerprint: {RemoteText.Fingerprint(peer.PublicKey)}\n").ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation).ConfigureAwait(false);
    }
}
