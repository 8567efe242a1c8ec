using System.Globalization;
using System.Text;
using EventDbx.Storage;

namespace EventDbx.Server.Configuration;

/// <summary>A <c>config.toml</c> on disk, or the one that would be there: nothing is written until something is to be kept.</summary>
public sealed class ConfigFile
{
    /// <summary>The directory that holds configuration and data unless told otherwise, below the home directory.</summary>
    public const string RootName = ".eventdbx";

    /// <summary>Stands where a secret would.</summary>
    public const string Hidden = "(hidden; --show-secrets shows it)";

    readonly string _text;
    readonly ServerConfig _saved;
    readonly TimeProvider _clock;
    readonly string _root;
    readonly string? _dataDir;
    readonly ConfigEnvironment _environment;

    ConfigFile(string path, string text, ServerConfig saved, string root, string? dataDir, TimeProvider clock, ConfigEnvironment environment)
    {
        (Path, _text, _saved, _root, _dataDir, _clock, _environment) = (path, text, saved, root, dataDir, clock, environment);
        Config = InForce(saved);
    }

    /// <summary>Absolute.</summary>
    public string Path { get; }

    /// <summary>The settings in force: the file's, the environment's above them, and this run's data directory.</summary>
    public ServerConfig Config { get; }

    /// <summary>The data directory whatever this run's command line says.</summary>
    public string ConfiguredDataDir => _environment.Over(WithFullPath(_saved)).DataDir;

    /// <summary>The data directory that the file names, or leaves to the default.</summary>
    public string SavedDataDir => WithFullPath(_saved).DataDir;

    /// <summary>Which of them the environment makes.</summary>
    public IReadOnlyList<ConfigOverride> Overrides => [.. _environment.Overrides];

    /// <summary>The settings of the file alone.</summary>
    public ServerConfig Saved => _saved;

    /// <summary>The file itself, where <see cref="Path"/> is a link.</summary>
    public string RealPath => RealPathOf(Path);

    /// <summary>The file that a path leads to.</summary>
    public static string RealPathOf(string path) =>
        new FileInfo(path).LinkTarget is null ? System.IO.Path.GetFullPath(path) : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;

    /// <summary>False while there is no file.</summary>
    public bool Exists => _text.Length > 0;

    /// <summary>The file as it was read; empty where there is none.</summary>
    internal string Text => _text;

    /// <summary>The same text, with other settings worked in. Nothing is written.</summary>
    internal string TextWith(ServerConfig settings) => ConfigText.MadeWhole(ConfigEditor.Edit(Path, _text, _saved, settings));

    /// <summary>Whether a text in the place of this file would hold these settings.</summary>
    internal bool Says(string text, ServerConfig settings)
    {
        try
        {
            return Same(ConfigReader.Read(Path, text, Defaults(_root)), settings);
        }
        catch (ConfigException)
        {
            return false;
        }
    }

    /// <summary>Reads the configuration.</summary>
    /// <param name="path">The file; null is <c>config.toml</c> in <paramref name="root"/>.</param>
    /// <param name="root">The default directory, see <see cref="DefaultRoot"/>.</param>
    /// <param name="dataDir">The data directory of this run, whatever the file says.</param>
    /// <param name="clock">Dates a file that is written.</param>
    /// <param name="environment">Settings that stand above the file's; null: none.</param>
    /// <exception cref="ConfigException">The file is not valid, or a variable; names line and key, or the variable.</exception>
    public static ConfigFile Load(string? path, string root, string? dataDir, TimeProvider clock, ConfigEnvironment? environment = null)
    {
        var full = System.IO.Path.GetFullPath(path ?? System.IO.Path.Combine(root, "config.toml"));
        var found = ReadText(full);
        if (found is not null)
            ConfigText.DemandWhole(full, found);
        return Of(full, found ?? "", root, dataDir, clock, environment);
    }

    /// <summary>A text as if it lay at a path: the places that it names are relative to there.</summary>
    /// <exception cref="ConfigException">It is not valid.</exception>
    internal static ConfigFile Of(string path, string text, string root, string? dataDir, TimeProvider clock, ConfigEnvironment? environment)
    {
        var saved = ConfigReader.Read(path, text, Defaults(root));
        return new(path, text, saved, root, dataDir is null ? null : System.IO.Path.GetFullPath(dataDir), clock, environment ?? ConfigEnvironment.Empty);
    }

    /// <summary>Whether it may come by a pipe, which can be read once: <see cref="Reload"/> would find nothing.</summary>
    public bool IsReadOnce => Path.StartsWith("/dev/", StringComparison.Ordinal) || Path.StartsWith("/proc/", StringComparison.Ordinal);

    /// <summary>The same file as it is by now, under the same environment and for the same run.</summary>
    /// <exception cref="ConfigException">It is not valid any more.</exception>
    public ConfigFile Reload() => Load(Path, _root, _dataDir, _clock, _environment);

    /// <summary>Another file, with the same default directory and without an environment; null where it cannot be read.</summary>
    internal ConfigFile? Another(string path)
    {
        try
        {
            return Load(path, _root, dataDir: null, _clock);
        }
        catch (ConfigException)
        {
            return null;
        }
    }

    /// <summary>Settings as the file holds them, and what they come to in this run.</summary>
    public ServerConfig InForce(ServerConfig saved)
    {
        var config = _environment.Over(WithFullPath(saved));
        return _dataDir is null ? config : config with { DataDir = _dataDir };
    }

    /// <summary>Where a setting comes from: a variable of the environment, or the file.</summary>
    public string SourceOf(string key) => Overrides.FirstOrDefault(found => found.Key.Name == key)?.Variable ?? Path;

    /// <summary>Below the home directory; without one, below the working directory.</summary>
    public static string DefaultRoot(string? home, string workingDirectory) =>
        System.IO.Path.Combine(string.IsNullOrEmpty(home) ? workingDirectory : home, RootName);

    /// <summary>Changes the file, on top of what it holds by now, and returns the settings it holds then.</summary>
    /// <remarks>Two processes that update at once do so one after the other. What the environment makes, and the data directory of this run, are not written.</remarks>
    public Task<ServerConfig> UpdateAsync(Func<ServerConfig, ServerConfig> change, CancellationToken cancellation) => UpdateAsync(change, null, cancellation);

    /// <summary>The same, with something to be done before the change is seen.</summary>
    /// <param name="change">Of the settings that the file holds by now; what it throws leaves them.</param>
    /// <param name="first">Done when the new file lies beside the old one, whole and on disk: whatever could fail but for the last step has not. What it throws leaves the old one.</param>
    public async Task<ServerConfig> UpdateAsync(Func<ServerConfig, ServerConfig> change, Func<Task>? first, CancellationToken cancellation)
    {
        // It may come to hold a key.
        PrivateDirectory.Create(System.IO.Path.GetDirectoryName(Path)!);
        using var _ = await UpdateLock.TakeAsync(Path + ".lock", _clock, cancellation).ConfigureAwait(false);
        var now = Load(Path, _root, dataDir: null, _clock);
        var before = now._saved;
        var after = change(before);
        if (after == before && now.Exists)
            return after;

        var time = _clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        after = after with { CreatedAt = after.CreatedAt ?? time, UpdatedAt = time };
        var text = now.Exists ? ConfigText.MadeWhole(ConfigEditor.Edit(Path, now._text, before, after)) : ConfigText.Whole(ConfigEditor.Write(after));
        if (!Same(ConfigReader.Read(Path, text, Defaults(_root)), after))
            throw new ConfigException($"{Path} could not be changed without changing more than was asked for; please edit it by hand.");

        // A link stays a link, to wherever its owner keeps the file.
        DurableFile.Prepare(RealPath, Encoding.UTF8.GetBytes(text));
        try
        {
            if (first is not null)
                await first().ConfigureAwait(false);
        }
        catch
        {
            DurableFile.CleanUp(RealPath);
            throw;
        }

        DurableFile.Take(RealPath);
        return after;
    }

    /// <summary>Dates what is written.</summary>
    internal TimeProvider Clock => _clock;

    /// <summary>The settings in force as TOML, secrets left out unless they are asked for.</summary>
    public static string Show(ServerConfig config, bool secrets) => ConfigEditor.Write(config, (key, value) =>
        ConfigEditor.Literal(secrets ? value : key.Secret ? Hidden : key.Shown?.Invoke(value) ?? value));

    ServerConfig WithFullPath(ServerConfig saved) =>
        (saved with { DataDir = System.IO.Path.GetFullPath(saved.DataDir, System.IO.Path.GetDirectoryName(Path)!) })
            .WithFullTlsPaths(System.IO.Path.GetDirectoryName(Path)!);

    static ServerConfig Defaults(string root) => new() { DataDir = System.IO.Path.GetFullPath(root) };

    // Records compare a dictionary by reference.
    static bool Same(ServerConfig left, ServerConfig right) =>
        left.Remotes.SequenceEqual(right.Remotes) && left.ReplicationAllow.SequenceEqual(right.ReplicationAllow)
        && left with { Remotes = right.Remotes, ReplicationAllow = right.ReplicationAllow } == right;

    /// <summary>Null where there is no file.</summary>
    static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"{path} cannot be read: {unreadable.Message}", unreadable);
        }
    }
}
