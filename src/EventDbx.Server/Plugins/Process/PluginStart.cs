using System.Diagnostics;
using EventDbx.Server.Plugins.Install;

namespace EventDbx.Server.Plugins.Process;

/// <summary>How a plugin is started: its program, arguments, variables, directory.</summary>
internal static class PluginStart
{
    /// <summary>Announces that answers are read: <c>1</c>. A plugin's own setting of another value calls that off.</summary>
    public const string AcksVariable = "EVENTDBX_PLUGIN_ACKS";

    /// <summary>Ours hold the key of the data and tokens, and are no plugin's business.</summary>
    const string OwnPrefix = "EVENTDBX_";

    /// <summary>Begins a session, so that what is typed at our terminal is not meant for the plugin; it becomes the plugin then. Where there is none, it stays in our group.</summary>
    static readonly string[] SessionStarters = ["/usr/bin/setsid", "/bin/setsid"];

    static readonly string? s_sessionStarter = OperatingSystem.IsWindows() ? null : Array.Find(SessionStarters, File.Exists);

    /// <returns>The start, and whether answers were announced.</returns>
    /// <exception cref="PluginDownException">The program or the directory is not there, or may not be run.</exception>
    public static (ProcessStartInfo Start, bool MayAcknowledge) Of(InstalledPlugin plugin, ProcessSettings settings)
    {
        Check(plugin);
        var directory = settings.WorkingDir ?? plugin.InstallDirectory;
        if (!Directory.Exists(directory))
            throw new PluginDownException($"its working directory \"{directory}\" does not exist");
        ProcessStartInfo start = s_sessionStarter is null ? new(plugin.BinaryPath) : new(s_sessionStarter, [plugin.BinaryPath]);
        foreach (var argument in settings.Args)
            start.ArgumentList.Add(argument);
        start.WorkingDirectory = directory;
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.UseShellExecute = false;
        start.CreateNoWindow = true;
        foreach (var name in start.Environment.Keys.Where(static name => name.StartsWith(OwnPrefix, StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(name);
        start.Environment[AcksVariable] = "1";
        foreach (var (name, value) in settings.Env)
            start.Environment[name] = value;
        return (start, start.Environment[AcksVariable] == "1");
    }

    /// <summary>Whether the program is there and may be run.</summary>
    /// <exception cref="PluginDownException">It is not.</exception>
    public static void Check(InstalledPlugin plugin)
    {
        if (!File.Exists(plugin.BinaryPath))
            throw new PluginDownException($"its program \"{plugin.BinaryPath}\" does not exist; install it again with `dbx plugin install … --force`");
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(plugin.BinaryPath) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == 0)
            throw new PluginDownException($"its program \"{plugin.BinaryPath}\" is not executable");
    }
}
