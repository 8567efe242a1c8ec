namespace EventDbx.Server.Plugins.Install;

/// <summary>What <c>dbx plugin install</c> is asked for.</summary>
public sealed record InstallRequest
{
    /// <summary>Of the plugin: a plain component of a path.</summary>
    public required string Name { get; init; }

    /// <summary>The same.</summary>
    public required string Version { get; init; }

    /// <summary>A file of this machine, or an <c>https://</c> address; <c>http://</c> only with a checksum.</summary>
    public required string Source { get; init; }

    /// <summary>The name of the file that is started; null: the only one, or the one that is named like the plugin.</summary>
    public string? Bin { get; init; }

    /// <summary>SHA-256 of what is fetched, in hex; null: it is not held against one.</summary>
    public string? Checksum { get; init; }

    /// <summary>Instead of the same version for this target, if there is one.</summary>
    public bool Force { get; init; }
}

/// <summary>What an installation is doing.</summary>
public enum InstallStep
{
    /// <summary>Bytes of the source arrive.</summary>
    Fetching,

    /// <summary>Bytes are unpacked.</summary>
    Unpacking,
}

/// <summary>How far an installation is.</summary>
/// <param name="Step">What it is doing.</param>
/// <param name="Bytes">How many of that so far.</param>
/// <param name="BytesInAll">Of how many; null where nobody says.</param>
public readonly record struct InstallProgress(InstallStep Step, long Bytes, long? BytesInAll);
