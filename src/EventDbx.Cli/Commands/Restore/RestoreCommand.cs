using EventDbx.Backups;
using EventDbx.Cli.Commands.Backup;
using EventDbx.Encryption;
using EventDbx.Recovery;
using EventDbx.Server.Backups;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Restores;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Commands.Restore;

/// <summary><c>dbx restore</c>: a backup becomes the store of a data directory, all of it or a beginning.</summary>
internal static class RestoreCommand
{
    static readonly Option<string> Input = Options.Text("--input", "PATH", "The archive that `dbx backup` has made.");

    static readonly Option<bool> Force = Options.Switch("--force", "Replace what the data directory holds, and a configuration that is there.");

    static readonly Option<ulong?> ToPosition = Options.Version("--to-position", "Keep the first N entries of the log; not within a batch.");

    static readonly Option<string> ToTime = Options.Text("--to-time", "TIME", "Keep what is before the first entry that is later, batches whole; RFC 3339, as in 2026-11-26T22:00:00Z.");

    static readonly Option<bool> KeepTokens = Options.Switch("--keep-tokens", "Tokens stay good even where some may have been revoked since.");

    static readonly Option<bool> KeepOld = Options.Switch("--keep-old", "Keep what is replaced, in a folder of the data directory.");

    static readonly Option<bool> DryRun = Options.Switch("--dry-run", "Do everything but the exchange itself, and say what it would come to.");

    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "Why, for the log.");

    static readonly Option<string[]> Base = new("--base")
    {
        HelpName = "FILE",
        Description = "A backup that an incremental one was made against; again for each. Without it they are looked for beside it.",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    public static Verb Create() => new("restore", "Restore a backup: all of it, or its log up to a position or a time.")
    {
        Remarks =
        [
            "The archive is verified whole, and the store in it entry by entry, beside the data directory's own store; only then the two are exchanged, in one step. An interruption leaves the old state or the new one: " +
            "the next command ends what was begun. The server must be stopped.",
            "Without `--data-dir` it goes to the directory that the backup was made from, if that is the ordinary data directory or the configured one here. The configuration goes to `--config`, or to the ordinary place; where that holds the configuration of another store, into the data directory. " +
            "What is replaced is deleted once the new store has opened, unless `--keep-old`; a configuration that is replaced is kept beside the new one.",
            "A restored database is in a new epoch: cursors of before are answered with `cursor_gone` and where to go on. Tokens stay good where the whole backup is restored and nothing newer of the same database is replaced; " +
            "otherwise the secret that signs them is replaced, so that none that was revoked since is good again.",
            "Exit code 3: the archive is damaged or was changed; 4: the directory is in use, or the key is missing or does not fit.",
        ],
        Examples =
        [
            new("dbx restore --input /var/backups/dbx.tar.zst", "Where it was made, in the ordinary directory."),
            new("dbx restore --input dbx.tar.zst --data-dir /srv/trial", "Beside the store that is there, to look at it."),
            new("dbx restore --input dbx.tar.zst --force --to-time 2026-11-26T22:00:00Z", "As it was at that time, in the place of what is there."),
            new("dbx restore --input monday.tar.zst --base sunday.tar.zst --dry-run --json", "What an incremental one would come to."),
        ],
        Options = { Input, Force, ToPosition, ToTime, KeepTokens, KeepOld, DryRun, Comment, Base, Passphrase.ToRead },
        Check = static call =>
        {
            call.NotBoth(ToPosition, ToTime);
            if (string.IsNullOrEmpty(call.Get(Input)))
                throw new UsageException("`--input` is missing: which archive?");
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var shell = call.Shell;
        var path = shell.Resolve(call.Get(Input)!);
        var passphrase = await Passphrase.ReadAsync(call, cancellation).ConfigureAwait(false);
        var time = call.TimeOf(ToTime);
        BackupManifest manifest;
        using (var archive = BackupFiles.Open(path, () => passphrase))
            manifest = BackupReader.ReadManifest(archive, cancellation).Manifest;
        var directory = Target(call, manifest, out var recorded);
        DemandOurs(call, directory, recorded);
        var options = Link.OptionsWithoutKey(call, directory);
        using var restore = Begin(options);
        // Behind it: an earlier restore that was interrupted may have brought another one.
        var config = RestoredConfig.Plan(call.Get(GlobalOptions.Config) is { Length: > 0 } given ? shell.Resolve(given) : null, call.DefaultRoot, directory, shell.Clock);
        RefuseOccupied(call, restore, config, directory);
        // Before the work, which may take an hour.
        restore.DemandExchangeable(RestorePieces.ReplacedBy(manifest), config.Path);
        BackupContents contents;
        using (var archive = BackupFiles.Open(path, () => passphrase))
        using (var bar = new ByteBar(shell))
        {
            var bases = new BaseFiles(Path.GetDirectoryName(path)!, [.. (call.Get(Base) ?? []).Select(shell.Resolve)], passphrase);
            contents = await Task.Run(() => BackupReader.Unpack(archive, restore.Unpacked, new() { Base = bases.Find, Durable = false, Progress = bar, Accept = read => Compare(read, manifest) }, cancellation), CancellationToken.None).ConfigureAwait(false);
        }

        config.Read(contents.ConfigFile, new ConfigEnvironment(shell.Environment, shell.WorkingDirectory));
        var keys = await config.KeysAsync(shell.Environment(StoreKey.Variable), contents, cancellation).ConfigureAwait(false);
        try
        {
            if (manifest.Encrypted && keys.Count == 0)
                throw new StoreRefusedException($"The store in the backup is encrypted, and no key is at hand: {config.NotAsked ?? "the backup was made without keys"}. Give it as {StoreKey.Variable}, or have the configuration {config.Path} give it. Nothing was changed.");
            var opening = options with
            {
                Key = manifest.Encrypted ? keys[0] : null, RetiredKeys = manifest.Encrypted ? [.. keys.Skip(1)] : [], Encrypted = manifest.Encrypted,
                LogOrigin = config.Restored.Config.LogOrigin, Follow = config.Restored.Config.Followed, NoteVerifier = NoteKey.Verifies,
            };
            return await RunAsync(call, new(path, directory, recorded, contents, config, restore, opening, time), cancellation).ConfigureAwait(false);
        }
        finally
        {
            foreach (var key in keys)
                key.Dispose();
        }
    }

    sealed record Work(string Input, string Directory, bool Recorded, BackupContents Contents, RestoredConfig Config, StoreRestore Restore, DatabaseOptions Options, Timestamp? Time);

    static async Task<ExitCode> RunAsync(Call call, Work work, CancellationToken cancellation)
    {
        var manifest = work.Contents.Manifest;
        var (taken, left) = RestorePieces.In(work.Contents.DataDirectory);
        if (!EventDbx.Integrity.Hash32.TryParse(manifest.LogRoot, out var root))
            throw new RefusedException(RefusalCode.IntegrityViolation, "The manifest has no root of the log.");
        var sameDatabase = work.Restore.Replaced?.DatabaseId == manifest.DatabaseId;
        var request = new RestoreRequest
        {
            From = work.Contents.DataDirectory, DatabaseId = manifest.DatabaseId, Epoch = manifest.Epoch, LogSize = manifest.LogSize, LogRoot = root, Pieces = taken,
            ToPosition = call.Get(ToPosition), ToTime = work.Time, KeepTokens = call.Get(KeepTokens), Backup = manifest.BackupId.ToString(), Comment = call.Get(Comment),
            // Without the secret that has signed them no token is good, whatever the log allows.
            TokensCanBeKept = work.Config.HasTokenSecret(sameDatabase), Actor = new("cli", Environment.UserName),
        };
        RestoreReport report;
        try
        {
            using var bar = new StepProgress(call.Shell);
            report = await Task.Run(() => work.Restore.Prepare(request, work.Options, bar, cancellation), CancellationToken.None).ConfigureAwait(false);
        }
        catch (StoreRefusedException refused) when (manifest.Encrypted && work.Config.NotAsked is { } notAsked)
        {
            throw new StoreRefusedException($"{refused.Message} Of the key of the backup: {notAsked}. Give it as {StoreKey.Variable}.", refused);
        }

        // What a variable gives, the file does not replace: a report that says so would be wrong.
        if (!report.TokensKept && work.Config.SecretVariable is { } variable)
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument,
                $"The secret that signs tokens has to be replaced, for a token that was revoked could be good again, and it comes from {variable}, which a restore cannot change. Nothing was changed. Put a new secret there and say `{KeepTokens.Name}`, or unset it, so that the one in {work.Config.Path} counts.");
        }

        await work.Config.SettleKeysAsync([.. taken, .. RestorePieces.OfOldStore, "event_store"], call.Shell.Environment(StoreKey.Variable), manifest.Encrypted, Opens, cancellation).ConfigureAwait(false);
        var text = new RestoreText(work.Input, work.Directory, manifest, report)
        {
            Recorded = work.Recorded, Replaced = work.Restore.Replaced, ConfigPath = work.Config.Path, DryRun = call.Get(DryRun), LeftOut = left,
        };
        if (!call.Get(DryRun))
        {
            var content = work.Config.Content(report.TokensKept, sameDatabase);
            var aside = work.Restore.Commit(RestorePieces.OfOldStore, (work.Config.Path, content), call.Get(KeepOld), work.Config.IsAsFound);
            await work.Restore.OpenAsync(work.Options).ConfigureAwait(false);
            text = text with { ConfigKept = work.Restore.KeptConfig, OldKept = call.Get(KeepOld) ? aside : null };
        }

        await call.Shell.Out.WriteAsync(call.Json ? text.Json() : text.Text()).ConfigureAwait(false);
        foreach (var note in Notes(work, report))
            await call.NoteAsync(note).ConfigureAwait(false);
        return ExitCode.Done;

        bool Opens(StoreKeyChoice keys) => !manifest.Encrypted ? !keys.Encrypted : keys.Encrypted && work.Restore.LookAtKey(work.Options with { Key = keys.Key, NextKey = keys.NextKey, RetiredKeys = keys.RetiredKeys }) != KeyAtHand.None;
    }

    static IEnumerable<string> Notes(Work work, RestoreReport report)
    {
        if (work.Config.OtherStore is { } other)
            yield return $"The ordinary configuration belongs to the store in {other} and stays. Use this store with --config {work.Config.Path}.";
        foreach (var notice in work.Config.KeyNotices)
            yield return PlainText.Of(notice);
        if (report.TokensKept)
            yield return "Tokens are as they were when the backup was made: one that was revoked since is good again. `dbx token list` shows them; `dbx token rotate-secret --overlap 0` ends them all.";
        else
            yield return "The secret that signs tokens was replaced: every token of before is refused. `dbx token generate` issues new ones.";
        if (report.Mirror is { } leader)
            yield return $"It is a mirror of '{leader}' and goes on behind its end as soon as it follows.";
        if (!File.Exists(Path.Combine(work.Directory, KeyFile.LogFileName)) && work.Contents.Manifest.LeftOut.Any(static omission => omission.Path == KeyFile.LogFileName))
            yield return $"The key that signs checkpoints is in no backup: put the copy of {KeyFile.LogFileName} into {work.Directory}, if you have one.";
    }

    static string Target(Call call, BackupManifest manifest, out bool recorded)
    {
        recorded = !call.Has(GlobalOptions.DataDir);
        if (!recorded)
            return Path.TrimEndingDirectorySeparator(call.Shell.Resolve(call.Get(GlobalOptions.DataDir) is { Length: > 0 } given ? given : throw new UsageException("`--data-dir` is empty; give it a path.")));
        if (manifest.DataDir is not { } said || !Path.IsPathFullyQualified(said))
            throw new UsageException("the backup does not say which data directory it was made from: give one with `--data-dir`.");
        var from = Path.TrimEndingDirectorySeparator(Path.GetFullPath(said));
        // Whoever has made the archive has written that, too: by itself it goes to no place that nobody here has named.
        return IsNamedHere(call, from)
            ? from
            : throw new UsageException($"the backup was made from {from}, which is neither the ordinary data directory nor the configured one here ({string.Join(", ", NamedHere(call).Distinct())}): say where it goes, with `--data-dir {from}` for that place. Nothing was changed.");
    }

    static string[] NamedHere(Call call) => [call.DefaultRoot, .. call.FindConfiguredDataDir() is { } configured ? [configured] : (string[])[]];

    static bool IsNamedHere(Call call, string directory) => NamedHere(call).Any(place => Path.TrimEndingDirectorySeparator(Path.GetFullPath(place)) == directory);

    /// <summary>What is replaced is deleted: of a directory that is not ours nothing is, with `--force` or without. Before it is locked, for a lock is one of the marks.</summary>
    static void DemandOurs(Call call, string directory, bool recorded)
    {
        var config = call.ConfigPath;
        // One that is recorded and believed is the configured one, or the ordinary one.
        if (recorded || Destruction.HasMark(directory) || directory == Path.TrimEndingDirectorySeparator(call.DefaultRoot) || (File.Exists(config) && Path.GetDirectoryName(config) == directory))
            return;
        // A file system of its own has a `lost+found` before anything else.
        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any(static entry => Path.GetFileName(entry) != "lost+found"))
            throw new RefusedException(RefusalCode.AlreadyExists, $"{directory} is not empty, and not recognisably a data directory: it has none of {string.Join(", ", Destruction.Marks)}. Name one, or a directory that is empty or missing, with `--data-dir`. Nothing was changed.");
    }

    static StoreRestore Begin(DatabaseOptions options)
    {
        try
        {
            return StoreRestore.Begin(options);
        }
        catch (StoreRefusedException refused) when (refused.InUse)
        {
            throw new StoreRefusedException($"{refused.Message} A restore has the directory to itself: stop the server (`dbx stop`), then ask again. Nothing was changed.", refused) { InUse = true };
        }
    }

    static void RefuseOccupied(Call call, StoreRestore restore, RestoredConfig config, string directory)
    {
        if (call.Get(Force))
            return;
        // What is remembered of releases is of the machine, and stays: any command may have written it before there was anything else.
        var occupants = restore.Occupants.Where(static name => !UpgradeState.IsNamed(name)).ToList();
        if (occupants.Count > 0)
        {
            var what = restore.Replaced is { } store
                ? FormattableString.Invariant($"a store with {(store.LogSize is { } size ? $"{size:N0} entries" : "an unknown number of entries")} of database {store.DatabaseId?.ToString() ?? "(unreadable)"}")
                : string.Join(", ", occupants.Take(5)) + (occupants.Count > 5 ? " and more" : "");
            throw new RefusedException(RefusalCode.AlreadyExists, $"{directory} is not empty: it holds {what}. `--force` replaces it; `--data-dir` names another place. Nothing was changed.");
        }

        if (config.Exists)
            throw new RefusedException(RefusalCode.AlreadyExists, $"There is a configuration already, {config.Path}. `--force` replaces it, and keeps it beside the new one; `--config` names another place. Nothing was changed.");
    }

    /// <summary>It is read twice: what the second look shows is what counts, and it has to be the same.</summary>
    static void Compare(BackupManifest read, BackupManifest seen)
    {
        if (read.BackupId != seen.BackupId)
            throw new RefusedException(RefusalCode.IntegrityViolation, "The archive was replaced while it was read.");
    }

    /// <summary>Bytes of the archive that are read.</summary>
    sealed class ByteBar(Shell shell) : IProgress<long>, IDisposable
    {
        readonly Progress _bar = new(shell, "bytes of the archive read");

        public void Report(long value) => _bar.Report(value);

        public void Dispose() => _bar.Dispose();
    }
}
