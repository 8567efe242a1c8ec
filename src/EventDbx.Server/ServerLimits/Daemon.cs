namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How much more time a service manager is asked for while a server starts; it is asked again after a third of it. A process that stands still is ended after this.</summary>
    public static readonly TimeSpan ServiceStartExtension = TimeSpan.FromSeconds(30);

    /// <summary>How long a service manager may leave what it is told where it is; then it is not told.</summary>
    public static readonly TimeSpan ServiceNoticeWait = TimeSpan.FromSeconds(2);
}
