namespace EventDbx.Storage;

/// <summary>Where a path leads, every link on its way followed; what does not exist yet is taken as it is written.</summary>
public static class RealPath
{
    const int LinksMax = 40;

    /// <summary>The path, without a link in it.</summary>
    /// <exception cref="IOException">Its links lead nowhere.</exception>
    public static string Of(string path) => Of(Path.GetFullPath(path), LinksMax);

    /// <summary>Whether a path is a directory, or below it.</summary>
    public static bool IsWithin(string path, string directory)
    {
        var (inner, outer) = (Of(path), Path.TrimEndingDirectorySeparator(Of(directory)));
        return inner.Equals(outer, Compare) || inner.StartsWith(outer + Path.DirectorySeparatorChar, Compare);
    }

    /// <summary>Whether two paths lead to the same place.</summary>
    public static bool IsSame(string path, string other) => Of(path).Equals(Of(other), Compare);

    static StringComparison Compare => OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    static string Of(string path, int left)
    {
        var at = Path.GetPathRoot(path)!;
        foreach (var part in path[at.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            at = Path.Combine(at, part);
            if (new FileInfo(at).LinkTarget is not { } target)
                continue;
            at = left > 0 ? Of(Path.GetFullPath(target, Path.GetDirectoryName(at)!), left - 1) : throw new IOException($"The links in {path} lead nowhere.");
        }

        return at;
    }
}
