using EventDbx.Server.Replication;

namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote key</c>: the key by which other nodes know this one.</summary>
internal static class RemoteKey
{
    static readonly Option<bool> ShowPath = Options.Switch("--show-path", "Say in a second line where the private half lies.");

    public static Verb Create() => new("key", "Print the public key of this node, which other nodes pin. It is made where there is none yet.")
    {
        Remarks =
        [
            "Standard output has the key, and the path where it is asked for; the fingerprint, which people compare, goes to standard error, so that `$(dbx remote key)` is the key. " +
            "`--json` has all of them.",
            "The private half is a file for its owner alone ([replication] identity_key). A copy of it is this node, too; a backup of event_store does not have it.",
        ],
        Examples =
        [
            new("dbx remote key", "For `dbx remote add`, or `dbx remote allow`, on the other node."),
            new("dbx remote key --show-path", "And the file that has the private half."),
        ],
        Options = { ShowPath },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var identity = Identity(NodeIdentity.PathOf(call.LoadConfig().Config));
        var (key, fingerprint) = (identity.Key.ToString(), identity.Key.Fingerprint);
        if (call.Json)
        {
            await call.Shell.Out.WriteAsync(new JsonText().BeginObject().Member("public_key", key).Member("fingerprint", fingerprint).Member("path", identity.Path).EndObject().ToString()).ConfigureAwait(false);
            return ExitCode.Done;
        }

        await call.Shell.Out.WriteAsync(call.Get(ShowPath) ? $"{key}\n{PlainText.Line($"path: {identity.Path}")}" : $"{key}\n").ConfigureAwait(false);
        await call.NoteAsync($"fingerprint: {fingerprint}").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static NodeIdentity Identity(string path)
    {
        const string failed = "failed to load local replication public key";
        try
        {
            return NodeIdentity.ReadOrCreate(path);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal with { Message = $"{failed}: {refused.Refusal.Message}" });
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{failed}: {cause.Message}", cause);
        }
    }
}
