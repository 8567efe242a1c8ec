using EventDbx.Recovery;
using EventDbx.Server.Configuration;
using EventDbx.Server.Logs;
using EventDbx.Server.Restores;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli;

/// <summary>One command line, parsed, on its way to the verb that runs it.</summary>
internal sealed class Call(ParseResult parse, Shell shell, IReadOnlyDictionary<Slot, string> slots, IReadOnlyList<string> further)
{
    public Shell Shell => shell;

    public bool Json => parse.GetValue(GlobalOptions.Json);

    /// <summary>The value of a slot that is not optional.</summary>
    public string this[Slot slot] => slots[slot];

    /// <summary>The value of an optional slot, or null.</summary>
    public string? Find(Slot slot) => slots.GetValueOrDefault(slot);

    /// <summary>The values behind those of the slots.</summary>
    public IReadOnlyList<string> Further => further;

    public T? Get<T>(Option<T> option) => parse.GetValue(option);

    /// <summary>Whether the option stands on the command line, with whatever value.</summary>
    public bool Has(Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>The configuration this command line means. Nothing is written, but where a restore was interrupted behind its commit point: its configuration counts, and comes first.</summary>
    public ConfigFile LoadConfig()
    {
        // The file that is named may lie in the directory of a restore that was interrupted before it was put there: without it another directory would be meant.
        if (Path(GlobalOptions.Config) is { } named && System.IO.Path.GetDirectoryName(shell.Resolve(named)) is { } folder)
            StoreRestore.CompleteInterrupted(folder, ConfigPlace, shell.Error.WriteLine);
        var file = LookAtConfig();
        return StoreRestore.CompleteInterrupted(file.Config.DataDir, ConfigPlace, shell.Error.WriteLine) ? LookAtConfig() : file;
    }

    /// <summary>The file that it lies in, or would.</summary>
    public string ConfigPath => Path(GlobalOptions.Config) is { } path ? shell.Resolve(path) : System.IO.Path.Combine(DefaultRoot, "config.toml");

    /// <summary>The same, for what may put another one in its place.</summary>
    public ConfigPlace ConfigPlace
    {
        get
        {
            var path = ConfigFile.RealPathOf(ConfigPath);
            return new(path, directory => RestoredConfig.FindOtherStore(path, DefaultRoot, directory, shell.Clock));
        }
    }

    /// <summary>The configuration as it lies there: nothing is changed, and nothing interrupted is ended.</summary>
    public ConfigFile LookAtConfig() => ConfigFile.Load(
        Path(GlobalOptions.Config) is { } path ? shell.Resolve(path) : null,
        DefaultRoot,
        Path(GlobalOptions.DataDir) is { } directory ? shell.Resolve(directory) : null,
        shell.Clock,
        new ConfigEnvironment(shell.Environment, shell.WorkingDirectory));

    /// <summary>The data directory by the configuration as it lies there; null where that cannot be read.</summary>
    public string? FindConfiguredDataDir()
    {
        try
        {
            return LookAtConfig().Config.DataDir;
        }
        catch (ConfigException)
        {
            return null;
        }
    }

    /// <summary>The data directory, for what must also work where the configuration does not; then what is wrong with it is said.</summary>
    public async Task<string> FindDataDirAsync()
    {
        try
        {
            return LoadConfig().Config.DataDir;
        }
        catch (ConfigException wrong)
        {
            var directory = System.IO.Path.TrimEndingDirectorySeparator(
                Path(GlobalOptions.DataDir) is { } given ? shell.Resolve(given)
                : shell.Environment(ConfigEnvironment.DataDirVariable) is { } variable && !string.IsNullOrWhiteSpace(variable) ? shell.Resolve(variable.Trim())
                : DefaultRoot);
            await NoteAsync($"The configuration cannot be used: {wrong.Message} This is about the data directory {directory}.").ConfigureAwait(false);
            return directory;
        }
    }

    /// <summary>The directory of EventDBX in the home of the user, whatever the configuration says.</summary>
    public string DefaultRoot => RootOf(shell);

    /// <inheritdoc cref="DefaultRoot"/>
    public static string RootOf(Shell shell) => ConfigFile.DefaultRoot(shell.Environment("HOME") ?? shell.Environment("USERPROFILE") ?? shell.UserHome(), shell.WorkingDirectory);

    /// <summary>A path, or null; an empty one is a variable that was not set, and must not come to mean this directory.</summary>
    string? Path(Option<string> option) => Get(option) is not { } path ? null
        : path.Length > 0 ? path : throw new UsageException($"`{option.Name}` is empty; give it a path.");

    /// <summary>The aggregate that the slots name.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidName"/>.</exception>
    public AggregateKey Aggregate => AggregateKey.Create(this[Slot.AggregateType], this[Slot.AggregateId]);

    /// <summary>How the command is called, without its values: <c>dbx aggregate apply</c>.</summary>
    public string CommandName => Help.PathOf(parse.CommandResult.Command);

    /// <summary>Whether a server elsewhere can carry it out.</summary>
    public bool CanBeElsewhere => parse.CommandResult.Command is Verb { CanBeElsewhere: true };

    /// <summary>Names the variables that have no effect because they are misspelt.</summary>
    public async Task NoteMisspeltVariablesAsync()
    {
        foreach (var (name, meant) in MisspeltVariables)
            await NoteAsync($"The environment variable {name} has no effect; did you mean {meant}?").ConfigureAwait(false);
    }

    /// <summary>Variables that have no effect because they are misspelt, each with the one that was probably meant.</summary>
    public IEnumerable<(string Name, string Meant)> MisspeltVariables => ConfigEnvironment.Misspelt(
        shell.VariableNames,
        [.. RemoteTrust.Variables, RemoteServer.Variable, StoreKey.Variable, AccessToken.Variable, LogSettings.LevelVariable, LogSettings.DirectoryVariable, ReleaseServer.AddressVariable, ReleaseKeys.FileVariable]);

    /// <summary>A line that is not a result. What was printed before it stands before it on a terminal, too.</summary>
    public async Task NoteAsync(string line)
    {
        await shell.Out.FlushAsync().ConfigureAwait(false);
        await shell.Error.WriteLineAsync(line).ConfigureAwait(false);
    }
}
