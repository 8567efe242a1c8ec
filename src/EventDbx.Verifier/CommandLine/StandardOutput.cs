using Microsoft.Win32.SafeHandles;

namespace EventDbx.Verifier.CommandLine;

/// <summary>Where answers go.</summary>
internal static class StandardOutput
{
    /// <summary>A stream that fails when its reader is gone.</summary>
    public static Stream Open()
    {
        var console = Console.OpenStandardOutput();
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected)
            return console;
        // The console's stream is silent about a pipe that nobody reads. A file's stream is not; but it writes to places in a file,
        // so that a second program on the same file would write over it: this is for pipes only.
        try
        {
            var pipe = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            return pipe.CanSeek ? console : pipe;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return console;
        }
    }
}
