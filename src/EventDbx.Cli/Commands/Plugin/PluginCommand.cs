namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin …</c>: who is told of every event, and how.</summary>
internal static class PluginCommand
{
    /// <summary>The label of a plugin, as a value of a command.</summary>
    public static Slot Name { get; } = new("--name", "NAME", "The plugin's label.");

    public static Noun Create() => new(
        "plugin",
        "Tell other systems of every event: set plugins up, enable, test and list them.",
        PluginInstall.Create(),
        PluginConfigure.Create(),
        PluginToggle.Enable(),
        PluginToggle.Disable(),
        PluginRemove.Create(),
        PluginTesting.Create(),
        PluginList.Create(),
        PluginReplay.Create());

    /// <summary>The label that the command line gives, without white space around it.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it is blank.</exception>
    public static string NameOf(Call call, Slot slot) => Given(call[slot]);

    /// <inheritdoc cref="NameOf"/>
    public static string Given(string name) => name.Trim() is { Length: > 0 } trimmed
        ? trimmed : throw new RefusedException(RefusalCode.InvalidArgument, "plugin name cannot be empty; give the plugin's label.");

    /// <summary>Runs on a store that is there: where there is none, there is no plugin.</summary>
    public static Task<ExitCode> OnExistingAsync(Call call, string name, Func<IStore, Task<ExitCode>> act, CancellationToken cancellation) => Link.ToExistingAsync(
        call, act, () => throw new RefusedException(RefusalCode.NotFound, $"no plugin named '{name}' is configured: there is no store yet."), cancellation);

    /// <summary>As lines begin with it: <c>TCP plugin 'pipe'</c>.</summary>
    public static string Title(string kind, string name) => $"{kind} plugin '{name}'";
}
