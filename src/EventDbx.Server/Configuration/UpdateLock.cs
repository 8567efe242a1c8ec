using EventDbx.Storage;

namespace EventDbx.Server.Configuration;

/// <summary>Keeps two processes from updating one file at the same time; the loser waits. Freed by the kernel when a process dies.</summary>
internal static class UpdateLock
{
    /// <summary>An update takes milliseconds; whoever holds the lock longer than this is not updating.</summary>
    static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(10);

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static async Task<FileStream> TakeAsync(string path, TimeProvider clock, CancellationToken cancellation)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = DurableFile.Mode;
        var since = clock.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, options);
            }
            catch (IOException busy) when (busy is not (DirectoryNotFoundException or PathTooLongException))
            {
                if (clock.GetElapsedTime(since) > WaitMax)
                    throw new ConfigException($"{path} has been held by another process for {WaitMax.TotalSeconds:0} s.", busy);
            }

            await Task.Delay(Pause, clock, cancellation).ConfigureAwait(false);
        }
    }
}
