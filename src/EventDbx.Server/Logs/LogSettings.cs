using EventDbx.Server.Configuration;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Logs;

/// <summary>Where the server's log lies, and how much it says.</summary>
/// <param name="Directory">Absolute.</param>
/// <param name="Level">The least that is written.</param>
public sealed record LogSettings(string Directory, LogLevel Level)
{
    /// <summary>error, warn, info, debug or trace.</summary>
    public const string LevelVariable = "EVENTDBX_LOG";

    /// <summary>Another directory than <c>logs</c> in the data directory. One server to a directory.</summary>
    public const string DirectoryVariable = "EVENTDBX_LOG_DIR";

    static readonly (string Name, LogLevel Level)[] Levels =
    [
        ("error", LogLevel.Error), ("warn", LogLevel.Warning), ("info", LogLevel.Information), ("debug", LogLevel.Debug), ("trace", LogLevel.Trace),
    ];

    /// <summary>The path of the file that is written.</summary>
    public string File => Path.Combine(Directory, LogFile.Name);

    /// <summary>What the environment says, or the defaults.</summary>
    /// <param name="dataDirectory">Absolute.</param>
    /// <param name="variable">The value of an environment variable; null when it is not set.</param>
    /// <param name="workingDirectory">What a relative path is relative to.</param>
    /// <exception cref="ConfigException">The level is none.</exception>
    public static LogSettings Of(string dataDirectory, Func<string, string?> variable, string workingDirectory)
    {
        var directory = variable(DirectoryVariable) is { } given && !string.IsNullOrWhiteSpace(given)
            ? Path.GetFullPath(given, workingDirectory)
            : Path.Combine(dataDirectory, "logs");
        return new(directory, variable(LevelVariable) is { } level && !string.IsNullOrWhiteSpace(level) ? Parse(level) : LogLevel.Information);
    }

    /// <summary>A level as it stands in a line; <see cref="LogLevel.Critical"/> is an error.</summary>
    public static string NameOf(LogLevel level) => Levels.FirstOrDefault(known => known.Level == level).Name ?? "error";

    static LogLevel Parse(string text)
    {
        foreach (var (name, level) in Levels)
        {
            if (string.Equals(name, text.Trim(), StringComparison.OrdinalIgnoreCase))
                return level;
        }

        throw new ConfigException(
            $"The environment variable {LevelVariable} must be {string.Join(", ", Levels.Select(known => known.Name))}, not `{text}`.");
    }
}
