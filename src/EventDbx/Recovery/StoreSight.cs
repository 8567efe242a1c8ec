using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>What can be seen of a store that nobody has open, without opening it: would it open, with this key?</summary>
/// <param name="Encrypted">Whether it is.</param>
/// <param name="LogSize">Entries of its log.</param>
/// <param name="NewestAt">When the last of them was made; null where there is none.</param>
public sealed record StoreSight(bool Encrypted, ulong LogSize, Timestamp? NewestAt)
{
    /// <summary>The storage format that this program reads and writes.</summary>
    public const int CurrentFormat = (int)StoreRow.CurrentFormat;

    /// <summary>Of which database it is.</summary>
    public Guid DatabaseId { get; private init; }

    /// <summary>Which of the keys that were given opens it.</summary>
    public KeyAtHand Key { get; private init; }

    /// <summary>Its storage format; another one than <see cref="CurrentFormat"/> is refused.</summary>
    public int Format { get; private init; }

    /// <summary>Entries that its watermark speaks of; null: it has none that can be read, which an empty store may.</summary>
    public ulong? Synced { get; private init; }

    /// <summary>Whether it was closed properly, and is byte for byte what was left then. False: it was held against its watermark instead.</summary>
    public bool StoppedCleanly { get; private init; }

    /// <summary>Plugins of which something is kept, in the order of their names.</summary>
    public IReadOnlyList<PluginSight> Plugins { get; private init; } = [];

    /// <summary>Rows that lead nowhere.</summary>
    public OrphanLook Orphans { get; private init; } = new(0, true, 0, null);

    /// <summary>Looks. Not a byte of the store is written; its directory is locked meanwhile.</summary>
    /// <param name="options">Which directory, with which key, how long to wait for it, how to check a store that was not closed.</param>
    /// <param name="orphanRowsMax">Rows of each family to look at for those that lead nowhere, at most; null: all of them.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="StoreRefusedException">Why it would not open.</exception>
    public static StoreSight Of(DatabaseOptions options, long? orphanRowsMax = Limits.OrphanRowsLooked, CancellationToken cancellation = default)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}, only what is left of one.");
        using var held = Database.Hold(directory.Path, options.Holder, options.LockTimeout);
        if (StoreRestore.FindInterrupted(directory.Path) is { } interrupted)
            throw new StoreRefusedException($"A {interrupted} in {directory.Path} was interrupted behind its commit point. The next command that opens the directory ends it.");
        using var watermark = Watermark.Open(directory.Watermark);
        var clean = OpenStore.CheckFiles(options, directory, watermark);
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
            using var view = engine.OpenView();
            var row = Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body ? StoreRow.TryRead(body) : null;
            if (row is null)
                throw new StoreRefusedException($"The store in {directory.Path} does not say what it is.");
            OpenStore.Vet(row, options, directory.Path);
            var which = KeyAtHand.None;
            using var keys = row.Encrypted ? options.KeysOf(row, out which) : null;
            var last = view.Range(Family.Log, Keyspace.Position(1), [], 1, int.MaxValue, backwards: true);
            var entry = last.Count == 0 ? null : EntryRow.TryRead(Checked.Body(Family.Log, last[0].Key, last[0].Value));
            return new(row.Encrypted, last.Count == 0 ? 0 : Keyspace.ReadPosition(last[0].Key), entry is null ? null : new Timestamp(entry.CreatedAt))
            {
                DatabaseId = row.DatabaseId, Key = which, Format = (int)row.Format, Synced = watermark.Newest?.LogSize, StoppedCleanly = clean,
                Plugins = [.. PluginRow.Names(view).Select(name => PluginSight.Of(view, name))],
                Orphans = OrphanLook.Of(view, orphanRowsMax, cancellation),
            };
        }
        catch (Exception cause) when (cause is StorageFailedException or RefusedException)
        {
            throw new StoreRefusedException($"The store in {directory.Path} would not open: {cause.Message}", cause);
        }
    }
}

/// <summary>How far a plugin is, as the store has it.</summary>
/// <param name="Name">Of the plugin.</param>
/// <param name="Cursor">Up to which position every event was taken, waits or is dead.</param>
/// <param name="Waiting">Aggregates that wait for another try.</param>
/// <param name="Dead">Events that are given up.</param>
public sealed record PluginSight(string Name, ulong Cursor, long Waiting, long Dead)
{
    internal static PluginSight Of(IStorageView view, string name)
    {
        var row = PluginRow.Find(view, name) ?? default;
        return new(name, row.Cursor, (long)row.Waiting, (long)row.Dead);
    }
}
