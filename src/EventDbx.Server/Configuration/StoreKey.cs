using System.Security.Cryptography;

namespace EventDbx.Server.Configuration;

/// <summary>What lies in the data directory.</summary>
public enum StoreState
{
    /// <summary>No store: the command at hand creates one.</summary>
    Absent,

    /// <summary>A store that was created with <c>encryption = "off"</c>.</summary>
    Plain,

    /// <summary>A store whose payloads are sealed.</summary>
    Sealed,
}

/// <summary>The key a store is opened with.</summary>
/// <param name="Key">32 bytes; null for a plain store.</param>
/// <param name="Notice">For the user's eyes when a key was made: where it lies, and to keep a copy.</param>
public sealed record StoreKeyChoice(byte[]? Key, string? Notice);

/// <summary>Finds the data encryption key, or makes one for a store that does not exist yet (decision 33).</summary>
/// <remarks>
/// Stores are encrypted from the first event: the command that creates one makes a key, unless a key is supplied or encryption is
/// off. A key is never made over an existing store: it could not open it, and would hide that the real one is missing.
/// </remarks>
public static class StoreKey
{
    /// <summary>Length in bytes.</summary>
    public const int Length = 32;

    /// <summary>Environment variable that supplies the key instead of <c>data_encryption_key</c>.</summary>
    public const string Variable = "EVENTDBX_DEK";

    const string What = "32 bytes in base64 (44 characters)";

    /// <summary>Decides. A key that is made is on disk, in the configuration, before this returns.</summary>
    /// <param name="file">Where a key is looked for and, if one is made, kept.</param>
    /// <param name="supplied">The content of <see cref="Variable"/>, if it is set.</param>
    /// <param name="store">What there is in the data directory.</param>
    /// <exception cref="StoreRefusedException">An existing store does not go with the key, or with its absence.</exception>
    public static async Task<StoreKeyChoice> ChooseAsync(
        ConfigFile file, string? supplied, StoreState store, CancellationToken cancellation)
    {
        var key = Supplied(file, supplied);
        if (key is not null && !file.Config.Encryption)
        {
            throw new ConfigException(
                $"encryption is \"off\" in {file.Path}, yet a data encryption key is given; remove one of the two.");
        }

        return store switch
        {
            StoreState.Sealed when key is null => throw new StoreRefusedException(
                $"The store in {file.Config.DataDir} is encrypted, and its key is missing: there is no data_encryption_key in " +
                $"{file.Path}, and {Variable} is not set. Give it the key it was created with; a new one could not open it."),
            StoreState.Plain when key is not null => throw new StoreRefusedException(
                $"The store in {file.Config.DataDir} was created without encryption, and a key cannot be put over it. " +
                $"Set encryption = \"off\" and remove the key, or import its events into a new store."),
            StoreState.Absent when key is null && file.Config.Encryption =>
                await MakeAsync(file, cancellation).ConfigureAwait(false),
            _ => new StoreKeyChoice(key, Notice: null),
        };
    }

    /// <summary>The key as text, if it is one.</summary>
    internal static string Checked(ConfigValue value)
    {
        var text = value.Text(What);
        return Decode(text) is null ? throw new ConfigValueException(What) : text;
    }

    static byte[]? Supplied(ConfigFile file, string? supplied)
    {
        var configured = file.Config.DataEncryptionKey is { } text ? Decode(text) : null;
        if (string.IsNullOrWhiteSpace(supplied))
            return configured;

        var given = Decode(supplied.Trim()) ?? throw new ConfigException($"{Variable} must be {What}.");
        if (configured is not null && !CryptographicOperations.FixedTimeEquals(configured, given))
        {
            throw new ConfigException(
                $"{Variable} and the data_encryption_key in {file.Path} are two different keys; remove the one that is wrong.");
        }

        return given;
    }

    static async Task<StoreKeyChoice> MakeAsync(ConfigFile file, CancellationToken cancellation)
    {
        var made = Convert.ToBase64String(RandomNumberGenerator.GetBytes(Length));
        // Someone else may have been faster, for this store or for another one with the same configuration: theirs then is the key.
        var saved = await file.UpdateAsync(
            config => config.DataEncryptionKey is null ? config with { DataEncryptionKey = made } : config,
            cancellation).ConfigureAwait(false);
        var key = Decode(saved.DataEncryptionKey!)!;
        return new StoreKeyChoice(key, saved.DataEncryptionKey != made ? null :
            $"A data encryption key was made. It lies in {file.Path} (data_encryption_key): keep a copy elsewhere, for without it " +
            "nobody can read the data.");
    }

    static byte[]? Decode(string text)
    {
        var bytes = new byte[Length];
        return text.Length == 44 && Convert.TryFromBase64String(text, bytes, out var written) && written == Length ? bytes : null;
    }
}
