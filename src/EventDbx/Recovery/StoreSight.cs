using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>What can be seen of a store that nobody has open, without opening it: would it open, with this key?</summary>
/// <param name="Encrypted">Whether it is.</param>
/// <param name="LogSize">Entries of its log.</param>
/// <param name="NewestAt">When the last of them was made; null where there is none.</param>
public sealed record StoreSight(bool Encrypted, ulong LogSize, Timestamp? NewestAt)
{
    /// <summary>Which of the keys that were given opens it.</summary>
    public KeyAtHand Key { get; private init; }

    /// <summary>Looks. Not a byte of the store is written; its directory is locked meanwhile.</summary>
    /// <param name="options">Which directory, with which key, how long to wait for it, how to check a store that was not closed.</param>
    /// <exception cref="StoreRefusedException">Why it would not open.</exception>
    public static StoreSight Of(DatabaseOptions options)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore)
            throw new StoreRefusedException($"There is no store in {directory.Path}, only what is left of one.");
        using var held = Database.Hold(directory.Path, options.Holder, options.LockTimeout);
        using var watermark = Watermark.Open(directory.Watermark);
        OpenStore.CheckFiles(options, directory, watermark);
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
            if (last.Count == 0)
                return new(row.Encrypted, 0, null) { Key = which };
            var entry = EntryRow.TryRead(Checked.Body(Family.Log, last[0].Key, last[0].Value));
            return new(row.Encrypted, Keyspace.ReadPosition(last[0].Key), entry is null ? null : new Timestamp(entry.CreatedAt)) { Key = which };
        }
        catch (Exception cause) when (cause is StorageFailedException or RefusedException)
        {
            throw new StoreRefusedException($"The store in {directory.Path} would not open: {cause.Message}", cause);
        }
    }
}
