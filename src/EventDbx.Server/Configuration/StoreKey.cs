using EventDbx.Encryption;

namespace EventDbx.Server.Configuration;

/// <summary>How a store is to be opened, or made.</summary>
/// <param name="Key">Null where none was given; an encrypted store then refuses to open. The caller disposes it.</param>
/// <param name="Encrypted">What the configuration says of a store that is made now.</param>
/// <param name="Notice">For the user's eyes when a key was made: where it lies, and to keep a copy.</param>
public sealed record StoreKeyChoice(DataKey? Key, bool Encrypted, string? Notice)
{
    /// <summary>The key that is replacing it, while a rotation is unfinished: one of the two opens the store. The caller disposes it.</summary>
    public DataKey? NextKey { get; init; }

    /// <summary>Keys that rotations have replaced: one of them opens a store that was not rotated. The caller disposes them.</summary>
    public IReadOnlyList<DataKey> RetiredKeys { get; init; } = [];
}

/// <summary>Finds the data key, or makes one for a store that does not exist yet (docs/guarantees.md).</summary>
/// <remarks>
/// Stores are encrypted from the first event: the command that creates one makes a key, unless a key is supplied or encryption is
/// off. A key is never made over an existing store: it could not open it, and would hide that the real one is missing. Nor is one made where
/// a file or a command should have given it. Whether the key found is the store's own, the engine says when it opens it.
/// </remarks>
public static class StoreKey
{
    /// <summary>Environment variable that supplies the key instead of <c>data_encryption_key</c>.</summary>
    public const string Variable = "EVENTDBX_DEK";

    /// <summary>Decides. A key that is made is on disk, in the configuration, before this returns.</summary>
    /// <param name="file">Where a key is looked for and, if one is made, kept.</param>
    /// <param name="supplied">The content of <see cref="Variable"/>, if it is set.</param>
    /// <param name="cancellation">Ends a command that is to give the key.</param>
    /// <exception cref="ConfigException">What is given contradicts itself, or a file or command does not give a key.</exception>
    public static async Task<StoreKeyChoice> ChooseAsync(ConfigFile file, string? supplied, CancellationToken cancellation)
    {
        var choice = await FindAsync(file, KeySource.Of(file, supplied), cancellation).ConfigureAwait(false);
        return choice is { Key: null, Encrypted: true } && !Database.ExistsIn(file.Config.DataDir) ? await MakeAsync(file, cancellation).ConfigureAwait(false) : choice;
    }

    /// <summary>The same for a store that is there: none is made.</summary>
    /// <param name="file">The configuration.</param>
    /// <param name="sources">Every place that should give the key.</param>
    /// <param name="cancellation">Ends a command that is to give the key.</param>
    /// <exception cref="ConfigException">What is given contradicts itself, or a file or command does not give a key.</exception>
    internal static async Task<StoreKeyChoice> FindAsync(ConfigFile file, IReadOnlyList<KeySource> sources, CancellationToken cancellation)
    {
        var key = await GivenAsync(sources, cancellation).ConfigureAwait(false);
        if (!file.Config.Encryption)
        {
            if (key is null)
                return new StoreKeyChoice(Key: null, Encrypted: false, Notice: null);
            key.Dispose();
            throw new ConfigException($"encryption is \"off\" in {file.SourceOf("encryption")}, yet a data encryption key is given; remove one of the two.");
        }

        var retired = file.Saved.DataEncryptionKeysRetired;
        if (file.Config.DataEncryptionKeyNext is { } next)
        {
            return key is not null
                ? new StoreKeyChoice(key, Encrypted: true, Notice: null) { NextKey = Parse(next, file.Path), RetiredKeys = [.. retired.Select(text => Parse(text, file.Path))] }
                : throw new ConfigException(
                    $"{file.Path} has a `data_encryption_key_next`, for a rotation that is unfinished, and no `data_encryption_key`. Put that back; or, where the rotation has "
                    + "come to its end, make the next key the `data_encryption_key`.");
        }

        if (key is null && retired.Count > 0)
        {
            throw new ConfigException(
                $"{file.Path} has data_encryption_keys_retired, which rotations have replaced, and no `data_encryption_key`. Put that back. No key is made in its place.");
        }

        return new(key, Encrypted: true, Notice: null) { RetiredKeys = [.. retired.Select(text => Parse(text, file.Path))] };
    }

    /// <summary>The key as text, if it is one.</summary>
    internal static string Checked(ConfigValue value)
    {
        const string what = "32 bytes in standard base64 (44 characters)";
        var text = value.Text(what);
        if (!DataKey.TryParse(text, out var key, out _))
            throw new ConfigValueException(what);

        key.Dispose();
        return text;
    }

    /// <summary>Keys as texts, if they are.</summary>
    internal static ConfigList CheckedRetired(ConfigValue value)
    {
        const string what = "a list of keys, each 32 bytes in standard base64 (44 characters)";
        var texts = value.Texts(what);
        foreach (var text in texts)
        {
            if (!DataKey.TryParse(text, out var key, out _))
                throw new ConfigValueException(what);
            key.Dispose();
        }

        return texts;
    }

    /// <summary>The key that every source gives; null where there is none.</summary>
    static async Task<DataKey?> GivenAsync(IReadOnlyList<KeySource> sources, CancellationToken cancellation)
    {
        DataKey? given = null;
        var from = "";
        foreach (var source in sources)
        {
            DataKey found;
            try
            {
                found = Parse(await source.Read(cancellation).ConfigureAwait(false), source.Location);
            }
            catch
            {
                given?.Dispose();
                throw;
            }

            if (given is null)
            {
                (given, from) = (found, source.Location);
                continue;
            }

            var same = given.ToBase64() == found.ToBase64();
            found.Dispose();
            if (same)
                continue;
            given.Dispose();
            throw new ConfigException($"{source.Location} and {from} are two different keys; remove the one that is wrong.");
        }

        return given;
    }

    static DataKey Parse(string text, string source) =>
        DataKey.TryParse(text, out var key, out var why) ? key : throw new ConfigException($"{source}: {why}");

    static async Task<StoreKeyChoice> MakeAsync(ConfigFile file, CancellationToken cancellation)
    {
        using var made = DataKey.Generate();
        var text = made.ToBase64();
        // Someone else may have been faster, for this store or for another one with the same configuration: theirs then is the key.
        var saved = await file.UpdateAsync(
            config => config.DataEncryptionKey is null ? config with { DataEncryptionKey = text } : config,
            cancellation).ConfigureAwait(false);
        var notice = saved.DataEncryptionKey != text ? null :
            $"A data encryption key was made. It lies in {file.Path} (data_encryption_key): keep a copy elsewhere, for without it " +
            "nobody can read the data.";
        return new StoreKeyChoice(Parse(saved.DataEncryptionKey!, file.Path), Encrypted: true, notice);
    }
}
