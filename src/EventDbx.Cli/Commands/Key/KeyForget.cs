using EventDbx.Encryption;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Key;

/// <summary><c>dbx key forget-retired</c>: the end of the keys that rotations have replaced.</summary>
internal static class KeyForget
{
    const string Word = "forget";

    static readonly Option<bool> Yes = Options.Switch("--yes", "Do not ask.");

    public static Verb Create() => new("forget-retired", "Remove the keys that rotations have replaced from the configuration.")
    {
        Remarks =
        [
            "A rotation keeps the old key in the configuration (`data_encryption_keys_retired`): backups from before need it, and so does every other store " +
            "that was made with it and not rotated. Nobody can read those without a copy of it once it is forgotten. While the store at hand has a retired key, it is refused.",
        ],
        Examples =
        [
            new("dbx key forget-retired", "Ask, then remove them."),
            new("dbx key forget-retired --yes --json", "Without asking; how many there were, as JSON."),
        ],
        Options = { Yes },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        var retired = file.Saved.DataEncryptionKeysRetired;
        if (retired.Count > 0)
        {
            await DemandUnusedAsync(call, file, retired, cancellation).ConfigureAwait(false);
            if (!call.Get(Yes) && !await ConfirmedAsync(call, file, retired.Count, cancellation).ConfigureAwait(false))
            {
                await call.Shell.Out.WriteLineAsync("Nothing was forgotten.").ConfigureAwait(false);
                return ExitCode.Done;
            }

            // What was retired meanwhile was not asked about.
            await file.UpdateAsync(
                config => config with { DataEncryptionKeysRetired = new([.. config.DataEncryptionKeysRetired.Except(retired)]) }, cancellation).ConfigureAwait(false);
        }

        await call.Shell.Out.WriteAsync(call.Json
            ? new JsonText().BeginObject().Member("forgotten", (long)retired.Count).EndObject().ToString()
            : retired.Count == 0 ? $"{file.Path} holds no retired key\n" : FormattableString.Invariant($"forgot {retired.Count} retired keys\n")).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task DemandUnusedAsync(Call call, ConfigFile file, ConfigList retired, CancellationToken cancellation) => await Link.ToExistingAsync(
        call,
        async store =>
        {
            var identity = (await store.FindKeyHolderAsync(cancellation).ConfigureAwait(false)).Key;
            foreach (var text in retired)
            {
                if (!DataKey.TryParse(text, out var key, out _))
                    continue;
                using (key)
                {
                    if (identity.IsKey(key) || identity.IsNext(key))
                        throw new RefusedException(RefusalCode.InvalidArgument, $"The store in {file.Config.DataDir} has a retired key: it would not open any more. `dbx key rotate` gives it the key of now first.");
                }
            }

            return ExitCode.Done;
        },
        absent: static () => ExitCode.Done,
        cancellation).ConfigureAwait(false);

    static async Task<bool> ConfirmedAsync(Call call, ConfigFile file, int count, CancellationToken cancellation)
    {
        await call.Shell.Error.WriteAsync(FormattableString.Invariant(
            $"This removes {count} retired keys from {file.Path}: other stores and backups that were made with them open no more. Type `{Word}` to go on: ")).ConfigureAwait(false);
        var answer = await call.Shell.In.ReadLineAsync(cancellation).ConfigureAwait(false);
        return answer?.Trim() == Word;
    }
}
