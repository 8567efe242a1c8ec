using EventDbx.Backups;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Backup;

/// <summary><c>dbx backup</c>: everything there is, as one file, while everything goes on; <c>dbx backup verify</c>.</summary>
internal static class BackupCommand
{
    static readonly Option<string> Output = Options.Text("--output", "PATH", "The archive to make; `-` is standard output. Not in the data directory.", "-o");
    static readonly Option<bool> Force = Options.Switch("--force", "Replace a file that is there.");
    static readonly Option<string> Since = Options.Text("--since", "BACKUP", "An earlier backup of this database: what it has is referred to, and it is needed to restore.");
    static readonly Option<bool> WithoutKeys = Options.Switch("--without-keys", "Leave out what opens the store and every other secret of the configuration.");
    static readonly Option<string> EncryptTo = Options.Text("--encrypt-to", "PASSPHRASE", $"Encrypt the archive to a passphrase, as age does. {SecretText.Forms}");

    public static Verb Create()
    {
        var verb = new Verb("backup", "Back everything up into one file, with the server running or stopped.")
        {
            Remarks =
            [
                "The archive is the store as it is at one moment, with everything that was answered before, the documents beside it, installed plugins, and the configuration: a tar in Zstd, mode 0600. " +
                "It gets its name once all of it is on disk; an interrupted one has none.",
                "It holds the data key, as far as the configuration does: whoever has the archive can read everything. `--without-keys` leaves keys out, to be kept apart; `--encrypt-to` encrypts all of it. " +
                "The key that signs checkpoints is in no backup.",
                "With `--since` the archive has what has changed since an earlier one. A backup that was verified is one; another is a hope: `dbx backup verify FILE`.",
            ],
            Examples =
            [
                new("dbx backup --output /var/backups/dbx.tar.zst", "Everything, now."),
                new("dbx backup --output /var/backups/dbx.tar.zst --force", "The same, in place of the last one."),
                new("dbx backup -o monday.tar.zst --since sunday.tar.zst", "What Sunday's does not have."),
                new("dbx backup -o off-site.age --encrypt-to @/etc/dbx/passphrase", "For a place that others see; `age -d` opens it as well."),
                new("dbx backup -o - --without-keys | ssh vault 'cat > dbx.tar.zst'", "To another machine, without what reads it."),
            ],
            Options = { Output, Force, Since, WithoutKeys, EncryptTo, Passphrase.ToRead, AccessToken.Option },
            Check = Check,
            Run = RunAsync,
        };
        verb.Subcommands.Add(BackupVerify.Create());
        // The parser asks for one of the commands unless there is something to do without.
        verb.SetAction(static _ => { });
        return verb;
    }

    static void Check(Call call)
    {
        if (string.IsNullOrWhiteSpace(call.Get(Output)))
            throw new UsageException($"where to? `{Output.Name} PATH` names the archive to make.");
        if (call.Get(Output) == "-" && call.Get(Force))
            throw new UsageException($"`{Force.Name}` replaces a file; standard output is none.");
        if (call.Has(Passphrase.ToRead) && !call.Has(Since))
            throw new UsageException($"`{Passphrase.ToRead.Name}` opens the backup that `{Since.Name}` names; `{EncryptTo.Name}` encrypts the new one.");
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            var file = RemoteServer.IsMeant(call) ? null : call.LoadConfig();
            var began = call.Shell.Clock.GetTimestamp();
            var passphrase = await Passphrase.ReadNewAsync(call, EncryptTo, cancellation).ConfigureAwait(false);
            var path = call.Get(Output) is "-" ? null : call.Shell.Resolve(call.Get(Output)!);
            if (path is not null)
                RefuseBadPlace(path, call, file);
            var order = new BackupOrder { Keys = !call.Get(WithoutKeys), Since = await ReadBaseAsync(call, path, cancellation).ConfigureAwait(false) };
            var (manifest, bytes) = path is null
                ? await ToOutAsync(call, store, order, file, passphrase, cancellation).ConfigureAwait(false)
                : await ToFileAsync(call, store, order, file, path, passphrase, cancellation).ConfigureAwait(false);
            foreach (var blanked in BackupText.Blanked(manifest))
                await call.NoteAsync(blanked).ConfigureAwait(false);
            var said = BackupText.Made(manifest, path, bytes, passphrase is not null, call.Shell.Clock.GetElapsedTime(began), call.Json);
            await (path is null ? call.Shell.Error.WriteAsync(said) : call.Shell.Out.WriteAsync(said)).ConfigureAwait(false);
            if (store.NoteBackup(manifest, path) is { } why)
                await call.NoteAsync($"The backup is good, but that it was made could not be noted for `dbx doctor`: {why}").ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no store yet, and so nothing to back up."),
        cancellation);

    static void RefuseBadPlace(string path, Call call, ConfigFile? file)
    {
        if (call.Get(Since) is { } since && RealPath.IsSame(path, call.Shell.Resolve(since)))
            throw NeededItself(path, "is the backup that is referred to");
        if (Directory.Exists(path))
            throw new RefusedException(RefusalCode.InvalidArgument, $"{path} is a directory; name the file to make.");
        if (file is not null && RealPath.IsWithin(path, file.Config.DataDir))
            throw new RefusedException(RefusalCode.InvalidArgument, $"{path} is in the data directory {file.Config.DataDir}, which is backed up. Name a place outside of it, best on another disk.");
        // As root the rename would put the archive in the place of a device.
        if (BackupFiles.IsSpecial(path))
            throw new RefusedException(RefusalCode.InvalidArgument, $"{path} is no ordinary file. Name one; `{Output.Name} -` writes to standard output.");
        // A link that leads nowhere has the name as well.
        if (PendingFile.IsTaken(path) && !call.Get(Force))
            throw Exists(path);
    }

    static RefusedException Exists(string path) => new(RefusalCode.AlreadyExists, $"{path} exists already; `{Force.Name}` replaces it.");

    static RefusedException NeededItself(string path, string why) => new(
        RefusalCode.InvalidArgument, $"{path} {why}: the new one could not be restored without it, and would take its place. Name another file; without `{Since.Name}` a whole backup takes its place.");

    /// <summary>The base is read whole: whoever refers to a damaged one has no backup.</summary>
    static async Task<BackupSince?> ReadBaseAsync(Call call, string? output, CancellationToken cancellation)
    {
        if (call.Get(Since) is not { } given)
            return null;
        var path = call.Shell.Resolve(given);
        var passphrase = await Passphrase.ReadAsync(call, cancellation).ConfigureAwait(false);
        return await Task.Run(
            () =>
            {
                using var archive = BackupFiles.Open(path, () => passphrase);
                var since = BackupSince.Of(BackupReader.Read(archive, new(), cancellation), Path.GetFileName(path));
                if (output is not null && IdOf(output, passphrase, cancellation) is { } replaced && since.Base.Needs(replaced))
                    throw NeededItself(output, $"is the backup {replaced}, on which {path} stands or which it is");
                return since;
            }, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Which backup is to be replaced; null where it is none, or does not open.</summary>
    static Guid? IdOf(string path, string? passphrase, CancellationToken cancellation)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            using var archive = BackupFiles.Open(path, () => passphrase);
            return BackupReader.ReadManifest(archive, cancellation).Manifest.BackupId;
        }
        catch (Exception cause) when (cause is RefusedException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    static async Task<(BackupManifest Manifest, long Bytes)> ToFileAsync(
        Call call, IStore store, BackupOrder order, ConfigFile? file, string path, string? passphrase, CancellationToken cancellation)
    {
        PrivateDirectory.Create(Path.GetDirectoryName(path)!);
        UnfinishedBackups.Remove(path, call.Shell.Clock);
        using var pending = PendingFile.Create(path);
        var manifest = await WriteAsync(call, store, order, file, pending.Stream, passphrase, cancellation).ConfigureAwait(false);
        var bytes = pending.Finish();
        cancellation.ThrowIfCancellationRequested();
        if (call.Get(Force))
            pending.Rename();
        else if (!pending.TryName())
            throw Exists(path);
        return (manifest, bytes);
    }

    static async Task<(BackupManifest Manifest, long Bytes)> ToOutAsync(
        Call call, IStore store, BackupOrder order, ConfigFile? file, string? passphrase, CancellationToken cancellation)
    {
        using var output = new CountingStream(call.Shell.OpenOut());
        var manifest = await WriteAsync(call, store, order, file, output, passphrase, cancellation).ConfigureAwait(false);
        output.Flush();
        return (manifest, output.Bytes);
    }

    static async Task<BackupManifest> WriteAsync(
        Call call, IStore store, BackupOrder order, ConfigFile? file, Stream output, string? passphrase, CancellationToken cancellation)
    {
        using var encrypting = passphrase is null ? null : BackupFiles.Encrypt(output, passphrase);
        using var archive = new CheckedArchive(encrypting ?? output);
        using (var bar = new Bar(call.Shell, archive))
            await store.BackUpAsync(order, file, archive, bar, cancellation).ConfigureAwait(false);
        // Before it is sealed: what is encrypted to its end is whole to everybody who opens it.
        var manifest = archive.Finish();
        if (encrypting is not null)
            BackupFiles.Finish(encrypting);
        return manifest;
    }

    sealed class Bar(Shell shell, CountingStream archive) : IProgress<double?>, IDisposable
    {
        readonly Output.Progress _bar = new(shell, "bytes");

        public void Report(double? value) => _bar.Report(archive.Bytes, value);

        public void Dispose() => _bar.Dispose();
    }
}
