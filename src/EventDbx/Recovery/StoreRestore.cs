using EventDbx.Mirroring;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>A store of a backup takes the place of what a data directory holds: made whole beside it first, then exchanged in one step.</summary>
/// <remarks>
/// <code>
/// Begin      lock the directory; look at what is there
///            (the backup is unpacked at Unpacked, by whoever reads it)
/// Prepare    the check before an open, files, a verify of everything, size and root as the backup says; the cut; the new epoch
/// Commit     DirectorySwap
/// OpenAsync  opened as anybody would: then the old pieces go
/// </code>
/// Whatever ends it before the commit leaves the directory as it was. It holds the lock until it is disposed.
/// </remarks>
public sealed class StoreRestore : IDisposable
{
    readonly DatabaseOptions _options;
    readonly DataDirectory _directory;
    readonly DirectoryLock _lock;
    readonly bool _made;
    StoreIdentity? _prepared;

    StoreRestore(DatabaseOptions options, DataDirectory directory, DirectoryLock held, bool made) =>
        (_options, _directory, _lock, _made) = (options, directory, held, made);

    /// <summary>Where the configuration lies that the restored one has replaced; null: there was none, or the same.</summary>
    public string? KeptConfig { get; private set; }

    /// <summary>Whether the new state counts, and whatever is left to do is done by the next open.</summary>
    public bool Committed { get; private set; }

    /// <summary>Where the backup is to be unpacked: does not exist yet, on the file system of the data directory.</summary>
    public string Unpacked => Path.Combine(_directory.Staged, "unpacked");

    /// <summary>The store that is there; null where there is none.</summary>
    public ReplacedStore? Replaced { get; private init; }

    /// <summary>What the directory holds, names in order; what a command leaves behind that has only looked (the lock) is not counted.</summary>
    public IReadOnlyList<string> Occupants { get; private init; } = [];

    /// <summary>Locks a data directory, which is made where it is missing, and looks at what is there.</summary>
    /// <param name="options">Directory, how long to wait for it, how to check a store, clock. No key is needed yet.</param>
    /// <exception cref="StoreRefusedException">Somebody has it open, it cannot be used, or the store that is there cannot be exchanged.</exception>
    public static StoreRestore Begin(DatabaseOptions options)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        var made = !Directory.Exists(directory.Path);
        var held = Lock(directory, options);
        try
        {
            // What an exchange before this one has put aside stays until the new store of it has opened, or until the next exchange is committed: then for good.
            DirectorySwap.Complete(directory, options);
            DirectorySwap.ClearStaged(directory);
            new DirectorySwap(directory, reached: null).DemandExchangeable(PiecesOfStore(directory), config: null);
            return new(options, directory, held, made)
            {
                Replaced = Look(options, directory),
                Occupants = [.. Directory.EnumerateFileSystemEntries(directory.Path).Select(static path => Path.GetFileName(path)).Where(static name => name != DirectoryLock.FileName && !Backups.StagedBackup.IsLeftBehind(name)).Order(StringComparer.Ordinal)],
            };
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Refuses what is known not to let itself be exchanged beside the store, before any work is done for it; the commit looks again.</summary>
    /// <param name="pieces">Names in the directory that are replaced or go; those that are not there are left out.</param>
    /// <param name="config">Where a configuration goes, absolute; null for none.</param>
    /// <exception cref="StoreRefusedException">Something is mounted at one of them or below it, or this user may not change it. Nothing was changed.</exception>
    public void DemandExchangeable(IEnumerable<string> pieces, string? config) => new DirectorySwap(_directory, reached: null).DemandExchangeable(pieces, config);

    /// <summary>Locks a data directory, which is made where it is missing.</summary>
    /// <exception cref="StoreRefusedException">Somebody has it open, or it cannot be written to.</exception>
    internal static DirectoryLock Lock(DataDirectory directory, DatabaseOptions options)
    {
        try
        {
            PrivateDirectory.CreateDurably(directory.Path);
            return DirectoryLock.TryAcquire(directory.Lock, options.Holder, options.LockTimeout, options.Clock, out var held, out var why) ? held : throw new StoreRefusedException(why) { InUse = true };
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException($"The data directory {directory.Path} cannot be used: {cause.Message}", cause);
        }
    }

    static string[] PiecesOfStore(DataDirectory directory) => [.. ((string[])[directory.Store, directory.Watermark, directory.Inventory]).Select(static path => Path.GetFileName(path))];

    /// <summary>Verifies what was unpacked, and makes of it the store that is to be. Nothing of the old state is touched.</summary>
    /// <param name="request">What, and how much of it.</param>
    /// <param name="keys">Its data keys and origin; the directory in it plays no part.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="StoreRefusedException">It has another format, or the key is missing or does not fit; or it could not be written.</exception>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: the place to cut at is none. <see cref="RefusalCode.IntegrityViolation"/>: it is not the store of that backup, or not what was committed.</exception>
    public RestoreReport Prepare(RestoreRequest request, DatabaseOptions keys, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        var options = keys with
        {
            Directory = _directory.Path, Check = _options.Check, CheckLimit = _options.CheckLimit, Clock = _options.Clock, Random = _options.Random, Progress = _options.Progress,
        };
        try
        {
            var target = DirectorySwap.NewOf(_directory);
            PrivateDirectory.Create(target);
            var report = new RestoredStore(options, request, Replaced).Build(new(Path.GetFullPath(request.From)), new(target), progress, cancellation);
            foreach (var name in request.Pieces)
            {
                var (from, to) = (Path.Combine(request.From, name), Path.Combine(target, name));
                if (!SwapJournal.IsName(name) || name.StartsWith(Path.GetFileName(_directory.Store), StringComparison.Ordinal))
                    throw new ArgumentException($"`{name}` is no piece beside the store.", nameof(request));
                if (Directory.Exists(from))
                    Directory.Move(from, to);
                else if (File.Exists(from))
                    File.Move(from, to);
            }

            _prepared = new(report.DatabaseId, report.Epoch);
            return report;
        }
        catch (Exception cause) when (cause is StorageFailedException or IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException($"The backup was not restored into {_directory.Path}: {cause.Message} Nothing there was changed.", cause);
        }
    }

    /// <summary>Which of these keys opens the store that was prepared.</summary>
    /// <param name="keys">The keys; the directory in it plays no part.</param>
    public KeyAtHand LookAtKey(DatabaseOptions keys)
    {
        using var engine = RocksDbEngine.OpenReadOnly(new DataDirectory(DirectorySwap.NewOf(_directory)).Store, new());
        using var view = engine.OpenView();
        var which = KeyAtHand.None;
        using var fitting = StoreRow.Find(view) is { } row ? keys.KeysOf(row, out which) : null;
        return which;
    }

    /// <summary>Makes what was prepared the state of the directory.</summary>
    /// <param name="removed">Names of pieces of the old state that go, too, where nothing takes their place.</param>
    /// <param name="config">The configuration that goes with it, and where it goes; null: none does.</param>
    /// <param name="keepOld">Whether the old pieces stay once the new store has opened.</param>
    /// <param name="isAsPlanned">Whether the configuration that is replaced is still the one that the new one was made for; null where there is none.</param>
    /// <returns>Where they lie; null: nothing was replaced.</returns>
    /// <exception cref="StoreRefusedException">Nothing was changed; or it was committed, and what could not be done is done by the next open: the message says which.</exception>
    public string? Commit(IReadOnlyList<string> removed, (string Path, ReadOnlyMemory<byte> Content)? config, bool keepOld, Func<byte[]?, bool>? isAsPlanned = null)
    {
        var swap = new DirectorySwap(_directory, _options.SwapReached, _options.Progress) { IsAsPlanned = isAsPlanned };
        try
        {
            if (Directory.Exists(Unpacked))
                Directory.Delete(Unpacked, recursive: true);
            if (config is { } given)
                DurableFile.Write(Path.Combine(_directory.Staged, DirectorySwap.ConfigName), given.Content.Span);
            var aside = swap.Commit(
                SwapJournal.Restore, _prepared ?? throw new InvalidOperationException("Nothing is prepared."), [.. removed, Path.GetFileName(_directory.Inventory)], config?.Path, keepOld, _options.Clock.GetUtcNow());
            return Directory.EnumerateFileSystemEntries(aside).Any() ? aside : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException(
                swap.Committed
                    ? $"The restore into {_directory.Path} is committed, and not at its end: {cause.Message} The next command that opens the directory ends it."
                    : $"The backup was not restored into {_directory.Path}: {cause.Message} Nothing there was changed.", cause);
        }
        finally
        {
            (Committed, KeptConfig) = (swap.Committed, swap.KeptConfig);
        }
    }

    /// <summary>Opens what was restored, and closes it: the old pieces are deleted, unless they are to stay. The lock goes over to it, and ends with it: whoever waits for it meets the new state, opened.</summary>
    /// <param name="keys">Its data keys.</param>
    /// <exception cref="StoreRefusedException">It does not open; the old pieces are where they were put.</exception>
    public Task OpenAsync(DatabaseOptions keys) =>
        DirectorySwap.OpenOnceAsync(keys with { Directory = _directory.Path, Progress = _options.Progress, SwapReached = _options.SwapReached, Held = _lock });

    /// <summary>Releases the lock; without a commit everything that was made is deleted.</summary>
    public void Dispose()
    {
        if (!Committed)
            DirectorySwap.ClearStaged(_directory);
        if (!Committed && _made)
            RemoveMade();
        _lock.Dispose();
    }

    /// <summary>While the lock is held, where that is possible: whoever gets it later would have that of a file without a name.</summary>
    void RemoveMade()
    {
        if (OperatingSystem.IsWindows())
            _lock.Dispose();
        DurableFile.TryDelete(_directory.Lock);
        if (!Directory.EnumerateFileSystemEntries(_directory.Path).Any())
            Directory.Delete(_directory.Path);
    }

    /// <summary>Why pieces of a data directory are being exchanged, <c>restore</c> or <c>rebuild</c>, where that was committed and is not at its end; null mostly. Nothing is changed.</summary>
    /// <exception cref="StoreRefusedException">The journal cannot be read.</exception>
    public static string? FindInterrupted(string directory) =>
        new DataDirectory(Path.GetFullPath(directory)).Swap is var journal && File.Exists(journal) && SwapJournal.Find(journal) is { IsDone: false } found ? found.Cause : null;

    /// <summary>Goes on with what was committed in a data directory and not ended, if nobody is at it: with the configuration that it brings.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="config">The configuration that the command reads.</param>
    /// <param name="progress">Told what was done.</param>
    /// <returns>Whether there was something to be done, and it is.</returns>
    /// <exception cref="StoreRefusedException">It is not this user's, or its configuration goes elsewhere; or it could not be ended.</exception>
    public static bool CompleteInterrupted(string directory, ConfigPlace config, Action<string>? progress)
    {
        var files = new DataDirectory(Path.GetFullPath(directory));
        if (FindInterrupted(files.Path) is null)
            return false;
        if (!DirectoryLock.TryAcquire(files.Lock, "an interrupted restore", TimeSpan.Zero, TimeProvider.System, out var held, out _))
            return false;
        using (held)
            DirectorySwap.Complete(files, config, progress, reached: null);
        return true;
    }

    static ReplacedStore? Look(DatabaseOptions options, DataDirectory directory)
    {
        using var watermark = Watermark.Open(directory.Watermark);
        var mark = watermark.Newest;
        if (!directory.HasStore)
        {
            // A store may lie there that was put aside: then something is known to have been there, and no more.
            return mark is { LogSize: > 0 } lost ? new(lost.DatabaseId, lost.LogSize, lost.Epoch)
                : Directory.EnumerateDirectories(directory.Path, "event_store.*").Any(static path => !Backups.StagedBackup.IsLeftBehind(Path.GetFileName(path))) ? new(null, null, 0) : null;
        }

        try
        {
            // It may be damaged so that it hangs, or ends, whoever opens it.
            if (options.Check.Run(directory.Path, options.CheckLimit) is not null)
                return new(mark?.DatabaseId, mark?.LogSize, mark?.Epoch ?? 0);
            using var engine = Salvage.OpenWithin(options, directory.Store);
            using var view = engine?.OpenView();
            if (view is not null && StoreRow.Find(view) is { Format: StoreRow.CurrentFormat } row)
            {
                // What a leader says and leaves no room behind it is not to be believed.
                var leader = row.Mirror && MirrorRow.Find(view, row)?.LeaderEpoch is { } said && said <= Limits.MirrorEpochMax - Limits.RestoreEpochStepMax ? said : 0;
                var log = LogTreeStore.LoadFrontier(view);
                var known = mark is { } of && of.DatabaseId == row.DatabaseId ? of : default;
                return new(row.DatabaseId, Math.Max(log.Size, known.LogSize), Math.Max(Math.Max(row.Epoch, leader), known.Epoch)) { Root = known.LogSize > log.Size ? null : log.Root() };
            }
        }
        catch (Exception cause) when (Salvage.IsUnreadable(cause))
        {
            // The watermark knows the least that was there.
        }

        return new(mark?.DatabaseId, mark?.LogSize, mark?.Epoch ?? 0);
    }
}
