using EventDbx.Server.Configuration;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Key;

/// <summary><c>dbx key show-location</c>: where the data key comes from, and whether it is the store's.</summary>
internal static class KeyLocation
{
    public static Verb Create() => new("show-location", "Print where the data key comes from and whether it fits the store; never the key.")
    {
        Remarks =
        [
            "A key comes from `data_encryption_key` in the configuration, EVENTDBX_DEK, a file (`data_encryption_key_file`), or what a command prints " +
            "(`data_encryption_key_command`). Where several give one, they must agree. Exit code 0: it fits, or the store is plain, or there is none " +
            "yet, or a server has it open; 4: it does not fit, or there is none.",
        ],
        Examples =
        [
            new("dbx key show-location", "Which key would open the store?"),
            new("dbx key show-location --json", "The same, as JSON."),
        ],
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        var directory = file.Config.DataDir;
        var sources = KeySource.Of(file, call.Shell.Environment(StoreKey.Variable));
        var exists = Database.ExistsIn(directory);
        KeyFit? fit = null;
        LockHolder? holder = null;
        if (exists)
        {
            var options = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
            using var keys = new KeysInHand(options);
            holder = Database.FindHolder(directory);
            fit = holder is null ? Database.LookAtKey(options) : null;
        }

        await call.Shell.Out.WriteAsync(call.Json ? Json(file, sources, exists, fit) : Text(file, sources, exists, fit, holder)).ConfigureAwait(false);
        return fit is { Encrypted: true, Fits: false } ? ExitCode.Refused : ExitCode.Done;
    }

    static string Text(ConfigFile file, IReadOnlyList<KeySource> sources, bool exists, KeyFit? fit, LockHolder? holder)
    {
        var key = sources.Count > 0 ? string.Join("; the same in ", sources.Select(source => source.Location))
            : file.Config.Encryption ? "none is given" : "none, and encryption is \"off\"";
        var store = !exists ? "there is none yet"
            : fit is null ? FormattableString.Invariant($"in use by {holder!.HeldBy} (pid {holder.Pid}), which has opened it with its key")
            : !fit.Encrypted ? "it is not encrypted"
            : fit.Which == KeyAtHand.Retired ? FormattableString.Invariant(
                $"a RETIRED key fits, one of data_encryption_keys_retired in {file.Path}; it is key number {fit.Generation} of the store, and `dbx key rotate` gives it the key of now")
            : fit.Which == KeyAtHand.Next ? FormattableString.Invariant($"the data_encryption_key_next fits; it is key number {fit.Generation} of the store")
            : fit.Fits ? FormattableString.Invariant($"the key fits; it is key number {fit.Generation} of the store")
            : sources.Count > 0 ? "THE KEY DOES NOT FIT: the store was made with another one" : "THE KEY IS MISSING: the store is encrypted";
        var rotation = fit?.RotationUnfinished == true || file.Saved.DataEncryptionKeyNext is not null ? "rotation  unfinished: `dbx key rotate` goes on with it\n" : "";
        return $"key       {key}\nstore     {file.Config.DataDir}: {store}\n{rotation}";
    }

    static string Json(ConfigFile file, IReadOnlyList<KeySource> sources, bool exists, KeyFit? fit)
    {
        var json = new JsonText().BeginObject().Name("sources").BeginArray();
        foreach (var source in sources)
        {
            json.BeginObject().Member("kind", source.Kind switch
            {
                KeySourceKind.Configuration => "configuration",
                KeySourceKind.Environment => "environment",
                KeySourceKind.File => "file",
                KeySourceKind.Command => "command",
            }).Member("location", source.Location).EndObject();
        }

        json.EndArray().Member("data_dir", file.Config.DataDir).Member("store_exists", exists);
        if (fit is not null)
            json.Member("encrypted", fit.Encrypted).Member("fits", fit.Fits).Member("fits_by", fit.Which switch
            {
                KeyAtHand.None => null,
                KeyAtHand.Current => "data_encryption_key",
                KeyAtHand.Next => "data_encryption_key_next",
                KeyAtHand.Retired => "data_encryption_keys_retired",
            }).Member("generation", (ulong)fit.Generation).Member("rotation_unfinished", fit.RotationUnfinished);
        return json.EndObject().ToString();
    }
}
