using EventDbx.Recovery;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Verification;

/// <summary>Verifies the store of a data directory that nobody has open, read-only, and without its key.</summary>
/// <remarks>
/// For whoever looks after the disk and must not read what is on it. Of an encrypted store it checks what binds history together:
/// positions, batches, control entries, the leaf hashes in the index against the log tree and its tiles, each aggregate's chain
/// of roots, heads, digests of states, event ids, checksums. What is sealed stays closed: payloads, and with them what only the
/// leaf hash binds (event types, ids, actors, notes), states and remembered states. Of a plain store it checks everything.
/// </remarks>
public static class StoreAudit
{
    /// <summary>Verifies. Not a byte of the store is written; its directory is locked meanwhile.</summary>
    /// <param name="options">Which directory, how long to wait for it, how to check a store that was not closed. Its key is not used.</param>
    /// <param name="progress">Told after each page of rows.</param>
    /// <param name="cancellation">Ends it between pages of rows; it cannot be resumed.</param>
    /// <exception cref="StoreRefusedException">In use, missing, damaged, of another format.</exception>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>, naming what differs and where.</exception>
    public static VerifyAllResult Run(DatabaseOptions options, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        using var held = Database.Hold(directory.Path, options.Holder, options.LockTimeout);
        DirectorySwap.Complete(directory, options);
        using var watermark = Watermark.Open(directory.Watermark);
        OpenStore.CheckFiles(options, directory, watermark);
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
            return Run(engine, ReadRow(engine, directory.Path), watermark, options.Clock, progress, cancellation);
        }
        catch (StorageFailedException cause)
        {
            throw new StoreRefusedException($"The store in {directory.Path} was not opened: {cause.Message}", cause);
        }
    }

    static VerifyAllResult Run(
        RocksDbEngine engine, StoreRow row, Watermark watermark, TimeProvider clock, IProgress<VerifyProgress>? progress, CancellationToken cancellation) =>
        StoreVerifier.Run(
            new()
            {
                Engine = engine, Identity = new(row.DatabaseId, row.Epoch), Encrypted = row.Encrypted,
                Keyring = row.Encrypted ? null : new(null, new(), 0), ReadWatermark = () => watermark.Newest, Clock = clock,
            },
            resume: false, progress, cancellation);

    static StoreRow ReadRow(RocksDbEngine engine, string path)
    {
        using var view = engine.OpenView();
        var row = Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body ? StoreRow.TryRead(body) : null;
        if (row is null)
            throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
        return row.Format == StoreRow.CurrentFormat ? row : throw OpenStore.OtherFormat(row, path);
    }
}
