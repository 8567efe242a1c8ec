using System.Security.Cryptography;
using EventDbx.Server.Daemon;
using EventDbx.Storage;

namespace EventDbx.Server.Upgrades;

/// <summary>Which of the versions beside each other is the one that <c>dbx</c> means: the only file that knows how that is written down.</summary>
/// <remarks>
/// <code>
/// PREFIX/bin/dbx -> ../lib/eventdbx/current/dbx          Windows: dbx.cmd, which names the version itself
/// PREFIX/lib/eventdbx/current -> 2.2.0                   Windows: there is none
/// PREFIX/lib/eventdbx/2.2.0/dbx, its libraries …
/// PREFIX/lib/eventdbx/2.1.0/…
/// </code>
/// As install.sh and install.ps1 make it: links need rights on Windows that not everybody has.
/// </remarks>
internal static class CurrentVersion
{
    const string LinkName = "current";
    const string CallBegin = "@\"%~dp0..\\lib\\eventdbx\\";
    const int CallBytesMax = 4096;

    /// <summary>The name of its directory; null: these are no versions beside each other.</summary>
    public static string? Find(string root)
    {
        if (!OperatingSystem.IsWindows())
            return new FileInfo(Path.Combine(root, LinkName)).LinkTarget is { } target ? Path.GetFileName(Path.TrimEndingDirectorySeparator(target)) : null;
        return DurableFile.Read(CallOf(root, "dbx"), CallBytesMax) is { } bytes && Encoding.UTF8.GetString(bytes) is var call && call.StartsWith(CallBegin, StringComparison.Ordinal)
            ? call[CallBegin.Length..].Split('\\')[0] : null;
    }

    /// <summary>Means another one from now on, in one step: whoever starts <c>dbx</c> gets the one or the other.</summary>
    /// <param name="root">The directory of the versions.</param>
    /// <param name="name">Of its directory.</param>
    /// <param name="reached">Told of the step between; null: nobody.</param>
    public static void Replace(string root, string name, Action<string>? reached = null)
    {
        if (OperatingSystem.IsWindows())
        {
            // The one that counts comes last.
            foreach (var program in (string[])["dbx-verify", "dbx"])
            {
                if (File.Exists(CallOf(root, program)))
                    DurableFile.Write(CallOf(root, program), Encoding.ASCII.GetBytes($"{CallBegin}{name}\\{program}.exe\" %*\r\n"));
            }

            return;
        }

        var temporary = Path.Combine(root, $".{LinkName}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        File.CreateSymbolicLink(temporary, name);
        try
        {
            reached?.Invoke("linked");
            Posix.Rename(temporary, Path.Combine(root, LinkName));
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        DurableFile.SyncDirectoryOf(Path.Combine(root, LinkName));
    }

    /// <summary>Removes what a replacement that was killed has left.</summary>
    public static void CleanUp(string root)
    {
        if (OperatingSystem.IsWindows())
        {
            DurableFile.CleanUp(CallOf(root, "dbx"));
            DurableFile.CleanUp(CallOf(root, "dbx-verify"));
            return;
        }

        foreach (var left in Directory.EnumerateFileSystemEntries(root, $".{LinkName}-*"))
            File.Delete(left);
    }

    static string CallOf(string root, string program) => Path.GetFullPath(Path.Combine(root, "..", "..", "bin", program + ".cmd"));
}
