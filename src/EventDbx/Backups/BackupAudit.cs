using EventDbx.Documents;
using EventDbx.Storage.RocksDb;
using EventDbx.Verification;

namespace EventDbx.Backups;

/// <summary>Verifies an unpacked backup: every hash, against the log, and the log against the manifest.</summary>
public static class BackupAudit
{
    /// <summary>Verifies. Not a byte of it is changed.</summary>
    /// <param name="contents">What was unpacked.</param>
    /// <param name="key">The data key; null: what is sealed stays closed, and the rest is verified.</param>
    /// <param name="further">Keys that may be the one instead: the next one, and those before.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="noteVerifier">Whether a signed note is good under a vkey; null: what a mirror's leader signed is held against the log alone.</param>
    /// <param name="progress">Told after each page of rows.</param>
    /// <param name="cancellation">Ends it between pages of rows.</param>
    /// <param name="check">Looks at the store before it is opened here, where a hang or a crash can be survived; null: it is trusted so far.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.IntegrityViolation"/>, naming what differs and where. <see cref="RefusalCode.InvalidArgument"/>: a store of another format, or none of the keys opens it.
    /// </exception>
    public static VerifyAllResult Run(
        BackupContents contents, DataKey? key, IReadOnlyList<DataKey> further, TimeProvider clock, Func<string, Checkpoints.SignedNote, bool>? noteVerifier,
        IProgress<VerifyProgress>? progress, CancellationToken cancellation, StoreCheck? check = null)
    {
        if (check is not null)
            CheckBefore(contents, check);
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(Path.Combine(contents.DataDirectory, "event_store"), new());
            return Run(engine, contents, key, further, clock, noteVerifier, progress, cancellation);
        }
        catch (StorageFailedException cause)
        {
            throw Damage.Of($"its store does not open ({cause.Message})");
        }
    }

    static VerifyAllResult Run(
        RocksDbEngine engine, BackupContents contents, DataKey? key, IReadOnlyList<DataKey> further, TimeProvider clock, Func<string, Checkpoints.SignedNote, bool>? noteVerifier,
        IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        var row = ReadRow(engine);
        CompareStore(engine, row, contents.Manifest);
        using var keys = row.Encrypted ? KeysOf(row, key, further, contents.DataDirectory) : null;
        var keyring = row.Encrypted && keys is null ? null : new Keyring(keys, new(), Limits.HeadCacheDefault);
        var result = StoreVerifier.Run(
            new()
            {
                Engine = engine, Identity = new(row.DatabaseId, row.Epoch), Encrypted = row.Encrypted, Keyring = keyring, ReadWatermark = null, Clock = clock, NoteVerifier = noteVerifier,
            },
            resume: false, progress, cancellation);
        if (result.LogSize != contents.Manifest.LogSize || result.LogRoot.ToString() != contents.Manifest.LogRoot)
            throw Damage.Of($"its log has {result.LogSize} entries of root {result.LogRoot}, and its manifest says {contents.Manifest.LogSize} of root {contents.Manifest.LogRoot}");
        if (keys is not null || !row.Encrypted)
            OpenDocuments(engine, contents.DataDirectory, keys);
        return result;
    }

    static void CheckBefore(BackupContents contents, StoreCheck check)
    {
        var (manifest, watermark) = (contents.Manifest, new DataDirectory(contents.DataDirectory).Watermark);
        if (File.Exists(watermark) || !Hash32.TryParse(manifest.LogRoot, out var root))
            throw Damage.Of("it has a file `watermark`, which is in no backup");
        Watermark.Replace(watermark, new StoreIdentity(manifest.DatabaseId, manifest.Epoch).Slot(new(manifest.LogSize, root)));
        try
        {
            if (check.Run(contents.DataDirectory, new DatabaseOptions { Directory = contents.DataDirectory }.CheckLimit) is { } refusal)
                throw Damage.Of($"its store is not as its manifest says: {refusal}");
        }
        finally
        {
            File.Delete(watermark);
        }
    }

    static StoreRow ReadRow(RocksDbEngine engine)
    {
        using var view = engine.OpenView();
        var row = StoreRow.Find(view) ?? throw Damage.Of("its store does not say what it is");
        return row.Format == StoreRow.CurrentFormat ? row : throw new RefusedException(
            RefusalCode.InvalidArgument, $"The store in the backup has format {row.Format}; this version reads format {StoreRow.CurrentFormat}. Use the version that made it.");
    }

    static void CompareStore(RocksDbEngine engine, StoreRow row, BackupManifest manifest)
    {
        using var view = engine.OpenView();
        var log = LogTreeStore.LoadFrontier(view);
        if ((row.Format, row.DatabaseId, row.Epoch, row.Encrypted, row.Mirror) != (manifest.StorageFormat, manifest.DatabaseId, manifest.Epoch, manifest.Encrypted, manifest.Standing == BackupManifest.Mirror))
            throw Damage.Of($"its store is database {row.DatabaseId}, epoch {row.Epoch}, and not as its manifest says");
        if (log.Size != manifest.LogSize || log.Root().ToString() != manifest.LogRoot)
            throw Damage.Of($"its log has {log.Size} entries of root {log.Root()}, and its manifest says {manifest.LogSize} of root {manifest.LogRoot}");
    }

    static DataKeys? KeysOf(StoreRow row, DataKey? key, IReadOnlyList<DataKey> further, string directory)
    {
        if (key is null)
            return null;
        var options = new DatabaseOptions { Directory = directory, Key = key, RetiredKeys = further };
        return options.KeysOf(row) ?? throw new RefusedException(RefusalCode.InvalidArgument, "The data key that was given, or that is in the backup, is not the one of the store in it.");
    }

    /// <summary>Every document that is sealed opens, and is not older than the store knows; one that the store knows of is there. In a plain store none is sealed.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: names the first of which that is not so.</exception>
    internal static void OpenDocuments(RocksDbEngine engine, string directory, DataKeys? keys)
    {
        using var view = engine.OpenView();
        var documents = new DocumentDirectory(directory, keys, new(), name => DocumentRow.Find(view, name), static (_, _) => { });
        HashSet<string> names = new(StringComparer.Ordinal);
        var prefix = Keyspace.DocumentRow("");
        byte[] end = [.. prefix.AsSpan(0, prefix.Length - 1), (byte)(prefix[^1] + 1)];
        foreach (var row in view.Range(Family.Meta, prefix, end, Limits.PageItemsMax, Limits.PageBytesMax))
            names.Add(Encoding.UTF8.GetString(row.Key.AsSpan(prefix.Length)));
        foreach (var path in Directory.EnumerateFiles(directory, "*.json"))
        {
            if (DocumentDirectory.LooksSealed(path))
                names.Add(Path.GetFileName(path));
        }

        foreach (var name in names)
            _ = documents.Read(name);
    }
}
