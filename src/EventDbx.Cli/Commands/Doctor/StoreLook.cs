using EventDbx.Recovery;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Health;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Doctor;

/// <summary>What is known of a store that is there.</summary>
internal sealed record StoreSeen
{
    /// <summary>The server that has it open; null: none does.</summary>
    public ServerStatus? Server { get; init; }

    /// <summary>Null: it could not be looked at.</summary>
    public Guid? DatabaseId { get; init; }

    /// <summary>Null: it could not be looked at.</summary>
    public ulong? LogSize { get; init; }
}

/// <summary>The store: of whoever has it open, or as it lies there.</summary>
internal static class StoreLook
{
    /// <summary>How far the newest entry may be ahead of the clock before that is worth a word: clocks are set back by less, now and then.</summary>
    static readonly TimeSpan AheadMax = TimeSpan.FromMinutes(5);

    /// <summary>What a running server says of itself, or what is seen of the store; null where there is no store.</summary>
    /// <param name="call">The command line.</param>
    /// <param name="file">The configuration.</param>
    /// <param name="findings">Receives what is found.</param>
    /// <param name="full">Whether every row that should lead somewhere is looked at.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<StoreSeen?> RunAsync(Call call, ConfigFile file, Findings findings, bool full, CancellationToken cancellation)
    {
        KeyPlace(call, file, findings);
        try
        {
            return await FindAsync(call, file, findings, full, cancellation).ConfigureAwait(false);
        }
        catch (Exception closed) when (closed is IOException or UnauthorizedAccessException)
        {
            findings.Problem("store", $"The store in {file.Config.DataDir} cannot be looked at: {closed.Message}", "Run it as the user that the files belong to; if that is you, `ls -l` there shows what is in the way.");
            return null;
        }
    }

    static async Task<StoreSeen?> FindAsync(Call call, ConfigFile file, Findings findings, bool full, CancellationToken cancellation)
    {
        var directory = file.Config.DataDir;
        if (ExchangeCheck.FindsOne(findings, file))
            return null;
        if (IsEmpty(directory) || !Database.ExistsIn(directory))
        {
            Missing(file, findings);
            return null;
        }

        if (Database.FindHolder(directory) is not { } holder)
        {
            return await LookAsync(call, file, findings, full, cancellation).ConfigureAwait(false) is { } sight ? new() { DatabaseId = sight.DatabaseId, LogSize = sight.LogSize } : new();
        }

        if (holder.HeldBy != ServerPresence.Holder)
        {
            findings.Ok("store", FormattableString.Invariant($"{directory} is in use by process {holder.Pid} ({holder.HeldBy}) and was not looked at."));
            return new();
        }

        return await AskAsync(call, findings, holder, cancellation).ConfigureAwait(false) is { } status ? new() { Server = status, DatabaseId = status.DatabaseId, LogSize = status.LogSize } : new();
    }

    /// <summary>Whether nothing is there.</summary>
    /// <remarks>Asked whether a file exists, the system says no, too, of what it does not let us see.</remarks>
    /// <exception cref="UnauthorizedAccessException">It is not for us to know.</exception>
    static bool IsEmpty(string directory)
    {
        try
        {
            return !Directory.EnumerateFileSystemEntries(directory).Any();
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
    }

    /// <summary>No store: as it is before the first start, unless the settings have what only a store leaves there.</summary>
    static void Missing(ConfigFile file, Findings findings)
    {
        var (directory, config) = (file.Config.DataDir, file.Config);
        if (config.AuthKeyId is not null || config.DataEncryptionKeyNext is not null || config.DataEncryptionKeysRetired.Count > 0)
        {
            findings.Problem("store", $"There is no store in {directory}, although {file.Path} was used with one.",
                "Is its volume mounted, and is `data_dir` right? Do not start before that is known: a start makes a new, empty store. If it is lost, restore a backup.");
        }
        else if (config.DataEncryptionKey is not null)
        {
            findings.Warn("store", $"There is no store in {directory}, although {file.SourceOf("data_encryption_key")} has a data key.",
                "So it is before the first start, if the key was given. Otherwise there was a store: is its volume mounted, and is `data_dir` right?");
        }
        else
        {
            findings.Ok("store", $"There is no store in {directory} yet.");
        }
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
        if (status.Version != Release.Version)
            findings.Warn("format", $"The server is version {status.Version}, and this program {Release.Version}.", "`dbx restart` with the program that is to run. A server reads the format of the store that its own version writes.");
        else
            findings.Ok("format", FormattableString.Invariant($"The server has the store open, and reads format {StoreSight.CurrentFormat}, as this program does."));
        findings.Ok("watermark", FormattableString.Invariant($"The server held the log against its watermark when it opened the store; {status.LogSize} entries are on disk for good."));
        findings.Ok("orphans", "Rows that lead nowhere are looked for while no server runs; `dbx verify --all` finds them now.");
        findings.Ok("key", status.Encryption ? "The server has the store open with its key." : "The store is not encrypted.");
        Clock(call, findings, status.Checkpoint?.At);
        foreach (var trouble in status.Checkpoint?.Troubles ?? [])
            findings.Warn("witnesses", $"{trouble}.", trouble.Contradicts ? "Two histories were shown. Stop, and find out which one is true." : "Ask who runs it; checkpoints that wait for a quorum may wait for it.");
        await ServedAsync(call, findings, holder, cancellation).ConfigureAwait(false);
        return status;
    }

    /// <summary>What the server has of tokens and plugins.</summary>
    static async Task ServedAsync(Call call, Findings findings, LockHolder holder, CancellationToken cancellation)
    {
        if (holder.Socket is null || await ServerSocket.TryConnectAsync(holder.Socket, cancellation).ConfigureAwait(false) is not { } socket)
            return;
        var store = new ServerStore(new(new SocketEndpoint(socket, holder, Environment.UserName), token: null, Environment.UserName, call.Shell.ServerPatience, call.Shell.Clock));
        await using (store.ConfigureAwait(false))
        {
            try
            {
                TokenCheck.Look(findings, await store.ListTokensAsync(cancellation).ConfigureAwait(false));
                var plugins = await store.ListPluginsAsync(cancellation).ConfigureAwait(false);
                PluginCheck.Look(findings, [.. plugins.Select(LookOf)], running: true);
            }
            catch (Exception refused) when (refused is RefusedException or ServerLostException or DaemonException)
            {
                findings.Problem("server", refused.Message, "The log of the server says more.");
            }
        }
    }

    static PluginLook LookOf(PluginEntry plugin) => new(plugin.Label, plugin.Lag, plugin.Waiting, plugin.Dead)
    {
        Disabled = !plugin.Enabled,
        Down = plugin.State == "down" ? plugin.LastError ?? "it does not answer." : null,
    };

    static async Task<StoreSight?> LookAsync(Call call, ConfigFile file, Findings findings, bool full, CancellationToken cancellation)
    {
        try
        {
            var options = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
            using var keys = new KeysInHand(options);
            var sight = await Task.Run(() => StoreSight.Of(options with { Progress = null }, full ? null : Limits.OrphanRowsLooked, cancellation), CancellationToken.None).ConfigureAwait(false);
            findings.Ok("store", FormattableString.Invariant($"The store in {file.Config.DataDir} would open; its log has {sight.LogSize} entries. No server runs."));
            findings.Ok("format", FormattableString.Invariant($"The store has format {sight.Format}, which this program reads and writes."));
            LookAtMark(findings, sight);
            LookAtOrphans(findings, sight.Orphans);
            PluginCheck.Look(findings, [.. sight.Plugins.Select(plugin => new PluginLook(plugin.Name, sight.LogSize - Math.Min(plugin.Cursor, sight.LogSize), plugin.Waiting, plugin.Dead))], running: false);
            if (sight.Key == KeyAtHand.Retired)
                findings.Warn("key", "The store opens with a retired key: another one was rotated, and this one was not.", "`dbx key rotate` gives it the key of now.");
            else
                findings.Ok("key", sight.Encrypted ? "The key is the store's own." : "The store is not encrypted.");
            Clock(call, findings, sight.NewestAt);
            findings.Ok("tokens", "Which tokens there are is looked at while a server runs.");
            return sight;
        }
        catch (StoreRefusedException refused) when (refused.OtherFormat is { } format)
        {
            findings.Problem("format", refused.Message, format > StoreSight.CurrentFormat
                ? "The version that wrote it is newer: `dbx upgrade` fetches the newest. Nothing was changed."
                : "`dbx upgrade VERSION` fetches the version that wrote it; export there (`dbx aggregate export --events`) and import here.");
        }
        catch (StoreRefusedException refused)
        {
            findings.Problem("store", refused.Message, refused.InUse ? "Wait for it, or end it." : "`dbx recover` looks closer and changes nothing; a key that is missing is to be put back.");
        }
        catch (ConfigException wrong)
        {
            findings.Problem("key", wrong.Message, "Correct the setting; the store is not touched until then.");
        }

        return null;
    }

    static void LookAtMark(Findings findings, StoreSight sight)
    {
        if (sight.StoppedCleanly)
            findings.Ok("watermark", "It was closed properly, and its files are byte for byte those that were left then.");
        else if (sight.Synced is { } synced)
            findings.Ok("watermark", FormattableString.Invariant($"It was not closed properly; its log holds all of the {synced} entries that its watermark speaks of, with the same root."));
        else
            findings.Warn("watermark", "It was not closed properly, and there is no watermark: how far its log should reach is not known.", "Look at the newest events; `dbx verify --all` says whether what is there is whole.");
    }

    static void LookAtOrphans(Findings findings, OrphanLook look)
    {
        var looked = look.Complete ? FormattableString.Invariant($"all {look.Looked} rows that should lead somewhere") : FormattableString.Invariant($"the first {look.Looked} rows that should lead somewhere");
        if (look.First is { } first)
            findings.Problem("orphans", FormattableString.Invariant($"Of {looked}, {look.Found} lead nowhere: {first}."), "The log is what counts, and these rows are made from it: `dbx verify --all` says whether it is whole. If it is, `dbx doctor --rebuild` makes them anew and nothing is lost; if not, restore a backup, or go on with `dbx recover`.");
        else
            findings.Ok("orphans", $"Of {looked}, each does{(look.Complete ? "" : "; `--full` looks at all")}.");
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
