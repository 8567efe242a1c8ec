using EventDbx.Storage.RocksDb;

namespace EventDbx.Storage;

/// <summary>A store that was opened for writing: lock, engine, watermark.</summary>
internal sealed class OpenStore
{
    /// <summary>Bytes of write-ahead log left behind at a stop; more is flushed to tables first, so that the next open is quick.</summary>
    const long WalBytesLeft = 4 * 1024 * 1024;

    /// <summary>Files of write-ahead log left behind: each open begins a new one, and short commands would pile them up.</summary>
    const int WalFilesLeft = 8;

    /// <summary>Entries between two synced watermarks: what a check after a crash has to count.</summary>
    const ulong EntriesBetweenSyncedMarks = 100_000;

    /// <summary>How long a close waits for reads that are under way.</summary>
    static readonly TimeSpan ReadersLimit = TimeSpan.FromSeconds(10);

    readonly DataDirectory _directory;
    readonly DirectoryLock _lock;
    readonly Watermark _watermark;
    volatile StoreIdentity _identity;
    ulong _syncedMark;

    OpenStore(DataDirectory directory, DirectoryLock held, Watermark watermark, RocksDbEngine engine, StoreRow row)
    {
        (_directory, _lock, _watermark, Engine, Row) = (directory, held, watermark, engine, row);
        _identity = new(row.DatabaseId, row.Epoch);
    }

    public RocksDbEngine Engine { get; }

    public StoreRow Row { get; }

    /// <summary>It is open, and everything above it, too: what an exchange of stores has put aside for it is deleted.</summary>
    public void EndSwap(Action<string>? reached) => DirectorySwap.Finish(_directory, _identity, reached);

    /// <summary>Opens a directory; see <see cref="Database.Open"/>.</summary>
    public static OpenStore Open(DatabaseOptions options)
    {
        var directory = new DataDirectory(System.IO.Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !options.CreateIfMissing && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        // A refused open makes nothing, not even the directory.
        if (options is { Encrypted: true, Key: null } && directory.IsNew)
            throw NeedsKey();
        var held = options.Held;
        try
        {
            CreatePrivate(directory.Path);
            if (held is null && !DirectoryLock.TryAcquire(directory.Lock, options.Holder, options.LockTimeout, options.Clock, out held, out var why, options.Socket))
                throw new StoreRefusedException(why) { InUse = true };
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException($"The data directory {directory.Path} cannot be used: {cause.Message}", cause);
        }

        try
        {
            return Open(options, directory, held);
        }
        catch (Exception cause)
        {
            held.Dispose();
            if (cause is IOException or UnauthorizedAccessException)
                throw new StoreRefusedException($"The store in {directory.Path} was not opened: {cause.Message}", cause);
            throw;
        }
    }

    static OpenStore Open(DatabaseOptions options, DataDirectory directory, DirectoryLock held)
    {
        DirectorySwap.Complete(directory, options);
        options.Locked?.Invoke();
        var watermark = Watermark.Open(directory.Watermark);
        RocksDbEngine? engine = null;
        try
        {
            var unborn = StoreInspection.IsUnborn(directory, watermark);
            var crashed = false;
            if (directory.HasStore && !unborn)
                crashed = !CheckBefore(options, directory, watermark);
            else if (Directory.Exists(directory.Rebuilt))
                throw new StoreRefusedException($"The store in {directory.Path} is between two places: a recovery was interrupted. Run `dbx recover --accept-loss` again; it ends what it began.");
            else if (File.Exists(directory.Inventory))
                throw new StoreRefusedException($"The store in {directory.Path} is gone: the inventory of its last stop is still there. Put the folder `event_store` back, or restore a backup.");
            else if (watermark.Newest is { LogSize: > 0 } mark)
                throw new StoreRefusedException($"The store in {directory.Path} is gone: its watermark says that {mark.LogSize} entries were synced. Put the folder `event_store` back, or restore a backup.");
            else if (options is { Encrypted: true, Key: null })
                throw NeedsKey();
            if (unborn)
                UnbornStore.Clear(options, directory);
            BreakSeal(directory, watermark);
            CreatePrivate(directory.Store);
            engine = RocksDbEngine.Open(directory.Store, new() { CreateIfMissing = true, EnableStatistics = options.EnableStatistics });
            var row = ReadRow(engine, options, directory.Path);
            // What a crash left in the write-ahead log may only be in the kernel's memory, and after a failed sync not even
            // there for good. The watermark must not speak of it before it lies in tables, which are synced as they are made.
            if (crashed)
                engine.FlushMemtables();
            var store = new OpenStore(directory, held, watermark, engine, row);
            store.Begin();
            return store;
        }
        catch (Exception cause)
        {
            engine?.Dispose();
            watermark.Dispose();
            if (cause is StorageFailedException or RefusedException)
                throw new StoreRefusedException($"The store in {directory.Path} was not opened: {cause.Message}", cause);
            throw;
        }
    }

    /// <summary>After a clean stop: is it byte for byte what was left? Then true. After any other: the check, and false.</summary>
    /// <exception cref="StoreRefusedException">It was changed, or something is missing.</exception>
    static bool CheckBefore(DatabaseOptions options, DataDirectory directory, Watermark watermark)
    {
        if (!CheckFiles(options, directory, watermark))
        {
            CheckRowReadOnly(options, directory);
            return false;
        }

        // The key is held against the store before RocksDB opens it: a refusal changes not a byte.
        if (StoreInventory.ReadStoreRow(directory.Inventory) is { Length: > 0 } sealedRow && StoreRow.TryRead(sealedRow) is { } row)
            Vet(row, options, directory.Path);
        return true;
    }

    /// <summary>The same, whoever asks: without holding a key against it.</summary>
    /// <exception cref="StoreRefusedException">It was changed, or something is missing.</exception>
    public static bool CheckFiles(DatabaseOptions options, DataDirectory directory, Watermark watermark)
    {
        if (watermark.StoppedCleanly && File.Exists(directory.Inventory))
        {
            if (!StoreInventory.Matches(directory.Inventory, directory.Store, out var difference))
            {
                throw new StoreRefusedException(
                    $"The store in {directory.Path} was changed since it was closed. {difference} Nothing was opened and nothing was written. "
                    + "Put the files back as they were, restore a backup, or run `dbx recover` to see what is left.");
            }

            return true;
        }

        options.Progress?.Invoke("The store was not closed; checking that nothing is missing.");
        if (options.Check.Run(directory.Path, options.CheckLimit) is { } refusal)
        {
            throw new StoreRefusedException(
                $"The store in {directory.Path} was not opened: {refusal}. Not a byte was changed. "
                + "Restore a backup, or run `dbx recover` to see what is left and `dbx recover --accept-loss` to go on with it.");
        }

        return false;
    }

    /// <summary>
    /// RocksDB writes as soon as it opens, whatever becomes of this open: no sign of a clean stop may outlive this line, or
    /// the next open would take our own doing for somebody else's.
    /// </summary>
    static void BreakSeal(DataDirectory directory, Watermark watermark)
    {
        if (watermark.Synced is { Clean: true } mark)
            watermark.WriteSynced(mark, clean: false);
        StoreInventory.Delete(directory.Inventory);
    }

    /// <summary>The same after an unclean stop, when the check has shown that a read-only open is safe.</summary>
    static void CheckRowReadOnly(DatabaseOptions options, DataDirectory directory)
    {
        if (!File.Exists(Path.Combine(directory.Store, "CURRENT")))
            return; // A crash while it was being made: there is no row yet.
        using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
        using var view = engine.OpenView();
        if (Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body && StoreRow.TryRead(body) is { } row)
            Vet(row, options, directory.Path);
    }

    static StoreRow ReadRow(RocksDbEngine engine, DatabaseOptions options, string path)
    {
        using var view = engine.OpenView();
        if (Checked.Get(view, Family.Meta, Keyspace.StoreRow) is not { } body)
            return Create(engine, options);
        var row = StoreRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it cannot be read");
        Vet(row, options, path);
        return row;
    }

    /// <summary>Refuses a store of another format, or one that these options do not open.</summary>
    /// <exception cref="StoreRefusedException">Says which.</exception>
    public static void Vet(StoreRow row, DatabaseOptions options, string path)
    {
        if (row.Format != StoreRow.CurrentFormat)
            throw OtherFormat(row, path);
        if (row.Encrypted && options.Key is null)
            throw new StoreRefusedException($"The store in {path} is encrypted, and no key was given. Put its `data_encryption_key` back into the configuration, or give it as EVENTDBX_DEK.");
        if (row.Encrypted && !Fits(row, options))
            throw new StoreRefusedException($"The key is not the one the store in {path} was made with.");
        if (!row.Encrypted && options.Encrypted)
            throw new StoreRefusedException($"The store in {path} was made without encryption. Set encryption = \"off\" to use it as it is, or export it and import it into an encrypted one.");
    }

    static bool Fits(StoreRow row, DatabaseOptions options)
    {
        using var keys = options.KeysOf(row);
        return keys is not null;
    }

    public static StoreRefusedException OtherFormat(StoreRow row, string path) => new(
        $"The store in {path} has format {row.Format}; this version reads format {StoreRow.CurrentFormat}. Use the version that wrote it, or export there and import here.") { OtherFormat = (int)Math.Min(row.Format, int.MaxValue) };

    /// <summary>Writes what a new store is.</summary>
    /// <param name="engine">An empty one.</param>
    /// <param name="options">Its key, clock and randomness.</param>
    /// <param name="databaseId">Of a store that is built anew.</param>
    /// <param name="epoch">The same.</param>
    /// <param name="keys">The keys of what will be put there; null: the one in the options.</param>
    /// <param name="before">The row of the store it is built from: the data key, and a replacement of it under way, are as there.</param>
    /// <param name="rotationEnd">Without that row, but with two keys: entries that may bring a key of the older one.</param>
    public static StoreRow Create(
        IStorageEngine engine, DatabaseOptions options, Guid? databaseId = null, uint epoch = 1, DataKeys? keys = null, StoreRow? before = null, ulong rotationEnd = 0)
    {
        if (options is { Encrypted: true, Key: null })
            throw NeedsKey();
        Span<byte> random = stackalloc byte[16];
        if (options.Random is { } fill)
            fill(random);
        else
            System.Security.Cryptography.RandomNumberGenerator.Fill(random);
        var now = Timestamp.From(options.Clock.GetUtcNow());
        var id = databaseId ?? EventIds.New(now, random[..10]);
        // Two keys, and no row that says how they go together: one was replacing the other.
        var former = before is null ? keys?.Former : null;
        var row = new StoreRow(
            StoreRow.CurrentFormat, id, epoch, options.Encrypted, now.Ticks100ns,
            !options.Encrypted ? default : before?.KeyCheck ?? (former ?? keys?.Current ?? options.Key!).MakeCheck(IdBytes(id)))
        {
            // What has been wrapped again is not known of what could be read: all of it is looked at once more.
            Rotation = before?.Rotation is { } rotation ? rotation with { Cursor = 0 }
                : former is null ? null : KeyRotationState.Of(former, keys!.Current, IdBytes(id), new()) with { End = rotationEnd },
        };
        engine.Commit(new NewStorePlanner(row), sync: true);
        return row;
    }

    static StoreRefusedException NeedsKey() => new("A new store is encrypted from its first event and needs a key, or encryption = \"off\".");

    static byte[] IdBytes(Guid id) => id.ToByteArray(bigEndian: true);

    /// <summary>The watermark starts from what is there: after a crash that may be more than it knew.</summary>
    void Begin()
    {
        using var view = Engine.OpenView();
        var log = LogTreeStore.Load(view);
        _syncedMark = log.Size;
        _watermark.WriteSynced(_identity.Slot(new(log.Size, log.Tree.Root())), clean: false);
    }

    /// <summary>What the watermark says now, read from its file as an open would; null when no slot is valid.</summary>
    public WatermarkSlot? ReadWatermark()
    {
        // The writer may be at a slot just now, which leaves the other two.
        using var watermark = Watermark.Open(_directory.Watermark);
        return watermark.Newest;
    }

    /// <summary>Of this database and epoch from now on; called by the writer before the sync is noted.</summary>
    public void Become(StoreIdentity identity) => _identity = identity;

    /// <summary>Writes the watermark of a store without entries, while nobody appends any. Where that fails the next one says it; an open in between takes the one of an empty mirror for its own.</summary>
    public void MarkEmpty()
    {
        try
        {
            _watermark.WriteSynced(_identity.Slot(new(0, Hash32.Empty)), clean: false);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>Called by the writer after each sync.</summary>
    public void NoteSynced(LogPoint point)
    {
        if (point.Size - _syncedMark < EntriesBetweenSyncedMarks)
        {
            _watermark.Write(_identity.Slot(point));
            return;
        }

        _watermark.WriteSynced(_identity.Slot(point), clean: false);
        _syncedMark = point.Size;
    }

    /// <summary>The seal of a clean stop: tables, inventory, then the flag. A read that does not end leaves it unsealed.</summary>
    public async Task CloseAsync(LogPoint point)
    {
        var flushed = TryFlush();
        var row = ReadRowAtClose();
        Engine.Dispose();
        try
        {
            await Engine.Closed.WaitAsync(ReadersLimit).ConfigureAwait(false);
            if (flushed)
            {
                StoreInventory.Write(_directory.Inventory, _directory.Store, row.Write());
                _watermark.WriteSynced(_identity.Slot(point), clean: true);
            }
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or TimeoutException)
        {
            // No seal. What was acknowledged is in the synced log; the next open checks that.
        }
        finally
        {
            LetGo();
        }
    }

    /// <summary>The row as it is by now: the data key may have been replaced since the store was opened.</summary>
    StoreRow ReadRowAtClose()
    {
        try
        {
            using var view = Engine.OpenView();
            return StoreRow.Find(view) ?? Row;
        }
        catch (Exception cause) when (cause is RefusedException or StorageFailedException)
        {
            return Row;
        }
    }

    bool TryFlush()
    {
        try
        {
            if (Engine.LiveWalBytes > WalBytesLeft || Engine.WalFiles > WalFilesLeft)
                Engine.FlushMemtables();
            return true;
        }
        catch (StorageFailedException)
        {
            return false;
        }
    }

    /// <summary>Lets go without any seal: the next open checks.</summary>
    public void Abandon()
    {
        Engine.Dispose();
        LetGo();
    }

    /// <summary>The lock goes with RocksDB itself: as long as a read is under way, nobody else may open the directory.</summary>
    void LetGo()
    {
        _watermark.Dispose();
        if (Engine.Closed.IsCompleted)
            _lock.Dispose();
        else
            _ = Engine.Closed.ContinueWith(static (_, held) => ((DirectoryLock)held!).Dispose(), _lock, TaskScheduler.Default);
    }

    /// <summary>Makes a directory that only its owner enters, durably; one that exists stays as it is.</summary>
    static void CreatePrivate(string path)
    {
        if (Directory.Exists(path))
            return;
        PrivateDirectory.Create(path);
        DurableFile.SyncDirectoryOf(path);
    }
}
