namespace EventDbx.Server.Plugins.Install;

/// <summary>What a bundle may have in it. One reading of one bundle.</summary>
/// <remarks>
/// Names are those that mean the same file on every system: printable ASCII, relative, with <c>/</c>, no component that is empty, <c>..</c>, a device of
/// Windows, or ends with a dot or space; no two that differ in case alone. Files and directories, and nothing that points elsewhere.
/// </remarks>
/// <param name="bundleBytes">How large the bundle is.</param>
internal sealed class BundleRules(long bundleBytes)
{
    const int ComponentCharactersMax = 255;
    const string NotPortable = "\\:<>\"|?*";
    static readonly System.Buffers.SearchValues<char> s_notPortable = System.Buffers.SearchValues.Create(NotPortable);

    /// <summary>By the path in small letters: as it is spelt, and whether it is a directory.</summary>
    readonly Dictionary<string, (string Path, bool IsDirectory)> _known = [];
    int _entries;
    long _said;

    /// <summary>Bytes that may come out of it: a bomb stops there.</summary>
    public long BytesMax { get; } = Math.Min(ServerLimits.PluginUnpackedBytesMax, Math.Max(ServerLimits.PluginUnpackedFreeBytes, bundleBytes * ServerLimits.PluginUnpackedRatioMax));

    /// <summary>Bytes that came out of it so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Its files, in the order of their paths.</summary>
    public IEnumerable<string> Files => _known.Values.Where(known => !known.IsDirectory).Select(known => known.Path).Order(StringComparer.Ordinal);

    /// <summary>Lets an entry in.</summary>
    /// <returns>Its path relative to where it is unpacked; empty for that directory itself.</returns>
    /// <exception cref="RefusedException">Its name, kind or size, or that there are so many.</exception>
    public string Admit(BundleEntry entry)
    {
        if (++_entries > ServerLimits.PluginEntriesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The bundle has more than {ServerLimits.PluginEntriesMax} entries.");
        if (entry.Strange is { } strange)
            throw Refused(entry.Name, $"is {strange}; only files and directories are unpacked");
        var path = PathOf(entry.Name);
        if (entry.Length < 0 || (_said += entry.Length) > BytesMax)
            throw TooMuch();
        if (path.Length == 0)
            return entry.IsDirectory ? path : throw Refused(entry.Name, "has no name");
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
            Know(entry.Name, path[..slash], isDirectory: true);
        if (!Know(entry.Name, path, entry.IsDirectory) && !entry.IsDirectory)
            throw Refused(entry.Name, "is there twice");
        return path;
    }

    /// <summary>Counts bytes that came out.</summary>
    public void Count(int bytes)
    {
        if ((Bytes += bytes) > BytesMax)
            throw TooMuch();
    }

    /// <summary>Whether a file may be named so.</summary>
    /// <exception cref="RefusedException">It may not.</exception>
    public static void CheckName(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal) || Fault(name) is not null)
            throw new RefusedException(RefusalCode.InvalidName, $"--bin is the name of a file, without its directory; \"{Rest.Shown.Of(name)}\" is not that.");
    }

    /// <summary>True: it was not known yet.</summary>
    bool Know(string entry, string path, bool isDirectory)
    {
        if (_known.TryAdd(path.ToLowerInvariant(), (path, isDirectory)))
            return true;
        var known = _known[path.ToLowerInvariant()];
        if (known.Path != path)
            throw Refused(entry, $"differs from \"{Rest.Shown.Of(known.Path)}\" in case alone");
        return known.IsDirectory == isDirectory ? false : throw Refused(entry, "is a file and a directory");
    }

    static string PathOf(string name)
    {
        if (name.Length > ServerLimits.PluginEntryNameBytesMax)
            throw Refused(name, $"has a name of more than {ServerLimits.PluginEntryNameBytesMax} bytes");
        // As `tar -C directory .` writes them.
        var path = name.AsSpan();
        if (path.StartsWith("./"))
            path = path[2..];
        if (path.EndsWith('/'))
            path = path[..^1];
        if (path.IsEmpty || path is ".")
            return "";
        var depth = 0;
        foreach (var range in path.Split('/'))
        {
            if (Fault(path[range]) is { } fault)
                throw Refused(name, fault);
            if (++depth > ServerLimits.PluginEntryDepthMax)
                throw Refused(name, $"is deeper than {ServerLimits.PluginEntryDepthMax} directories");
        }

        return path.ToString();
    }

    static string? Fault(ReadOnlySpan<char> component)
    {
        if (component.IsEmpty)
            return "begins with '/', or has an empty directory in its path";
        if (component is "." or "..")
            return "has '.' or '..' in its path";
        if (component.Length > ComponentCharactersMax)
            return $"has a component of more than {ComponentCharactersMax} characters";
        if (component.ContainsAnyExceptInRange(' ', '~'))
            return "has characters beyond ASCII, or control characters, in its name";
        if (component.ContainsAny(s_notPortable))
            return $"has one of {NotPortable} in its name";
        if (component[^1] is '.' or ' ')
            return "has a component that ends with a dot or space";
        return PluginNames.IsDevice(component) ? "is named like a device" : null;
    }

    RefusedException TooMuch() => new(RefusalCode.LimitExceeded,
        $"The bundle of {bundleBytes} bytes unpacks to more than {BytesMax}: at most {ServerLimits.PluginUnpackedBytesMax}, and {ServerLimits.PluginUnpackedRatioMax} times its own size, are unpacked.");

    static RefusedException Refused(string name, string why) => new(RefusalCode.InvalidArgument, $"The bundle is not unpacked: \"{Rest.Shown.Of(name)}\" {why}.");
}
