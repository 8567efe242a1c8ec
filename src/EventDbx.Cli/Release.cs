using System.Reflection;

namespace EventDbx.Cli;

/// <summary>Which EventDBX this is.</summary>
internal static class Release
{
    /// <summary>As in <c>2.1.0</c> or <c>2.1.0-dev</c>.</summary>
    public static string Version { get; } =
        (typeof(Release).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown").Split('+')[0];
}
