namespace EventDbx.Storage;

/// <summary>What is left of a store whose making was interrupted, before there was anything in it.</summary>
internal static class UnbornStore
{
    /// <summary>
    /// RocksDB does not open every state that a kill in its making leaves ("an existing DB with no WAL files"): begin anew. What
    /// RocksDB did not make there is somebody else's and is not touched.
    /// </summary>
    public static void Clear(DatabaseOptions options, DataDirectory directory)
    {
        if (!options.CreateIfMissing)
            throw new StoreRefusedException($"There is no store in {directory.Path}, only what is left of one whose making was interrupted.");
        var leftovers = new DirectoryInfo(directory.Store).GetFileSystemInfos();
        if (Array.Find(leftovers, static file => !IsLeftover(file)) is { } foreign)
        {
            throw new StoreRefusedException(
                $"The store in {directory.Path} was not opened: there is no store yet, but its folder `event_store` holds `{foreign.Name}`, "
                + "which the making of a store does not leave behind. Not a byte was changed. Move it elsewhere, or restore a backup.");
        }

        foreach (var file in leftovers)
            file.Delete();
    }

    /// <summary>Whether RocksDB makes such a file before there is anything in it.</summary>
    static bool IsLeftover(FileSystemInfo entry) => entry is FileInfo file && file.Name switch
    {
        "CURRENT" or "IDENTITY" or "LOCK" or "LOG" => true,
        var name when name.StartsWith("LOG.old.", StringComparison.Ordinal) => true,
        var name when name.StartsWith("MANIFEST-", StringComparison.Ordinal) || name.StartsWith("OPTIONS-", StringComparison.Ordinal) => true,
        var name when name.EndsWith(".dbtmp", StringComparison.Ordinal) => true,
        var name => name.EndsWith(".log", StringComparison.Ordinal) && file.Length == 0,
    };
}
