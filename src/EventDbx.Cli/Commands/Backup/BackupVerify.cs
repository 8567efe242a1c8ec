using EventDbx.Backups;
using EventDbx.Encryption;
using EventDbx.Server.Backups;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Restores;
using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Backup;

/// <summary><c>dbx backup verify</c>: proves an archive without restoring it.</summary>
internal static class BackupVerify
{
    static readonly Slot File = new("--file", "FILE", "The archive.");
    static readonly Option<string[]> Base = new("--base")
    {
        HelpName = "FILE",
        Description = "A backup that it was made against, or that one was; again for each. Without it they are looked for beside it.",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    static readonly Option<string> WorkDir = Options.Text("--work-dir", "DIR", "Where it is unpacked, and deleted again. Without it beside the archive.");

    public static Verb Create() => new("verify", "Prove a backup without restoring it: that it is whole, and that every hash in it is right.", File)
    {
        Remarks =
        [
            "It is unpacked into a directory of its own, which takes as much room as the data directory, and verified as `dbx verify --all` does. Nothing else is touched.",
            "With the data key, from the archive or EVENTDBX_DEK, everything is opened; without it everything but what is sealed is checked, and it says so.",
            "Exit code 3: it is damaged or was changed, and what and where; 1: it cannot be judged, for want of a base or a passphrase, or because it is of another version.",
        ],
        Examples =
        [
            new("dbx backup verify /var/backups/dbx.tar.zst", "Before it is needed."),
            new("dbx backup verify monday.tar.zst --base sunday.tar.zst", "With what it refers to."),
            new("dbx backup verify off-site.age --passphrase @/etc/dbx/passphrase --json", "An encrypted one, as JSON."),
        ],
        Options = { Base, Passphrase.ToRead, WorkDir },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var path = call.Shell.Resolve(call[File]);
        var passphrase = await Passphrase.ReadAsync(call, cancellation).ConfigureAwait(false);
        var room = call.Get(WorkDir) is { } given ? call.Shell.Resolve(given) : Path.GetDirectoryName(path)!;
        var bases = new BaseFiles(Path.GetDirectoryName(path)!, [.. (call.Get(Base) ?? []).Select(call.Shell.Resolve)], passphrase);
        using var work = WorkRoom.In(room);
        var proof = await Task.Run(() => Verify(call, path, work.Target, bases, passphrase, cancellation), CancellationToken.None).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(BackupText.Verified(proof, path, call.Json)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static BackupProof Verify(Call call, string path, string target, BaseFiles bases, string? passphrase, CancellationToken cancellation)
    {
        using var archive = BackupFiles.Open(path, () => passphrase);
        BackupContents contents;
        using (var bar = new Bar(call.Shell))
            contents = BackupReader.Unpack(archive, target, new() { Base = bases.Find, Durable = false, Progress = bar }, cancellation);
        var (inArchive, given) = KeysOf(call, contents);
        try
        {
            var (result, hasKey) = Verify(call, contents, inArchive, given, cancellation);
            return new(contents.Manifest, result) { EncryptedTo = archive is not FileStream, HasKey = hasKey };
        }
        finally
        {
            foreach (var key in inArchive)
                key.Dispose();
            given?.Dispose();
        }
    }

    /// <summary>With the keys in the archive, as a restore by itself has to do; where none of them opens it, with the one that was given.</summary>
    static (VerifyAllResult Result, bool HasKey) Verify(Call call, BackupContents contents, List<DataKey> inArchive, DataKey? given, CancellationToken cancellation)
    {
        if (inArchive.Count > 0)
        {
            try
            {
                return (Run(inArchive[0], inArchive), true);
            }
            catch (RefusedException refused) when (given is not null && refused.Refusal.Code == RefusalCode.InvalidArgument)
            {
                // None of them is the one of the store.
            }
        }

        return (Run(given, []), false);

        VerifyAllResult Run(DataKey? key, List<DataKey> further) => BackupAudit.Run(contents, key, further, call.Shell.Clock, NoteKey.Verifies, null, cancellation, Link.OptionsWithoutKey(call, contents.DataDirectory).Check);
    }

    /// <summary>Those in the archive, where a restore looks for them, the newest first; and the one of the environment.</summary>
    static (List<DataKey> InArchive, DataKey? Given) KeysOf(Call call, BackupContents contents)
    {
        List<DataKey> keys = [];
        if (!contents.Manifest.Encrypted)
            return (keys, null);
        if (contents.ConfigFile is { } path)
        {
            var saved = ConfigFile.Load(path, contents.DataDirectory, contents.DataDirectory, call.Shell.Clock).Saved;
            if (saved.DataEncryptionKeyFile is { } named && ArchivedKeyFile.Find(named, contents) is { } keyFile)
                Add(System.IO.File.ReadAllText(keyFile));
            Add(saved.DataEncryptionKey);
            Add(saved.DataEncryptionKeyNext);
            foreach (var retired in saved.DataEncryptionKeysRetired)
                Add(retired);
        }

        return (keys, Parse(call.Shell.Environment(StoreKey.Variable)));

        void Add(string? text)
        {
            if (Parse(text) is { } key)
                keys.Add(key);
        }

        static DataKey? Parse(string? text) => !string.IsNullOrWhiteSpace(text) && DataKey.TryParse(text.Trim(), out var key, out _) ? key : null;
    }

    sealed class Bar(Shell shell) : IProgress<long>, IDisposable
    {
        readonly Output.Progress _bar = new(shell, "bytes");

        public void Report(long value) => _bar.Report(value);

        public void Dispose() => _bar.Dispose();
    }
}
