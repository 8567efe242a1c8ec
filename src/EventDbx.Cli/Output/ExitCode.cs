namespace EventDbx.Cli.Output;

/// <summary>What a shell learns.</summary>
internal enum ExitCode
{
    Done = 0,

    /// <summary>Something went wrong, or was refused.</summary>
    Failed = 1,

    /// <summary>The command line does not say what to do.</summary>
    Usage = 2,

    /// <summary>A verification found that something is not what it was.</summary>
    Difference = 3,

    /// <summary>The directory was not opened, and nothing in it was changed.</summary>
    Refused = 4,
}
