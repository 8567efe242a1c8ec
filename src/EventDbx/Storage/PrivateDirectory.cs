namespace EventDbx.Storage;

/// <summary>Directories that only their owner enters.</summary>
public static class PrivateDirectory
{
    const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The same, and no power cut takes away again what was made.</summary>
    /// <inheritdoc cref="Create"/>
    public static void CreateDurably(string path)
    {
        var made = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var there = made;
        while (!Directory.Exists(there) && Path.GetDirectoryName(there) is { } above)
            there = above;
        Create(made);
        for (; made.Length > there.Length; made = Path.GetDirectoryName(made)!)
            DurableFile.SyncDirectoryOf(made);
    }

    /// <summary>Makes a directory and those above it that are missing, each with mode 0700; one that exists stays as it is.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be made.</exception>
    public static void Create(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        // Level by level: the mode that CreateDirectory is given holds for the last one only, and others get what the umask leaves.
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Directory.Exists(path))
            return;
        if (Path.GetDirectoryName(path) is { } above)
            Create(above);
        Directory.CreateDirectory(path, Mode);
    }
}
