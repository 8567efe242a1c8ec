using System.Globalization;

namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin list</c>: every plugin, and how far it is.</summary>
internal static class PluginList
{
    public static Verb Create() => new("list", "List the plugins, with how far each is behind.")
    {
        Remarks =
        [
            "`position` is the place in the log up to which everything was taken, waits or is dead; `lag` is how many entries are behind it. `stopped`: it is enabled, " +
            "and no server runs that would deliver. `down`: it cannot be reached, and everything waits for it. Values of headers and variables are not shown.",
        ],
        Examples =
        [
            new("dbx plugin list", "One a line."),
            new("dbx plugin list --json", "As an array, with all that is kept of each."),
        ],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => Link.ToExistingAsync(
            call,
            async store =>
            {
                var plugins = await store.ListPluginsAsync(cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(call.Json ? Json(plugins) : plugins.Count == 0 ? None : string.Concat(plugins.Select(Line))).ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: () =>
            {
                call.Shell.Out.Write(call.Json ? "[]\n" : None);
                return ExitCode.Done;
            },
            cancellation),
    };

    const string None = "(no plugins configured)\n";

    static string Line(PluginEntry plugin)
    {
        var (word, other) = plugin.Enabled ? ("enabled", "disable") : ("disabled", "enable");
        var hint = plugin.Name is { } name ? $" ({other} with plugin {other} {name})" : "";
        var position = plugin.Position?.ToString(CultureInfo.InvariantCulture) ?? "none";
        var error = plugin.LastError is { } why ? $" last_error={why}" : "";
        return PlainText.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{plugin.Label} - {word}{hint} state={plugin.State} position={position} lag={plugin.Lag} pending={plugin.Waiting} dead={plugin.Dead}{error}"));
    }

    static string Json(IReadOnlyList<PluginEntry> plugins)
    {
        var json = new JsonText().BeginArray();
        foreach (var plugin in plugins)
            json.Value(plugin.Json);
        return json.EndArray().ToString();
    }
}
