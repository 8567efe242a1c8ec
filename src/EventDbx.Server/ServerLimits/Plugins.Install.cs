namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Bytes of <c>plugins/registry.json</c>: thousands of versions have room.</summary>
    public const int PluginRegistryBytesMax = 4 * 1024 * 1024;

    /// <summary>Bytes of a bundle that is installed: a program with its runtime and a model has a fraction of it.</summary>
    public const long PluginBundleBytesMax = 512L * 1024 * 1024;

    /// <summary>Bytes that a bundle may have unpacked.</summary>
    public const long PluginUnpackedBytesMax = 2L * 1024 * 1024 * 1024;

    /// <summary>How many times its bytes a bundle may have unpacked, beyond <see cref="PluginUnpackedFreeBytes"/>: programs have three, logs twenty; bombs a thousand.</summary>
    public const int PluginUnpackedRatioMax = 200;

    /// <summary>Bytes that any bundle may have unpacked, however small it is: small files of zeros are no bomb.</summary>
    public const long PluginUnpackedFreeBytes = 64L * 1024 * 1024;

    /// <summary>Files and directories of a bundle: a program with all packages of an interpreter has tens of thousands.</summary>
    public const int PluginEntriesMax = 100_000;

    /// <summary>Directories within each other in a bundle.</summary>
    public const int PluginEntryDepthMax = 32;

    /// <summary>Bytes of a path in a bundle: with the data directory in front it stays beneath the 4,096 of the system.</summary>
    public const int PluginEntryNameBytesMax = 1024;

    /// <summary>How long a bundle may take to be fetched, redirects included: the largest at 900 KB a second.</summary>
    public static readonly TimeSpan PluginFetchTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Redirects that are followed to a bundle: release pages need one or two.</summary>
    public const int PluginFetchRedirectsMax = 5;

    /// <summary>How long an installation waits for another one in the same directory.</summary>
    public static readonly TimeSpan PluginInstallLockTimeout = TimeSpan.FromSeconds(30);
}
