using System.Globalization;
using EventDbx.Encryption;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Key;

/// <summary><c>dbx key rotate</c>: another data key, while everything goes on.</summary>
/// <remarks>
/// <code>
/// 1  the new key is written into the configuration, as data_encryption_key_next     before anything is wrapped with it
/// 2  the store wraps every aggregate's key again                                     it opens with either key meanwhile
/// 3  the new key becomes data_encryption_key, the old one goes to data_encryption_keys_retired: another store may have it, or a backup
/// </code>
/// Before 1 it is certain that the key at hand is the store's (<see cref="KeyPlan"/>). Interrupted anywhere, the same command goes on. Where the key is not in the configuration, whoever keeps it does 1 and 3.
/// </remarks>
internal static class KeyRotate
{
    static readonly Option<string> NewKey = Options.Text("--new-key", "KEY", $"The new key: 32 bytes in base64. {SecretText.Forms}");

    public static Verb Create() => new("rotate", "Replace the data key; goes on where it was interrupted.")
    {
        Remarks =
        [
            "Every aggregate has a key of its own, which the data key wraps: those are wrapped again, not the data. Appends and reads go on meanwhile. " +
            "Until the end the store opens with the old key or the new one; after it the old key does not open it any more. Interrupted, run it again.",
            "Where the key lies in the configuration, the new one is made, unless `--new-key` gives it, and kept there before it is used. Where it comes " +
            "from a file, the environment or a command, `--new-key` is needed, and it says what to change where.",
            "It is refused unless the key at hand is the key of this store, and, where a server runs, the configuration is the one it was started with. " +
            "The old key is kept in the configuration (`data_encryption_keys_retired`) and opens other stores that were made with it; the same command gives them the new key.",
            "Keep a copy of the new key elsewhere, and of the old one as long as there are backups that need it. Who had the old key and a copy of the " +
            "store can read what was stored until then: a rotation does not change that.",
        ],
        Examples =
        [
            new("dbx key rotate", "A new key, kept in the configuration."),
            new("dbx key rotate --new-key @/run/secrets/dek.new", "To this one."),
            new("dbx key rotate --json", "The result as JSON."),
        ],
        Options = { NewKey },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        if (!Database.ExistsIn(file.Config.DataDir))
            throw new RefusedException(RefusalCode.NotFound, "There is no store yet, and so no key to replace.");
        var given = call.Get(NewKey) is { } text ? await SecretText.ReadAsync(NewKey.Name, text, call.Shell, cancellation).ConfigureAwait(false) : null;
        using var asked = given is null ? null : DataKey.TryParse(given, out var key, out var why) ? key : throw new UsageException($"`--new-key`: {why}");
        var sources = KeySource.Of(file, call.Shell.Environment(StoreKey.Variable));
        var ours = sources is [{ Kind: KeySourceKind.Configuration }];
        if (!ours && asked is null)
        {
            var where = sources.Count == 0 ? "from nowhere that this command line knows" : "from " + string.Join(" and from ", sources.Select(source => source.Location));
            throw new UsageException($"the data key comes {where}: give the new one with `--new-key`, and have it kept safely before.");
        }

        KeyRotationResult? result = null;
        KeyPlan? plan = null;
        await Link.ToExistingAsync(
            call,
            async store =>
            {
                // The configuration is not touched before it is known that the key in it is the key of this very store.
                var holder = await store.FindKeyHolderAsync(cancellation).ConfigureAwait(false);
                if (!holder.Key.Encrypted)
                    throw new RefusedException(RefusalCode.InvalidArgument, "The store is not encrypted: it has no data key to rotate. Export it and import it into an encrypted one.");
                // As it is by now: another rotation may have been waited for.
                var now = file.IsReadOnce ? file : file.Reload();
                var options = await Link.OptionsAsync(call, now, cancellation).ConfigureAwait(false);
                using var keys = new KeysInHand(options);
                plan = KeyPlan.Make(now, options, holder, asked, ours);
                using var next = await plan.PrepareAsync(cancellation).ConfigureAwait(false);
                using var bar = new Bar(call.Shell);
                result = await store.RotateKeyAsync(next, bar, cancellation).ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: static () => throw new RefusedException(RefusalCode.NotFound, "There is no store any more."),
            cancellation).ConfigureAwait(false);
        await plan!.FinishAsync().ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(result!) : Text(result!)).ConfigureAwait(false);
        await call.NoteAsync(plan.IsGivenAlready ? $"The new key is the one that is given already ({string.Join("; ", sources.Select(source => source.Location))}): nothing is to be changed."
            : !ours
            ? $"The old key does not open this store any more. Change it now, before the store is opened again: {string.Join("; ", sources.Select(Change))}. Keep the old one for backups, and for any other store that was made with it."
            : plan.TakesKeyOfNow ? "It has the data_encryption_key now. The retired key stays in the configuration until `dbx key forget-retired`."
            : $"The new key lies in {file.Path} (data_encryption_key): keep a copy elsewhere. The old one stays there (data_encryption_keys_retired), for backups and for other stores that were made with it, until `dbx key forget-retired`.").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Change(KeySource source) => source.Kind switch
    {
        KeySourceKind.Configuration => $"replace {source.Location}",
        KeySourceKind.Environment => $"set {source.Location} to the new key where the server and its commands are started",
        KeySourceKind.File => $"put the new key into {source.Location}",
        KeySourceKind.Command => $"have {source.Location} print the new key",
    };

    static string Text(KeyRotationResult result) => result.WasDone
        ? FormattableString.Invariant($"the store has that key already; it is key number {result.Generation}\n")
        : FormattableString.Invariant($"rotated to key number {result.Generation}: {result.Keys:N0} keys wrapped again, {result.Documents:N0} documents sealed again{(result.Resumed ? ", since it was interrupted" : "")}\n{Left(result)}");

    static string Left(KeyRotationResult result) => result.DocumentsLeft.Count == 0
        ? "" : $"not sealed again, for no key opens them: {string.Join(", ", result.DocumentsLeft.Select(static name => $"`{name}`"))}\n";

    static string Json(KeyRotationResult result)
    {
        var json = new JsonText().BeginObject()
            .Member("generation", (ulong)result.Generation).Member("keys", result.Keys).Member("documents", (ulong)result.Documents)
            .Member("resumed", result.Resumed).Member("was_done", result.WasDone).Name("documents_left").BeginArray();
        foreach (var name in result.DocumentsLeft)
            json.Value(name);
        return json.EndArray().EndObject().ToString();
    }

    /// <summary>One bar for the log; then a word that files are rewritten.</summary>
    sealed class Bar(Shell shell) : IProgress<KeyRotationProgress>, IDisposable
    {
        readonly Progress _bar = new(shell, "entries of the log");
        bool _compacting;

        public void Report(KeyRotationProgress value)
        {
            if (!value.Compacting)
            {
                _bar.Report((long)value.Done, value.Total == 0 ? null : (double)value.Done / value.Total);
                return;
            }

            if (_compacting || !shell.ErrorIsTerminal)
                return;
            _compacting = true;
            _bar.Dispose();
            shell.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Every key is wrapped again. Files are being rewritten without the old ones…"));
        }

        public void Dispose() => _bar.Dispose();
    }
}
