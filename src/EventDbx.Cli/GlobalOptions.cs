namespace EventDbx.Cli;

/// <summary>The options that stand anywhere on a command line.</summary>
internal static class GlobalOptions
{
    public static Option<string> Config { get; } = new("--config")
    {
        HelpName = "PATH",
        Description = "The configuration file (default: ~/.eventdbx/config.toml).",
        Recursive = true,
    };

    public static Option<string> DataDir { get; } = new("--data-dir")
    {
        HelpName = "PATH",
        Description = "The data directory, for this command only (default: `data_dir` of the configuration).",
        Recursive = true,
    };

    public static Option<TimeSpan?> LockTimeout { get; } = new("--lock-timeout")
    {
        HelpName = "SECONDS",
        Description = "How long to wait for a data directory that another process has open (default: 5).",
        Recursive = true,
        CustomParser = Options.Seconds,
    };

    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON, failures too.",
        Recursive = true,
    };

    public static Option<bool> Help { get; } = new("--help", "-h")
    {
        Description = "Print this help.",
        Recursive = true,
    };

    public static Option<bool> Version { get; } = new("--version", "-V")
    {
        Description = "Print the version.",
    };

    public static IReadOnlyList<Option> Anywhere { get; } = [Config, DataDir, LockTimeout, .. RemoteServer.All, Json, Help];
}
