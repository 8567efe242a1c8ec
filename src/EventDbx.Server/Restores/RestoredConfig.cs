using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Backups;
using EventDbx.Encryption;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using EventDbx.Storage;

namespace EventDbx.Server.Restores;

/// <summary>The configuration that goes with a restored store: where it goes, which keys it has, and what becomes of the one that is there.</summary>
/// <remarks>Of a data key nothing is lost: those of a configuration that is replaced are kept in the new one, and the file itself stays beside it.</remarks>
public sealed partial class RestoredConfig
{
    /// <summary>Stands in the name of a configuration that was replaced.</summary>
    const string KeptSuffix = ".before-restore-";

    readonly string _root;
    readonly string _dataDirectory;
    readonly TimeProvider _clock;
    readonly string? _found;
    readonly ConfigFile? _present;
    ConfigFile? _file;
    ConfigEnvironment _environment = ConfigEnvironment.Empty;
    bool _secretsLeftOut;

    RestoredConfig(string path, string root, string dataDirectory, TimeProvider clock, string? found, ConfigFile? present) =>
        (Path, _root, _dataDirectory, _clock, _found, _present) = (path, root, dataDirectory, clock, found, present);

    /// <summary>Where it goes; absolute.</summary>
    public string Path { get; }

    /// <summary>Whether there is one already.</summary>
    public bool Exists => _found is not null;

    /// <summary>The store whose configuration lies in the ordinary place, so that this one goes into its own data directory; null mostly.</summary>
    public string? OtherStore { get; private init; }

    /// <summary>Whether a file is a configuration that a restore has replaced, by its name.</summary>
    public static bool IsKept(string name) => name.Contains(KeptSuffix, StringComparison.Ordinal);

    /// <summary>Works out where it goes; changes nothing.</summary>
    /// <param name="given">What the command line names; null: nothing.</param>
    /// <param name="root">The default directory.</param>
    /// <param name="dataDirectory">Where the store goes.</param>
    /// <param name="clock">Dates what is written.</param>
    /// <exception cref="ConfigException">The one that was named is that of another store.</exception>
    public static RestoredConfig Plan(string? given, string root, string dataDirectory, TimeProvider clock)
    {
        // Through a link, as every change of a setting is: who names the file itself has the same one.
        var path = ConfigFile.RealPathOf(System.IO.Path.GetFullPath(given ?? System.IO.Path.Combine(root, "config.toml")));
        var present = Read(path, root, clock, out var found);
        var other = FindOtherStore(present, dataDirectory);
        if (other is not null)
        {
            if (given is not null)
                throw new ConfigException($"{path} is the configuration of the store in {other}, and may hold its only key: it is not replaced. Name another file with --config.");
            path = ConfigFile.RealPathOf(System.IO.Path.Combine(dataDirectory, "config.toml"));
            present = Read(path, root, clock, out found);
        }

        return new(path, root, dataDirectory, clock, found, present) { OtherStore = other };
    }

    /// <summary>Takes up the configuration of the backup; without one that is there goes on, and without either one is made.</summary>
    /// <param name="unpacked">The file; null: the backup has none.</param>
    /// <param name="environment">Settings that stand above it.</param>
    /// <exception cref="ConfigException">It is not valid.</exception>
    public void Read(string? unpacked, ConfigEnvironment environment)
    {
        var text = unpacked is null ? _found ?? "" : File.ReadAllText(unpacked);
        _environment = environment;
        _file = ConfigFile.Of(Path, text, _root, _dataDirectory, _clock, environment);
    }

    /// <summary>What is in force with it.</summary>
    public ConfigFile Restored => _file ?? throw new InvalidOperationException("It is not read yet.");

    /// <summary>Whether what lies there now is what was found.</summary>
    public bool IsAsFound(byte[]? content)
    {
        if (content is null || _found is null)
            return content is null && _found is null;
        using var reader = new StreamReader(new MemoryStream(content));
        return reader.ReadToEnd() == _found;
    }

    /// <summary>Whether the secret that has signed the tokens of the backup is at hand: in the backup, in the environment, or in the configuration that is there.</summary>
    /// <param name="sameDatabase">Whether what is replaced is a store of the same database.</param>
    /// <remarks>Where there was none, there are no tokens either.</remarks>
    public bool HasTokenSecret(bool sameDatabase) => Restored.Saved.AuthKeyId is null || WithTokenSecret(Restored.Config, sameDatabase).AuthSecret is not null;

    /// <summary>The file as it is to be, with the keys that <see cref="SettleKeysAsync"/> has settled.</summary>
    /// <param name="keepTokens">False: with a new secret, so that no token of before is good any more.</param>
    /// <param name="sameDatabase">Whether what is replaced is a store of the same database.</param>
    public byte[] Content(bool keepTokens, bool sameDatabase)
    {
        var saved = WithSecrets(WithTokenSecret(_settled ?? throw new InvalidOperationException("Its keys are not settled yet."), sameDatabase), sameDatabase);
        var now = _clock.GetUtcNow().UtcDateTime;
        var time = now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var settings = saved with { DataDir = _dataDirectory, CreatedAt = saved.CreatedAt ?? time, UpdatedAt = time };
        if (!keepTokens && (settings.AuthSecret ?? settings.AuthKeyId) is not null)
        {
            var keyId = $"key-{now.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture)}";
            settings = settings with
            {
                AuthSecret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(TokenBounds.SecretBytesMin)), AuthKeyId = keyId == settings.AuthKeyId ? keyId + "-1" : keyId,
                AuthPreviousSecret = null, AuthPreviousKeyId = null, AuthPreviousUntil = null,
            };
        }

        return Encoding.UTF8.GetBytes(TextOf(settings));
    }

    string TextOf(ServerConfig settings) => Restored.Exists ? Restored.TextWith(settings) : ConfigText.Whole(ConfigEditor.Write(settings));

    /// <summary>Where the backup came without the secret that signs tokens, the one that is there goes on, if it is of the same database.</summary>
    ServerConfig WithTokenSecret(ServerConfig config, bool sameDatabase) =>
        config.AuthSecret is not null || _present?.Saved is not { AuthSecret: not null, AuthKeyId: not null } before || !(sameDatabase || before.AuthKeyId == config.AuthKeyId)
            ? config
            : config with
            {
                AuthSecret = before.AuthSecret, AuthKeyId = before.AuthKeyId,
                AuthPreviousSecret = before.AuthPreviousSecret, AuthPreviousKeyId = before.AuthPreviousKeyId, AuthPreviousUntil = before.AuthPreviousUntil,
            };

    /// <summary>What else a backup without keys has left out goes on as that secret does.</summary>
    ServerConfig WithSecrets(ServerConfig config, bool sameDatabase) => !_secretsLeftOut || !sameDatabase || _present?.Saved is not { } before ? config : config with
    {
        AdminMasterKeyHash = config.AdminMasterKeyHash ?? before.AdminMasterKeyHash, TelemetryOtlpHeaders = config.TelemetryOtlpHeaders ?? before.TelemetryOtlpHeaders,
    };

    /// <summary>Whether a variable of the environment stands above the secret that signs tokens, so that a new one in the file has no effect; its name, or null.</summary>
    public string? SecretVariable => Restored.Overrides.FirstOrDefault(static found => found.Key.Name == "auth.secret")?.Variable;

    /// <summary>The directory of another store that a configuration is that of; null: of none, or there is no such file.</summary>
    /// <param name="path">The configuration.</param>
    /// <param name="root">The default directory.</param>
    /// <param name="dataDirectory">That of the store that it would not be another one of.</param>
    /// <param name="clock">Dates what is written.</param>
    public static string? FindOtherStore(string path, string root, string dataDirectory, TimeProvider clock) => FindOtherStore(Read(path, root, clock, out _), dataDirectory);

    static string? FindOtherStore(ConfigFile? present, string dataDirectory) =>
        present is not null && !Same(present.SavedDataDir, dataDirectory) && Database.ExistsIn(present.SavedDataDir) ? present.SavedDataDir : null;

    static ConfigFile? Read(string path, string root, TimeProvider clock, out string? found)
    {
        found = File.Exists(path) ? File.ReadAllText(path) : null;
        try
        {
            return found is null ? null : ConfigFile.Load(path, root, null, clock);
        }
        catch (ConfigException)
        {
            // What cannot be read is replaced as a whole, and kept beside.
            return null;
        }
    }

    static bool Same(string one, string other) =>
        System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(one)) == System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(other));
}
