using System.Net;
using System.Net.Sockets;

namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote add</c>: another node, where it listens, and the key that it must prove to have.</summary>
internal static class RemoteAdd
{
    static readonly Slot Address = new("--ip", "IP", "Its address, or a name of DNS; without scheme and port.");

    static readonly Option<string> PublicKey = RemoteCommand.PublicKeyOption("the other node");

    static readonly Option<long?> Port = Options.WholeNumber("--port", "Its port (default: 6363).", max: ushort.MaxValue);

    static readonly Option<bool> Replace = Options.Switch("--replace", "Change the remote of that name, if there is one.");

    public static Verb Create() => new("add", "Register another node, and pin its public key.", RemoteCommand.Name, Address)
    {
        Remarks = ["Compare the fingerprint that it prints with what `dbx remote key` shows on the other node.", RemoteCommand.Who],
        Examples =
        [
            new("dbx remote add standby 10.1.2.3 --public-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "A standby, at the usual port."),
            new("dbx remote add standby 2001:db8::7 --public-key 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo --port 7000 --replace", "It has moved."),
        ],
        Options = { PublicKey, Port, Replace, AccessToken.Option },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var key = call.Demanded(PublicKey);
        var (name, endpoint) = (call.NameIn(RemoteCommand.Name, "remote"), EndpointOf(call[Address], call.Get(Port) ?? 6363));
        return await Link.ToPeersAsync(
            call, reading: false,
            async peers =>
            {
                var remote = await peers.PutRemoteAsync(name, endpoint, key, call.Get(Replace), cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(
                    call.Json ? RemoteText.Json(name, remote, RemoteText.Remote)
                    : PlainText.Line($"Remote '{name}' set to endpoint {remote.Endpoint} with pinned key {remote.PublicKey}")
                        + $"fingerprint: {RemoteText.Fingerprint(remote.PublicKey)}\n").ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>The endpoint of an address as it was typed; what else there is to it the rules of remotes check.</summary>
    static string EndpointOf(string address, long port)
    {
        var host = address.Trim();
        if (host.Length == 0)
            throw Refused("remote IP address cannot be empty");
        if (host.Contains("://", StringComparison.Ordinal))
            throw Refused("remote IP address must not include a protocol scheme");
        if (port == 0)
            throw Refused("remote port must be greater than zero");
        var bare = host is ['[', .. var inside, ']'] ? inside : host;
        if (bare.Contains(':', StringComparison.Ordinal))
        {
            return IPAddress.TryParse(bare, out var parsed) && parsed.AddressFamily == AddressFamily.InterNetworkV6
                ? FormattableString.Invariant($"tcp://[{bare}]:{port}")
                : throw Refused($"remote IP address '{host}' is no address of IPv6, and must not include a port: that is `{Port.Name}`");
        }

        return FormattableString.Invariant($"tcp://{host}:{port}");
    }

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, $"{message}.");
}
