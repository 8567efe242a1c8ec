namespace EventDbx.Backups;

/// <summary>What a file in a backup may be called: nothing that could lie outside of the directory it is unpacked into, on any platform.</summary>
internal static class BackupPath
{
    public const string Manifest = "manifest.json";
    public const string Checksums = "checksums.json";
    public const string Config = "config.toml";
    public const string Data = "data/";
    public const string Store = Data + "event_store/";

    /// <summary>Whether a path may be in an archive.</summary>
    public static bool IsAllowed(string path)
    {
        if (path != Config && !path.StartsWith(Data, StringComparison.Ordinal))
            return false;
        if (Encoding.UTF8.GetByteCount(path) > Limits.BackupPathBytesMax)
            return false;
        var parts = 0;
        foreach (var part in path.AsSpan().Split('/'))
        {
            if (++parts > Limits.BackupPathPartsMax || !IsPlainName(path.AsSpan(part)))
                return false;
        }

        return true;
    }

    /// <summary>Whether a name is that of one file or directory, and of the same one on every platform.</summary>
    public static bool IsPlainName(ReadOnlySpan<char> name)
    {
        // A dot or a space at the end does not count on Windows, and a colon or a backslash is something else there.
        if (name.IsEmpty || name[^1] is '.' or ' ' || Encoding.UTF8.GetByteCount(name) > Limits.BackupNameBytesMax)
            return false;
        foreach (var c in name)
        {
            if (c is '/' or '\\' or ':' or '\uFFFD' || char.IsControl(c))
                return false;
        }

        return true;
    }

    /// <summary>Holds the files of a manifest against every rule: names, sizes, no two in one place.</summary>
    /// <exception cref="RefusedException">Names the first that breaks one.</exception>
    public static void CheckAll(IReadOnlyList<BackupFile> files, bool hasBase)
    {
        if (files.Count > Limits.BackupFilesMax)
            throw Damage.Of($"its manifest has {files.Count} files, and at most {Limits.BackupFilesMax} are taken");
        // True: a file. Two names that differ in case alone are one on some file systems.
        var places = new Dictionary<string, bool>(StringComparer.OrdinalIgnoreCase);
        var total = 0L;
        foreach (var file in files)
        {
            if (file is null)
                throw Damage.Of("its manifest has null for a file");
            if (!IsAllowed(file.Path))
                throw Damage.Of($"its manifest has a file {Damage.Quote(file.Path)}, which is no name of a file under data/");
            if (file.Size < 0 || file.Size > Limits.BackupBytesMax || (total += file.Size) > Limits.BackupBytesMax)
                throw Damage.Of($"{Damage.Quote(file.Path)} has an impossible size of {file.Size} bytes");
            if (file.InBase && (!hasBase || !Hash32.TryParse(file.Sha256, out _)))
                throw Damage.Of($"{Damage.Quote(file.Path)} is said to be in a base, but {(hasBase ? "without its SHA-256" : "there is none")}");
            for (var at = file.Path.IndexOf('/', StringComparison.Ordinal); at > 0; at = file.Path.IndexOf('/', at + 1))
            {
                if (places.TryGetValue(file.Path[..at], out var isFile) && isFile)
                    throw Damage.Of($"its manifest has {Damage.Quote(file.Path[..at])} as a file and as a directory");
                places[file.Path[..at]] = false;
            }

            if (!places.TryAdd(file.Path, true))
                throw Damage.Of($"its manifest has {Damage.Quote(file.Path)} twice");
        }
    }
}

/// <summary>An archive that is not as it was written.</summary>
static class Damage
{
    public static RefusedException Of(string what) => new(RefusalCode.IntegrityViolation, $"The backup is damaged or was changed: {what}.");

    /// <summary>A name out of an archive, short and without control characters.</summary>
    public static string Quote(string name)
    {
        var shown = new StringBuilder("`");
        foreach (var c in name.AsSpan(0, Math.Min(name.Length, 120)))
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        return shown.Append(name.Length > 120 ? "…`" : "`").ToString();
    }
}
