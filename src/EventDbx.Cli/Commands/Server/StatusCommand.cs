using System.Diagnostics;
using System.Globalization;
using System.Text;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Replication.Following;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx status</c>: whether a server runs, and what it is.</summary>
internal static class StatusCommand
{
    public static Verb Create() => new("status", "Say whether the server runs, and what it is.")
    {
        Remarks = ["It asks the server itself; exit code 0 whatever the answer. A server elsewhere (`--server`) tells a root token; one that is not reached there is exit code 1."],
        Examples =
        [
            new("dbx status", "Does it run?"),
            new("dbx status --json", "The same as JSON; `running` is the answer, and `tls` has certificate and fingerprint."),
        ],
        Options = { AccessToken.Option },
        Check = call =>
        {
            if (call.Has(AccessToken.Option) && !RemoteServer.IsMeant(call))
                throw new UsageException($"`{AccessToken.Option.Name}` goes with `{RemoteServer.Option.Name}`: the server of this machine tells its owner.");
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        if (RemoteServer.Of(call) is { } elsewhere)
            return await ElsewhereAsync(call, elsewhere, cancellation).ConfigureAwait(false);
        var directory = await call.FindDataDirAsync().ConfigureAwait(false);
        switch (ServerPresence.Find(directory))
        {
            case ServerPresence.Absent absent:
                await AbsentAsync(call, absent.LeftPidFile && PidFile.Remove(directory)).ConfigureAwait(false);
                break;
            case ServerPresence.InUse { By: var by }:
                await AbsentAsync(call, PidFile.IsIn(directory) && PidFile.Remove(directory)).ConfigureAwait(false);
                await call.NoteAsync(FormattableString.Invariant($"The data directory is in use by process {by.Pid} ({by.HeldBy}).")).ConfigureAwait(false);
                break;
            case ServerPresence.Starting { By: var by }:
                await PresentAsync(call, directory, by, null, cancellation).ConfigureAwait(false);
                break;
            case ServerPresence.Doubtful { By: var by, Why: var why }:
                await PresentAsync(call, directory, by, null, cancellation).ConfigureAwait(false);
                await call.NoteAsync($"`dbx stop` would not stop it: {why}.").ConfigureAwait(false);
                break;
            case ServerPresence.Running { By: var by, File: var file }:
                await PresentAsync(call, directory, by, file, cancellation).ConfigureAwait(false);
                break;
            default:
                throw new UnreachableException();
        }

        return ExitCode.Done;
    }

    static async Task<ExitCode> ElsewhereAsync(Call call, RemoteServer server, CancellationToken cancellation)
    {
        using var connection = await Link.ConnectAsync(server, call, cancellation).ConfigureAwait(false);
        var status = await connection.AskAsync(HttpMethod.Get, "/admin/status", null, again: true, (json, _) => ServerStatus.Read(json), cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(status, logFile: null) : Text(status, logFile: null)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static Task AbsentAsync(Call call, bool removed) => call.Shell.Out.WriteAsync(call.Json
        ? new JsonText().BeginObject().Member("running", false).Member("removed_stale_pid_file", removed).EndObject().ToString()
        : removed ? "EventDBX server is not running (removed stale pid file).\n" : "EventDBX server is not running.\n");

    static async Task PresentAsync(Call call, string directory, LockHolder holder, PidFile? file, CancellationToken cancellation)
    {
        try
        {
            var status = await StatusQuery.AskAsync(holder.Socket, Environment.UserName, cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? Json(status, file?.LogFile) : Text(status, file?.LogFile)).ConfigureAwait(false);
        }
        catch (DaemonException silent)
        {
            await call.Shell.Out.WriteAsync(call.Json
                ? new JsonText().BeginObject()
                    .Member("running", true).Member("answers", false).Member("pid", (long)holder.Pid).Member("data_dir", directory)
                    .Member("problem", silent.Message).EndObject().ToString()
                : FormattableString.Invariant(
                    $"EventDBX server (pid {holder.Pid}) has {directory} open since {holder.StartedAt}, but does not answer: {silent.Message}. It may still be starting; {file?.LogFile ?? "its log"} says more.\n"))
                .ConfigureAwait(false);
        }
    }

    /// <summary>The published line, and a line for each thing worth knowing.</summary>
    internal static string Text(ServerStatus status, string? logFile)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"EventDBX server is running on port {status.Port} (pid {status.Pid}) — restrict={ConfigKeys.NameOf(status.Restriction)}");
        text.Append(CultureInfo.InvariantCulture, $" — up for {Uptime.Text(status.Uptime)} (since {status.StartedAt})\n");
        foreach (var address in status.Addresses)
            text.Append("  address=").Append(address).Append('\n');
        text.Append("  exposure=").Append(status.Exposure == Exposure.Plaintext ? "plaintext (other machines can read along)" : NameOf(status.Exposure)).Append('\n');
        foreach (var replication in status.ReplicationForOthers)
            text.Append("  exposure_replication=").Append(replication).Append(" (other machines; sessions of allowed nodes alone, inside TLS 1.3)\n");
        if (status.Tls is { } tls)
        {
            text.Append("  tls_certificate=").Append(tls.Certificate).Append(tls.SelfSigned ? " (self-signed)\n" : "\n");
            text.Append("  tls_fingerprint=").Append(tls.Fingerprint).Append('\n');
            text.Append(CultureInfo.InvariantCulture, $"  tls_not_after={tls.NotAfter}\n");
            if (tls.ClientCertificates)
                text.Append("  tls_clients=must show a certificate\n");
        }

        text.Append("  durability=").Append(NameOf(status.Durability)).Append('\n');
        text.Append("  encryption=").Append(status.Encryption ? "on" : "off").Append('\n');
        text.Append("  data_dir=").Append(status.DataDir).Append('\n');
        if (logFile is not null)
            text.Append("  log_file=").Append(logFile).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"  log_size={status.LogSize}\n");
        if (status.Checkpoint is { } checkpoint)
        {
            text.Append(CultureInfo.InvariantCulture, $"  checkpoint={checkpoint.Size} at {checkpoint.At}");
            text.Append(checkpoint.Witnesses == 0 ? "\n" : string.Create(CultureInfo.InvariantCulture, $", cosigned {checkpoint.Cosigned} of {checkpoint.Witnesses}\n"));
            foreach (var trouble in checkpoint.Troubles)
                text.Append(CultureInfo.InvariantCulture, $"  witness={trouble}\n");
        }

        if (status.Follows is { } follows)
        {
            text.Append(CultureInfo.InvariantCulture, $"  follows={follows.Remote} {FollowerStatus.NameOf(follows.Condition)} at {follows.Position}");
            text.Append(follows.LeaderEnd is { } end ? string.Create(CultureInfo.InvariantCulture, $" of {end}, {follows.LagEntries} behind, last contact {follows.SinceContact?.TotalSeconds:0} s ago\n") : "\n");
            if (follows.Problem is { } problem)
                text.Append("  follow_problem=").Append(problem).Append('\n');
        }

        if (status.LogOriginWaiting is { } waiting)
            text.Append("  log_origin=").Append(waiting).Append(" from the next epoch on; checkpoints of this one keep the name they have\n");
        if (status.Unhealthy is { } unhealthy)
            text.Append("  unhealthy=").Append(unhealthy).Append('\n');
        return text.ToString();
    }

    static string Json(ServerStatus status, string? logFile)
    {
        var json = new JsonText().BeginObject()
            .Member("running", true)
            .Member("answers", true)
            .Member("pid", (long)status.Pid)
            .Member("port", (long)status.Port)
            .Member("version", status.Version)
            .Name("addresses").BeginArray();
        foreach (var address in status.Addresses)
            json.Value(address);
        json.EndArray()
            .Member("exposure", NameOf(status.Exposure))
            .Name("tls");
        if (status.Tls is { } tls)
        {
            json.BeginObject()
                .Member("certificate", tls.Certificate)
                .Member("fingerprint", tls.Fingerprint)
                .Member("not_after", tls.NotAfter.ToString())
                .Member("self_signed", tls.SelfSigned)
                .Member("client_certificates", tls.ClientCertificates)
                .EndObject();
        }
        else
        {
            json.Value((string?)null);
        }

        json.Member("started_at", status.StartedAt.ToString())
            .Member("uptime_seconds", (long)status.Uptime.TotalSeconds)
            .Member("restriction", ConfigKeys.NameOf(status.Restriction))
            .Member("durability", NameOf(status.Durability))
            .Member("encryption", status.Encryption ? "on" : "off")
            .Member("data_dir", status.DataDir)
            .Member("log_file", logFile)
            .Member("database_id", status.DatabaseId.ToString())
            .Member("epoch", (long)status.Epoch)
            .Member("log_size", status.LogSize)
            .Member("log_root", status.LogRoot)
            .Member("connections", (long)status.Connections)
            .Member("unhealthy", status.Unhealthy);
        if (status.LogOriginWaiting is { } waiting)
            json.Member("log_origin_waiting", waiting);
        if (status.Follows is { } follows)
        {
            json.Name("follows").BeginObject()
                .Member("remote", follows.Remote).Member("condition", FollowerStatus.NameOf(follows.Condition)).Member("position", follows.Position);
            _ = follows.LeaderEnd is { } end
                ? json.Member("leader_end", end).Member("lag_entries", follows.LagEntries!.Value).Member("seconds_since_contact", (long)(follows.SinceContact?.TotalSeconds ?? 0))
                : json.Member("leader_end", (string?)null).Member("lag_entries", (string?)null).Member("seconds_since_contact", (string?)null);
            json.Member("problem", follows.Problem).EndObject();
        }

        json.Name("checkpoint");
        if (status.Checkpoint is not { } checkpoint)
            return json.Value((string?)null).EndObject().ToString();
        json.BeginObject()
            .Member("size", checkpoint.Size)
            .Member("at", checkpoint.At.ToString())
            .Member("origin", checkpoint.Origin)
            .Member("cosigned", (long)checkpoint.Cosigned)
            .Member("witnesses", (long)checkpoint.Witnesses)
            .Name("troubles").BeginArray();
        foreach (var trouble in checkpoint.Troubles)
            json.BeginObject().Member("witness", trouble.Name).Member("problem", trouble.Problem).Member("contradicts", trouble.Contradicts).EndObject();
        return json.EndArray().EndObject().EndObject().ToString();
    }

    static string NameOf(Exposure exposure) => exposure switch
    {
        Exposure.Loopback => "loopback",
        Exposure.Plaintext => "plaintext",
        Exposure.Tls => "tls",
    };

    static string NameOf(Durability durability) => durability switch { Durability.Sync => "sync", Durability.Relaxed => "relaxed" };
}
