using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>Looks at a store that was not closed, read-only, before RocksDB may write to it.</summary>
/// <remarks>
/// RocksDB does not know how far its log was synced: with one bit flipped it opens with half the records and deletes the
/// file that held the rest. So the watermark is held against what a read-only open shows: every family's "reflects up to",
/// the ends of the log, the rows of its tail, size and root. Run it where a hang or a crash can be survived (a process of
/// its own): one flipped bit in a MANIFEST can hang RocksDB for ever.
/// </remarks>
public static class StoreInspection
{
    /// <summary>Why the store of a data directory must not be opened, as the end of a sentence; or null. Changes not a byte.</summary>
    public static string? Run(string dataDirectory)
    {
        var directory = new DataDirectory(Path.GetFullPath(dataDirectory));
        using var watermark = Watermark.Open(directory.Watermark);
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
            using var view = engine.OpenView();
            return Compare(view, watermark);
        }
        catch (StorageFailedException cause)
        {
            if (IsUnborn(directory, watermark))
                return null;
            return watermark.Newest is { LogSize: > 0 } mark ? $"{cause.Message} ({mark.LogSize} entries were synced)" : cause.Message;
        }
        catch (RefusedException cause)
        {
            return cause.Message;
        }
    }

    /// <summary>A crash while the store was being made: nothing was ever acknowledged, so nothing can be lost.</summary>
    internal static bool IsUnborn(DataDirectory directory, Watermark watermark) =>
        !watermark.Exists && !File.Exists(directory.Inventory) && directory.HasStore
        && Directory.EnumerateFiles(directory.Store).All(static file => Path.GetExtension(file) switch
        {
            ".sst" => false,
            ".log" => new FileInfo(file).Length == 0,
            _ => true,
        });

    static string? Compare(IStorageView view, Watermark watermark)
    {
        if (Checked.Get(view, Family.Meta, Keyspace.StoreRow) is not { } body)
        {
            // The row that says what it is was synced before there was a watermark.
            return watermark.Newest is { } lost
                ? $"it is empty, but {(lost.LogSize == 0 ? "it was made before" : $"{lost.LogSize} entries were synced: entries 1 to {lost.LogSize} are missing")}"
                : HoldsRows(view) ? "it has rows but does not say what it is" : null;
        }

        var store = StoreRow.TryRead(body);
        if (store is null)
            return "the row that says what it is cannot be read";
        if (store.Format != StoreRow.CurrentFormat)
            return null; // The open refuses it by name.
        var log = LogTreeStore.Load(view);
        foreach (var family in Families.All)
        {
            if (LogTreeStore.Reflects(view, family) is var reflects && reflects != log.Size)
                return $"its parts disagree: the log has {log.Size} entries, but family `{Families.NameOf(family)}` reflects {reflects}";
        }

        if (watermark.Newest is not { } mark)
            return log.Size == 0 ? null : $"the log has {log.Size} entries, but the file `watermark` {(watermark.Exists ? "has no valid slot" : "is missing")}, so how many there should be is not known";
        if ((mark.DatabaseId != store.DatabaseId || mark.Epoch != store.Epoch) && !IsLeftBehind(mark, view, store, log.Size))
            return "the file `watermark` belongs to another database, or to another epoch of this one";
        if (log.Size < mark.LogSize)
            return $"{mark.LogSize} entries were synced, but only {log.Size} are there: entries {log.Size + 1} to {mark.LogSize} are missing";
        return CompareLog(view, log, mark, watermark.Synced?.LogSize ?? 0);
    }

    /// <summary>
    /// Whether a watermark of another epoch, or of another database, is that of this store before its last commits: those that made it a mirror, made a mirror a leader, or took a mirror into
    /// another epoch. The slot of a commit is written behind it, and a crash may come between. A recovery is no such commit: what it leaves half done is ended by the next one.
    /// </summary>
    /// <param name="mark">Of another epoch, or of another database.</param>
    /// <param name="view">Of the store.</param>
    /// <param name="store">Its row.</param>
    /// <param name="size">Entries of its log.</param>
    internal static bool IsLeftBehind(in WatermarkSlot mark, IStorageView view, StoreRow store, ulong size)
    {
        if (mark.LogSize == 0 && store.Mirror)
            return true;
        return mark.DatabaseId == store.DatabaseId && mark.Epoch < store.Epoch && BeginsEpoch(view, mark.LogSize, size, store);
    }

    /// <summary>Whether an entry behind a position begins the epoch that the store is in.</summary>
    static bool BeginsEpoch(IStorageView view, ulong after, ulong size, StoreRow store)
    {
        for (var next = after + 1; next <= size;)
        {
            var rows = view.Range(Family.Log, Keyspace.Position(next), Keyspace.Position(size + 1), Limits.PageItemsMax, Limits.PageBytesMax);
            if (rows.Count == 0)
                return false;
            foreach (var row in rows)
            {
                next = Keyspace.ReadPosition(row.Key) + 1;
                if (EntryRow.MayBeControl(row.Value) && EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is { IsControl: true } entry
                    && (entry.Type == Mirroring.NewEpoch.Kind || store.Mirror) && Mirroring.EpochStart.TryRead(entry)?.Epoch == store.Epoch)
                    return true;
            }
        }

        return false;
    }

    static string? CompareLog(IStorageView view, LogTree log, in WatermarkSlot mark, ulong syncedMark)
    {
        var last = view.Range(Family.Log, Keyspace.Position(1), [], 1, int.MaxValue, backwards: true);
        var lastPosition = last.Count == 0 ? 0 : Keyspace.ReadPosition(last[0].Key);
        if (lastPosition != log.Size)
            return $"the log should end at position {log.Size}, but ends at {lastPosition}";
        if (log.Size == 0)
            return null;
        var first = view.Range(Family.Log, Keyspace.Position(1), [], 1, int.MaxValue);
        if (Keyspace.ReadPosition(first[0].Key) is var firstPosition && firstPosition != 1)
            return $"the log should begin at position 1, but begins at {firstPosition}: entries 1 to {firstPosition - 1} are missing";
        if (FindGap(view, Math.Max(1, Math.Min(syncedMark, mark.LogSize)), log.Size) is { } gap)
            return gap;
        var root = new LogNodes(view, mark.LogSize).RootAt(mark.LogSize);
        return root == mark.LogRoot
            ? null
            : $"the root of the first {mark.LogSize} entries is {root}, but {mark.LogRoot} was synced: history was changed";
    }

    static string? FindGap(IStorageView view, ulong from, ulong to)
    {
        while (from <= to)
        {
            var rows = view.Range(Family.Log, Keyspace.Position(from), [], Limits.PageItemsMax, Limits.PageBytesMax);
            foreach (var row in rows)
            {
                if (Keyspace.ReadPosition(row.Key) is var position && position != from)
                    return $"entries {from} to {position - 1} are missing";
                _ = Checked.Body(Family.Log, row.Key, row.Value);
                from++;
            }

            if (rows.Count == 0)
                return $"entries {from} to {to} are missing";
        }

        return null;
    }

    static bool HoldsRows(IStorageView view)
    {
        foreach (var family in Families.All)
        {
            if (view.Range(family, [], [], 1, int.MaxValue).Count > 0)
                return true;
        }

        return false;
    }
}
