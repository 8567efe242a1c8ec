namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Bytes of a configuration file. Thousands of remotes have room.</summary>
    public const int ConfigBytesMax = 16 * 1024 * 1024;

    /// <summary>Remotes and plugins, each: more than anybody runs. Their lists go in one answer.</summary>
    public const int PeersMax = 1_000;
}
