namespace EventDbx.Server.Plugins.Install;

/// <summary>A program that process plugins can be: a record of <c>plugins/registry.json</c>.</summary>
public sealed record InstalledPlugin
{
    public required string Name { get; init; }

    public required string Version { get; init; }

    /// <summary>For which machines: <see cref="PluginTarget"/>.</summary>
    public required string Target { get; init; }

    /// <summary>Absolute: <c>&lt;data_dir&gt;/plugins/&lt;name&gt;/&lt;version&gt;/&lt;target&gt;</c>.</summary>
    public required string InstallDirectory { get; init; }

    /// <summary>Absolute, in that directory.</summary>
    public required string BinaryPath { get; init; }

    /// <summary>Whence it came; null: nobody said.</summary>
    public PluginSource? Source { get; init; }

    /// <summary>SHA-256 of what was fetched, in small hex; null where none was demanded.</summary>
    public string? Checksum { get; init; }

    public required Timestamp InstalledAt { get; init; }
}

/// <summary>Whence a plugin came.</summary>
/// <param name="IsRemote">From an address, and not from a file.</param>
/// <param name="Place">The path, or the address after redirects.</param>
public sealed record PluginSource(bool IsRemote, string Place);
