using System.Globalization;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>What a recovery found, or did.</summary>
/// <param name="Damage">Why the store does not open; null when it does, and nothing is to be done.</param>
/// <param name="Kept">Entries from the beginning that can be believed: what would be, or was, kept.</param>
/// <param name="Expected">Entries that were synced, as the watermark knows; null when it knows nothing.</param>
/// <param name="Stopped">Why no more than that can be kept; null when the log simply ends there.</param>
/// <param name="MovedTo">Where the damaged store lies now; null when nothing was changed.</param>
public sealed record RecoveryReport(string? Damage, ulong Kept, ulong? Expected, string? Stopped, string? MovedTo)
{
    /// <summary>
    /// What differs when the kept entries are not the ones that were synced: each follows from those before it, but their root
    /// is another. Null when they are, or when too few are left to tell.
    /// </summary>
    public string? HistoryChanged { get; init; }

    /// <summary>Rows beside the log that could not be read, and are gone: what a token had spent, how far a plugin was.</summary>
    public ulong LeftOut { get; init; }

    /// <summary>Plugins of which one of those was: they get the log again from its beginning.</summary>
    public IReadOnlyList<string> Restarted { get; init; } = [];

    /// <summary>
    /// Entries that were synced and are gone; null when that is not known, for the watermark knows nothing or history was changed.
    /// </summary>
    public ulong? Lost => HistoryChanged is not null || Expected is not { } expected ? null : expected > Kept ? expected - Kept : 0;
}

/// <summary>Goes on with what is left of a store that does not open any more.</summary>
/// <remarks>
/// The damaged store is never written to. What its log still says, from the beginning and without a gap, is written into a
/// new store, every index with it (an inspection does the same, and deletes it again: so the two agree); the new one gets a new epoch and a control entry that says what was lost; then the two
/// change places and the damaged one stays beside it.
/// <code>
/// 1 rebuild as event_store.new      2 delete the inventory     3 event_store → event_store.lost-TIME
/// 4 event_store.new → event_store   5 sync the directory       6 replace the watermark
/// </code>
/// It may be interrupted anywhere and asked again: until 3 it begins anew, from 3 on it ends what it began, and an open in
/// between is refused (after 3 there is no store, after 4 the watermark is of another epoch).
/// </remarks>
public static class StoreRecovery
{
    const string Interrupted = "the recovery before this one was interrupted";

    /// <summary>Looks, and changes nothing: what it builds and copies beside the store it deletes again.</summary>
    /// <exception cref="StoreRefusedException">There is no store, it is in use, or the key is missing or wrong.</exception>
    public static RecoveryReport Inspect(DatabaseOptions options) => WithLock(options, directory =>
    {
        var marks = KnownMarks.Read(directory.Watermark);
        if (FindInterrupted(options, directory, marks.Newest) is { } loss)
            return loss.Report(Interrupted, null);
        if (FindDamage(options, directory) is not { } damage)
            return new(null, 0, null, null, null);
        return Salvage.Rebuild(options, directory, damage, marks);
    });

    /// <summary>Rebuilds the store from the surviving beginning of its log, and accepts that the rest is lost.</summary>
    /// <exception cref="StoreRefusedException">There is no store, it is in use, or the key is missing or wrong.</exception>
    public static RecoveryReport AcceptLoss(DatabaseOptions options) => WithLock(options, directory =>
    {
        var marks = KnownMarks.Read(directory.Watermark);
        if (FindInterrupted(options, directory, marks.Newest) is { } loss)
        {
            DirectorySwap.Settle(directory);
            ChangePlaces(directory, aside: null);
            return loss.Report(Interrupted, Asides(directory).Max(StringComparer.Ordinal));
        }

        if (FindDamage(options, directory) is not { } damage)
            return new(null, 0, null, null, null);
        if (Directory.Exists(directory.Rebuilt))
            Directory.Delete(directory.Rebuilt, recursive: true);
        var report = Salvage.Rebuild(options, directory, damage, marks);
        Directory.Move(directory.Best, directory.Rebuilt);
        // What an exchange put aside for the damaged store may be all that is whole.
        DirectorySwap.Settle(directory);
        var time = options.Clock.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var aside = FreeName($"{directory.Store}.lost-{time}");
        ChangePlaces(directory, aside);
        return report with { MovedTo = aside };
    });

    static RecoveryReport WithLock(DatabaseOptions options, Func<DataDirectory, RecoveryReport> act)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !Directory.Exists(directory.Rebuilt) && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        if (!DirectoryLock.TryAcquire(directory.Lock, "dbx recover", options.LockTimeout, options.Clock, out var held, out var why))
            throw new StoreRefusedException(why) { InUse = true };
        using (held)
        {
            DirectorySwap.Complete(directory, options);
            Salvage.Tidy(directory);
            try
            {
                return act(directory);
            }
            catch (Exception cause) when (Salvage.IsUnreadable(cause) || cause is IOException or UnauthorizedAccessException)
            {
                throw new StoreRefusedException(
                    $"The recovery in {directory.Path} did not end: {cause.Message} It needs as much free space as the store has. Nothing is lost; ask again.", cause);
            }
            finally
            {
                Salvage.Tidy(directory);
            }
        }
    }

    /// <summary>The loss a recovery was about to accept when it was interrupted between steps 3 and 6.</summary>
    static AcceptedLoss? FindInterrupted(DatabaseOptions options, DataDirectory directory, in WatermarkSlot? mark)
    {
        var rebuilt = directory.HasStore ? directory.Store : directory.Rebuilt;
        if (Asides(directory).Any() && AcceptedLoss.Find(rebuilt, options.CheckLimit) is { } loss && (!directory.HasStore || loss.Answers(mark)))
            return loss;
        if (!directory.HasStore)
            throw new StoreRefusedException($"There is no store in {directory.Path}, and what a recovery began to build is not complete. Put the store back: it may be the newest `event_store.lost-…`.");
        return null;
    }

    static string? FindDamage(DatabaseOptions options, DataDirectory directory)
    {
        if (StoreInventory.ReadStoreRow(directory.Inventory) is { Length: > 0 } kept)
            RefuseOtherFormat(StoreRow.TryRead(kept), directory);
        using (var watermark = Watermark.Open(directory.Watermark))
        {
            var sealedWell = watermark.StoppedCleanly && File.Exists(directory.Inventory);
            if (sealedWell && !StoreInventory.Matches(directory.Inventory, directory.Store, out var difference))
                return difference;
            if (!sealedWell && options.Check.Run(directory.Path, options.CheckLimit) is { } refusal)
                return refusal;
        }

        // The check leaves a store of another format to whoever opens it: it would not know what is sound there.
        RefuseOtherFormat(ReadRow(directory), directory);
        return FindDamagedTable(directory);
    }

    static void RefuseOtherFormat(StoreRow? row, DataDirectory directory)
    {
        if (row is not null && row.Format != StoreRow.CurrentFormat)
            throw OpenStore.OtherFormat(row, directory.Path);
    }

    /// <summary>What a store that the check has seen says it is; null where it does not.</summary>
    static StoreRow? ReadRow(DataDirectory directory)
    {
        if (!File.Exists(Path.Combine(directory.Store, "CURRENT")))
            return null; // A crash while it was being made.
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
            using var view = engine.OpenView();
            return StoreRow.Find(view);
        }
        catch (Exception cause) when (Salvage.IsUnreadable(cause))
        {
            return null;
        }
    }

    /// <summary>What an open is content with reads only the ends of tables; who asks for a recovery may have met their middle.</summary>
    static string? FindDamagedTable(DataDirectory directory)
    {
        if (!File.Exists(Path.Combine(directory.Store, "CURRENT")))
            return null; // A crash while it was being made.
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
            engine.VerifyFiles();
            return null;
        }
        catch (Exception cause) when (Salvage.IsUnreadable(cause))
        {
            return cause.Message;
        }
    }

    /// <summary>Steps 2 to 6; those that were done already are left out.</summary>
    static void ChangePlaces(DataDirectory directory, string? aside)
    {
        StoreInventory.Delete(directory.Inventory);
        if (aside is not null)
            Directory.Move(directory.Store, aside);
        if (!directory.HasStore)
            Directory.Move(directory.Rebuilt, directory.Store);
        DurableFile.SyncDirectoryOf(directory.Store);

        using var engine = RocksDbEngine.OpenReadOnly(directory.Store, new());
        using var view = engine.OpenView();
        var log = LogTreeStore.Load(view);
        var row = StoreRow.Find(view) ?? throw new StoreRefusedException($"The rebuilt store in {directory.Store} does not say what it is.");
        Watermark.Replace(directory.Watermark, new StoreIdentity(row.DatabaseId, row.Epoch).Slot(new(log.Size, log.Tree.Root())));
    }

    static IEnumerable<string> Asides(DataDirectory directory) => Directory.EnumerateDirectories(directory.Path, "event_store.lost-*");

    static string FreeName(string wanted)
    {
        var name = wanted;
        for (var i = 2; Directory.Exists(name) || File.Exists(name); i++)
            name = $"{wanted}-{i}";
        return name;
    }
}
