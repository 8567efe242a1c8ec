using System.Globalization;
using EventDbx.Server.Daemon;
using EventDbx.Storage;

namespace EventDbx.Server.Health;

/// <summary>What the machine has for a data directory. Everything is null where the system does not tell.</summary>
public sealed record HostFacts
{
    /// <summary>Bytes that may yet be written to the file system of the directory.</summary>
    public long? FreeBytes { get; init; }

    /// <summary>Files that may yet be made on it; null too where it does not count them.</summary>
    public long? FreeFiles { get; init; }

    /// <summary>The kind of that file system, as the system names it: <c>ext4</c>, <c>nfs4</c>, <c>overlay</c>.</summary>
    public string? FileSystem { get; init; }

    /// <summary>Files and connections that the server, or one that is started now, may have open at once.</summary>
    public long? OpenFilesMax { get; init; }

    /// <summary>Bytes of memory that this process may have, limits of its container included.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Whether the kernel was told that something keeps the clock right. Not everything that does tells it.</summary>
    public bool? ClockIsKept { get; init; }

    /// <summary>Those of this machine.</summary>
    /// <param name="directory">The data directory; where it is not there yet, the next one above it counts.</param>
    /// <param name="server">The process of the server that has it open; null: none does.</param>
    public static HostFacts Of(string directory, int? server)
    {
        var place = Path.GetFullPath(directory);
        while (!Directory.Exists(place) && Path.GetDirectoryName(place) is { } above)
            place = above;
        return new()
        {
            FreeBytes = OfDrive<long?>(place, static drive => drive.AvailableFreeSpace),
            FreeFiles = OperatingSystem.IsWindows() ? null : Posix.FreeFiles(place),
            FileSystem = OperatingSystem.IsLinux() ? FileSystemOf(Text("/proc/self/mounts"), RealPathOf(place)) : OfDrive(place, static drive => drive.DriveFormat),
            OpenFilesMax = OperatingSystem.IsWindows() ? null
                : OperatingSystem.IsLinux() ? OpenFilesOf(Text(string.Create(CultureInfo.InvariantCulture, $"/proc/{server ?? Environment.ProcessId}/limits"))) : Posix.DescriptorsMax(),
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes is > 0 and var bytes ? bytes : null,
            ClockIsKept = OperatingSystem.IsWindows() ? null : Posix.ClockIsKept(),
        };
    }

    /// <summary>Mounts are named by where they are, not by the links that lead there.</summary>
    static string RealPathOf(string place)
    {
        try
        {
            return RealPath.Of(place);
        }
        catch (Exception untold) when (untold is IOException or UnauthorizedAccessException)
        {
            return place;
        }
    }

    /// <summary>The kind of the file system that a path lies on: of the mount that is nearest above it, the last one where several lie there.</summary>
    /// <param name="mounts">As in <c>/proc/self/mounts</c>: device, place, kind and more, with spaces between and escapes in octal.</param>
    /// <param name="path">Absolute.</param>
    public static string? FileSystemOf(string mounts, string path)
    {
        (int Length, string? Kind) nearest = (-1, null);
        foreach (var line in mounts.Split('\n'))
        {
            if (line.Split(' ') is not [_, var escaped, var kind, ..])
                continue;
            var place = escaped.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
                .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);
            var holds = place == "/" || path == place || path.StartsWith(place + "/", StringComparison.Ordinal);
            if (holds && place.Length >= nearest.Length)
                nearest = (place.Length, kind);
        }

        return nearest.Kind;
    }

    /// <summary>How many files a process may open, from <c>/proc/PID/limits</c>: the hard limit, for the server raises its own to it.</summary>
    public static long? OpenFilesOf(string limits)
    {
        const string Name = "Max open files";
        foreach (var line in limits.Split('\n'))
        {
            if (line.StartsWith(Name, StringComparison.Ordinal) && line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var hard, ..])
                return hard == "unlimited" ? long.MaxValue : long.TryParse(hard, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
        }

        return null;
    }

    /// <summary>What a drive says of itself; null where it says nothing. It may go, or close, between two questions.</summary>
    internal static T? OfDrive<T>(string place, Func<DriveInfo, T> ask)
    {
        try
        {
            var drive = new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(place)! : place);
            return drive.IsReady ? ask(drive) : default;
        }
        catch (Exception untold) when (untold is ArgumentException or IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception untold) when (untold is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
