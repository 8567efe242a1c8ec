namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin enable</c> and <c>dbx plugin disable</c>.</summary>
internal static class PluginToggle
{
    static readonly Option<string> From = Options.Text(
        "--from", "now|start|POSITION", "Where it begins: behind the newest event, with the first one, or behind a position (default: where it stopped, or now).");

    public static Verb Enable() => new("enable", "Enable a plugin, once it was reached.", PluginCommand.Name)
    {
        Remarks =
        [
            "It is reached first, also where it is enabled already; where it cannot be, nothing is changed. From then on it gets every event, at least once, in the " +
            "order of the versions of its aggregate. A position is that of the last event that it does not get.",
        ],
        Examples =
        [
            new("dbx plugin enable hook", "From the newest event on, or where it stopped."),
            new("dbx plugin enable hook --from start", "Everything that there ever was."),
        ],
        Options = { From, AccessToken.Option },
        Run = (call, cancellation) => RunAsync(call, enabled: true, cancellation),
    };

    public static Verb Disable() => new("disable", "Disable a plugin; its place in the log is kept.", PluginCommand.Name)
    {
        Remarks = ["What is under way is finished. Enabled again, it goes on where it stopped."],
        Examples = [new("dbx plugin disable hook", "It gets nothing for now.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => RunAsync(call, enabled: false, cancellation),
    };

    static Task<ExitCode> RunAsync(Call call, bool enabled, CancellationToken cancellation)
    {
        var name = PluginCommand.NameOf(call, PluginCommand.Name);
        return PluginCommand.OnExistingAsync(
            call, name,
            async store =>
            {
                var (json, changed) = await store.TogglePluginAsync(name, enabled, enabled ? call.Get(From)?.Trim() : null, cancellation).ConfigureAwait(false);
                var word = enabled ? "enabled" : "disabled";
                await call.Shell.Out.WriteAsync(call.Json
                    ? new JsonText().Value(json).ToString()
                    : PlainText.Line(changed ? $"Plugin '{name}' {word}" : $"Plugin '{name}' is already {word}")).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }
}

/// <summary><c>dbx plugin remove</c>.</summary>
internal static class PluginRemove
{
    public static Verb Create() => new("remove", "Remove a plugin that is disabled, with its place and what waits for it.", PluginCommand.Name)
    {
        Remarks = ["Its dead events are forgotten, too. A plugin of the same name that is set up later begins anew."],
        Examples = [new("dbx plugin remove hook", "After `dbx plugin disable hook`.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) =>
        {
            var name = PluginCommand.NameOf(call, PluginCommand.Name);
            return PluginCommand.OnExistingAsync(
                call, name,
                async store =>
                {
                    await store.RemovePluginAsync(name, cancellation).ConfigureAwait(false);
                    await call.Shell.Out.WriteAsync(call.Json
                        ? new JsonText().BeginObject().Member("plugin", name).Member("removed", true).EndObject().ToString()
                        : PlainText.Line($"Plugin '{name}' removed")).ConfigureAwait(false);
                    return ExitCode.Done;
                },
                cancellation);
        },
    };
}
