namespace EventDbx.Server.Health;

/// <summary>How far a plugin is.</summary>
/// <param name="Label">As people know it.</param>
/// <param name="Lag">Entries of the log that it has yet to be told of.</param>
/// <param name="Waiting">Aggregates that wait for another try.</param>
/// <param name="Dead">Events that are given up.</param>
public sealed record PluginLook(string Label, ulong Lag, long Waiting, long Dead)
{
    /// <summary>Why it cannot be reached; null: it can, or nobody tries.</summary>
    public string? Down { get; init; }

    /// <summary>Whether it is disabled: then it is not behind.</summary>
    public bool Disabled { get; init; }
}

/// <summary>Plugins that are down, behind, or have refused events.</summary>
public static class PluginCheck
{
    const string Check = "plugins";

    /// <param name="findings">Receives what is found.</param>
    /// <param name="plugins">All of them.</param>
    /// <param name="running">Whether a server delivers. Without one nobody is to be up to date, and which plugins are enabled, or there at all, is not known here.</param>
    public static void Look(Findings findings, IReadOnlyList<PluginLook> plugins, bool running)
    {
        var before = findings.All.Count;
        foreach (var plugin in plugins)
        {
            if (plugin.Down is { } why)
                findings.Warn(Check, FormattableString.Invariant($"The plugin {plugin.Label} cannot be reached: {why} {plugin.Lag} entries wait for it."), "Mend it or what lies between; it is tried again until it answers, and nothing is lost.");
            else if (running && !plugin.Disabled && plugin.Lag > ServerLimits.PluginLagWarning)
                findings.Warn(Check, FormattableString.Invariant($"The plugin {plugin.Label} is {plugin.Lag} entries behind."), "Look whether it keeps up: `dbx plugin list`, and the metric dbx_plugin_lag.");

            if (plugin.Dead > 0)
                findings.Warn(Check, FormattableString.Invariant($"The plugin {plugin.Label} has refused {plugin.Dead} event(s) for good."), "`dbx queue` shows them; `dbx queue retry` tries them again, `dbx queue clear` gives them up.");
            if (plugin.Waiting > 0)
                findings.Warn(Check, FormattableString.Invariant($"{plugin.Waiting} aggregate(s) wait for another try with the plugin {plugin.Label}, which refused an event of each."), "`dbx queue` says why.");
        }

        if (findings.All.Count == before)
            findings.Ok(Check, plugins.Count == 0 ? "There are no plugins." : FormattableString.Invariant($"{plugins.Count} plugin(s): none {(running ? "is down, far behind, or has" : "has")} refused events."));
    }
}
