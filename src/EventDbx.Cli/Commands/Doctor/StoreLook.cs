using EventDbx.Recovery;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Health;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Doctor;

/// <summary>The store: of whoever has it open, or as it lies there.</summary>
internal static class StoreLook
{
    /// <summary>How far the newest entry may be ahead of the clock before that is worth a word: clocks are set back by less, now and then.</summary>
    static readonly TimeSpan AheadMax = TimeSpan.FromMinutes(5);

    /// <summary>What a running server says of itself; null where none does.</summary>
    public static async Task<ServerStatus?> RunAsync(Call call, ConfigFile file, Findings findings, CancellationToken cancellation)
    {
        var directory = file.Config.DataDir;
        KeyPlace(call, file, findings);
        if (!Directory.Exists(directory) || !Database.ExistsIn(directory))
        {
            findings.Ok("store", $"There is no store in {directory} yet.");
            return null;
        }

        if (Database.FindHolder(directory) is not { } holder)
        {
            await LookAsync(call, file, findings, cancellation).ConfigureAwait(false);
            return null;
        }

        if (holder.HeldBy != ServerPresence.Holder)
        {
            findings.Ok("store", FormattableString.Invariant($"{directory} is in use by process {holder.Pid} ({holder.HeldBy}) and was not looked at."));
            return null;
        }

        return await AskAsync(call, findings, holder, cancellation).ConfigureAwait(false);
    }

    static async Task<ServerStatus?> AskAsync(Call call, Findings findings, LockHolder holder, CancellationToken cancellation)
    {
        ServerStatus status;
        try
        {
            status = await StatusQuery.AskAsync(holder.Socket, Environment.UserName, cancellation).ConfigureAwait(false);
        }
        catch (DaemonException silent)
        {
            findings.Problem("server", FormattableString.Invariant($"The server (pid {holder.Pid}) does not answer: {silent.Message}."), "It may still be starting; its log says more. `dbx stop` ends it, if need be by force.");
            return null;
        }

        if (status.Unhealthy is { } unhealthy)
            findings.Problem("server", $"The server is not well: {unhealthy}", "Its log says why; mend the cause and run `dbx restart`, which checks the store.");
        else
            findings.Ok("server", FormattableString.Invariant($"The server (pid {status.Pid}, version {status.Version}) answers."));
        findings.Ok("key", status.Encryption ? "The server has the store open with its key." : "The store is not encrypted.");
        Clock(call, findings, status.Checkpoint?.At);
        foreach (var trouble in status.Checkpoint?.Troubles ?? [])
            findings.Warn("witnesses", $"{trouble}.", trouble.Contradicts ? "Two histories were shown. Stop, and find out which one is true." : "Ask who runs it; checkpoints that wait for a quorum may wait for it.");
        await TokensAsync(call, findings, holder, cancellation).ConfigureAwait(false);
        return status;
    }

    static async Task TokensAsync(Call call, Findings findings, LockHolder holder, CancellationToken cancellation)
    {
        if (holder.Socket is null || await ServerSocket.TryConnectAsync(holder.Socket, cancellation).ConfigureAwait(false) is not { } socket)
            return;
        var store = new ServerStore(new(new SocketEndpoint(socket, holder, Environment.UserName), token: null, Environment.UserName, call.Shell.ServerPatience, call.Shell.Clock));
        await using (store.ConfigureAwait(false))
        {
            try
            {
                TokenCheck.Look(findings, await store.ListTokensAsync(cancellation).ConfigureAwait(false));
            }
            catch (Exception refused) when (refused is RefusedException or ServerLostException or DaemonException)
            {
                findings.Problem("tokens", refused.Message, "The log of the server says more.");
            }
        }
    }

    static async Task LookAsync(Call call, ConfigFile file, Findings findings, CancellationToken cancellation)
    {
        try
        {
            var options = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
            using var keys = new KeysInHand(options);
            var sight = await Task.Run(() => StoreSight.Of(options with { Progress = null }), CancellationToken.None).ConfigureAwait(false);
            findings.Ok("store", FormattableString.Invariant($"The store in {file.Config.DataDir} would open; its log has {sight.LogSize} entries. No server runs."));
            if (sight.Key == KeyAtHand.Retired)
                findings.Warn("key", "The store opens with a retired key: another one was rotated, and this one was not.", "`dbx key rotate` gives it the key of now.");
            else
                findings.Ok("key", sight.Encrypted ? "The key is the store's own." : "The store is not encrypted.");
            Clock(call, findings, sight.NewestAt);
            findings.Ok("tokens", "Which tokens there are is looked at while a server runs.");
        }
        catch (StoreRefusedException refused)
        {
            findings.Problem("store", refused.Message, refused.InUse ? "Wait for it, or end it." : "`dbx recover` looks closer and changes nothing; a key that is missing is to be put back.");
        }
        catch (ConfigException wrong)
        {
            findings.Problem("key", wrong.Message, "Correct the setting; the store is not touched until then.");
        }
    }

    static void Clock(Call call, Findings findings, Timestamp? newest)
    {
        if (newest is not { } at)
            return;
        var now = call.Shell.Clock.GetUtcNow();
        if (at.ToDateTimeOffset() - now > AheadMax)
            findings.Problem("clock", $"The newest entry is of {at}, and the clock of this machine says {Timestamp.From(now)}: it is behind, or was ahead.", "Set the clock. Tokens are held against it, and new events get the time of the newest until it has caught up.");
        else
            findings.Ok("clock", $"The clock, {Timestamp.From(now)}, is not behind the newest entry.");
    }

    /// <summary>Where the key lies, whether or not it is the right one.</summary>
    static void KeyPlace(Call call, ConfigFile file, Findings findings)
    {
        if (!file.Config.Encryption || file.Config.DataEncryptionKey is null || !string.IsNullOrWhiteSpace(call.Shell.Environment(StoreKey.Variable)))
            return;
        var (source, directory) = (file.SourceOf("data_encryption_key"), Path.TrimEndingDirectorySeparator(Path.GetFullPath(file.Config.DataDir)));
        if (source == file.Path && file.Path.StartsWith(directory + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            findings.Warn("key", $"The data key lies in {file.Path}, in the directory of the data: whoever has a copy of that has both, and who loses it has lost both.",
                "Keep a copy of the key elsewhere. A key that is kept apart protects a disk that is lost.");
        }
        else
        {
            findings.Ok("key", $"The data key comes from {source}, apart from the data.");
        }
    }
}
