using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace EventDbx.Recovery;

/// <summary>The one way in which a store that was made anew takes the place of the one that is there: all of its pieces or none.</summary>
/// <remarks>
/// The data directory may be a mount point and holds other things, too, so that pieces of it are exchanged and not the directory.
/// <code>
/// 1 everything new lies in event_store.staged/new, synced       a crash up to here: the old state; the next open deletes what is staged
/// 2 event_store.swap is written: THE COMMIT POINT               a crash from here on: the new state; the next open goes on
/// 3 the configuration; for each piece: NAME → ASIDE/NAME, staged/new/NAME → NAME
///                                                               what is done already is seen from what is there; then the journal says that all is done
/// 4 the new store has opened: aside and staged are deleted, at last event_store.swap
/// </code>
/// What can be known to fail in step 3 is looked for before the work begins (<see cref="DemandExchangeable"/>), and tried before step 2. What fails all the same is taken back, piece by piece, and the journal deleted: until it says that all is done nobody has opened
/// what is new. Called under the lock of the directory. A recovery has a scheme of its own (<see cref="StoreRecovery"/>): it puts the damaged store aside for good, and has no commit point but the
/// move of the new one.
/// </remarks>
internal sealed partial class DirectorySwap(DataDirectory directory, Action<string>? reached, Action<string>? progress = null)
{
    /// <summary>What the staged configuration is called.</summary>
    public const string ConfigName = "config.toml";

    /// <summary>What the name of a folder with old pieces begins with.</summary>
    public const string AsidePrefix = "event_store.before-";

    readonly string _new = NewOf(directory);

    /// <summary>Where new pieces are made.</summary>
    public static string NewOf(DataDirectory directory) => Path.Combine(directory.Staged, "new");

    /// <summary>Whether the new state counts.</summary>
    public bool Committed { get; private set; }

    /// <summary>Refuses what is known not to let itself be exchanged, before anything is made: a commit looks again, for it may change meanwhile.</summary>
    /// <param name="pieces">Names of what may be moved; those that are not there are left out.</param>
    /// <param name="config">Where a configuration goes; null for none.</param>
    /// <exception cref="StoreRefusedException">Nothing was changed.</exception>
    public void DemandExchangeable(IEnumerable<string> pieces, string? config)
    {
        DemandChangeable(directory.Path, directory.Path);
        foreach (var name in pieces.Where(IsThere))
            DemandMovable(Path.Combine(directory.Path, name));
        if (config is not null)
            DemandReplaceable(config);
    }

    /// <summary>Makes what is staged the state of the directory. Before the journal is written nothing of the old state is touched; after it, an interruption is gone on with by the next open.</summary>
    /// <param name="cause">See <see cref="SwapJournal"/>.</param>
    /// <param name="store">What the staged store is.</param>
    /// <param name="removed">Old pieces that nothing takes the place of; those that are not there are left out.</param>
    /// <param name="config">Where the staged configuration goes; null for none.</param>
    /// <param name="keepAside">Whether the old pieces stay.</param>
    /// <param name="now">Names the folder of the old ones.</param>
    /// <returns>That folder.</returns>
    /// <exception cref="IOException">The old state stands; or, where it is <see cref="Committed"/>, the next open ends it.</exception>
    /// <exception cref="StoreRefusedException">A piece cannot be exchanged: the old state stands.</exception>
    public string Commit(string cause, StoreIdentity store, IEnumerable<string> removed, string? config, bool keepAside, DateTimeOffset now)
    {
        string[] pieces = [.. Directory.EnumerateFileSystemEntries(_new).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        string[] replaced = [.. pieces.Where(IsThere)], gone = [.. removed.Except(pieces).Where(IsThere)];
        foreach (var name in (string[])[.. replaced, .. gone])
            DemandMovable(Path.Combine(directory.Path, name));
        if (config is not null)
            TryConfig(config);
        var time = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var journal = new SwapJournal(
            SwapJournal.CurrentFormat, cause, FreeName($"{AsidePrefix}{cause}-{time}"), keepAside, pieces, replaced, gone, config is null ? null : InPlace(config), store.DatabaseId, store.Epoch);
        var aside = Path.Combine(directory.Path, journal.Aside);
        PrivateDirectory.Create(aside);
        try
        {
            SyncTree(directory.Staged);
            // Its own name, too: the journal must not be on disk without what it speaks of.
            DurableFile.SyncDirectoryOf(directory.Staged);
            reached?.Invoke("staged");
            journal.Write(directory.Swap);
            Committed = true;
            reached?.Invoke("committed");
            _config = config;
            GoOn(journal);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            Committed = !TryUndo(journal);
            throw;
        }

        return aside;
    }

    /// <summary>Before a store is opened, or looked at: what was committed is gone on with, what was not is deleted.</summary>
    /// <exception cref="StoreRefusedException">The journal cannot be read, is somebody else's, or puts a configuration where this command has none; or what was committed could not be ended, and was taken back.</exception>
    public static void Complete(DataDirectory directory, DatabaseOptions options) => Complete(directory, options.Config, options.Progress, options.SwapReached);

    /// <inheritdoc cref="Complete(DataDirectory, DatabaseOptions)"/>
    public static void Complete(DataDirectory directory, ConfigPlace? config, Action<string>? progress, Action<string>? reached)
    {
        DurableFile.CleanUp(directory.Swap);
        if (SwapJournal.Find(directory.Swap) is { } journal)
        {
            new DirectorySwap(directory, reached, progress).End(journal, config);
            return;
        }

        if (!Directory.Exists(directory.Staged))
            return;
        Directory.Delete(directory.Staged, recursive: true);
        foreach (var aside in Directory.EnumerateDirectories(directory.Path, AsidePrefix + "*"))
            DeleteEmpty(aside);
    }

    /// <summary>The new store has opened: the old pieces are not needed any more.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="opened">What has opened: where that is not what was staged, the old pieces stay.</param>
    /// <param name="reached">Told each step.</param>
    public static void Finish(DataDirectory directory, StoreIdentity opened, Action<string>? reached = null)
    {
        if (SwapJournal.Find(directory.Swap) is not { } journal)
            return;
        var aside = Path.Combine(directory.Path, journal.Aside);
        var isStaged = (journal.DatabaseId, journal.Epoch) == (opened.DatabaseId, opened.Epoch);
        try
        {
            if (!journal.KeepAside && isStaged && Directory.Exists(aside))
                Directory.Delete(aside, recursive: true);
            reached?.Invoke("aside deleted");
            Settle(directory);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // All of the new state is there; what is left over is deleted by a later open.
        }

        reached?.Invoke("finished");
    }

    /// <summary>Another store than the staged one is to be opened here: what was put aside for that stays, for it is not known to be replaceable.</summary>
    public static void Settle(DataDirectory directory)
    {
        ClearStaged(directory);
        DurableFile.SyncDirectoryOf(directory.Staged);
        DurableFile.Delete(directory.Swap);
    }

    /// <summary>Deletes what is staged. Only where nothing in it counts.</summary>
    public static void ClearStaged(DataDirectory directory)
    {
        if (Directory.Exists(directory.Staged))
            Directory.Delete(directory.Staged, recursive: true);
    }

    /// <summary>Opens and closes the new store, as anybody would: with that the old pieces go.</summary>
    /// <param name="options">With the lock, which is taken over: nobody comes between.</param>
    /// <exception cref="StoreRefusedException">It does not open; the old pieces are where they were put.</exception>
    public static async Task OpenOnceAsync(DatabaseOptions options) =>
        await Database.Open(options with { CreateIfMissing = false, Signer = null, NewSigner = null, CheckpointInterval = null, Locked = null }).DisposeAsync().ConfigureAwait(false);

    /// <summary>Whoever may write into a data directory could have a journal there, and with it whoever merely looks, root perhaps, would move files for them.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="user">As whom this process acts.</param>
    /// <exception cref="StoreRefusedException">Somebody else's, who is not root, is the journal, or what is staged.</exception>
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    internal static void DemandOwn(DataDirectory directory, uint user)
    {
        foreach (var path in (string[])[directory.Swap, directory.Staged])
        {
            if (Libc.OwnerOf(path, follow: false) is { } owner && owner != user && owner != 0)
            {
                throw new StoreRefusedException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The exchange of pieces of {directory.Path} that was interrupted is not ended: {path} belongs to user {owner}, and this is user {user}. Nothing was changed. Run the command as the user that began it, or give all of the directory to one user first (chown -R)."));
            }
        }
    }

    void DemandOwn()
    {
        if (!OperatingSystem.IsWindows())
            DemandOwn(directory, Libc.UserId);
    }

    void End(SwapJournal journal, ConfigPlace? config)
    {
        _config = Vet(journal, config);
        try
        {
            if (GoOn(journal))
                progress?.Invoke($"A {journal.Cause} was interrupted behind its commit point; it has been brought to its end.{(journal.Config is null ? "" : $" The configuration that goes with it lies in {_config}.")}");
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException(
                TryUndo(journal)
                    ? $"A {journal.Cause} in {directory.Path} was interrupted behind its commit point, and cannot be brought to its end: {cause.Message} It was taken back: the state before it stands, and the next command opens that."
                    : $"A {journal.Cause} in {directory.Path} was interrupted behind its commit point, and can be neither ended nor taken back: {cause.Message} What is old lies in its place or in {journal.Aside}, what is new in its place or in {_new}.",
                cause);
        }
    }

    /// <summary>Step 3: whatever of it is not done yet. False when all of it was.</summary>
    bool GoOn(SwapJournal journal)
    {
        if (journal.IsDone)
            return false;
        var aside = Path.Combine(directory.Path, journal.Aside);
        if (Array.Find(journal.Pieces, name => !PendingFile.IsTaken(Path.Combine(_new, name)) && !IsInPlace(journal, name)) is { } lost)
            throw new IOException($"`{lost}`, which was to take its place, is gone from {_new}.");
        PrivateDirectory.Create(aside);
        // First: from here on every command reads the configuration that the new store needs.
        PutConfig(journal);
        reached?.Invoke("configuration in place");
        foreach (var name in journal.Removed)
        {
            var old = Path.Combine(directory.Path, name);
            if (!PendingFile.IsTaken(old))
                continue;
            Move(old, Path.Combine(aside, name));
            reached?.Invoke($"{name} aside");
        }

        foreach (var name in journal.Pieces)
        {
            var (old, made) = (Path.Combine(directory.Path, name), Path.Combine(_new, name));
            // Moved already: what has the name is the new one.
            if (!PendingFile.IsTaken(made))
                continue;
            if (PendingFile.IsTaken(old))
                Move(old, Path.Combine(aside, name));
            reached?.Invoke($"{name} aside");
            Move(made, old);
            reached?.Invoke($"{name} in place");
        }

        // What is written from now on under an old name is not old.
        (journal with { Pieces = [], Replaced = [], Removed = [], Config = null }).Write(directory.Swap);
        reached?.Invoke("in place");
        return true;
    }

    /// <summary>Takes back whatever of step 3 was done, and the commit itself. False where not even that is possible: then a later open tries to go on.</summary>
    bool TryUndo(SwapJournal journal)
    {
        var aside = Path.Combine(directory.Path, journal.Aside);
        try
        {
            if (SwapJournal.Find(directory.Swap) is { } written && written.Aside == journal.Aside)
            {
                // Whether its last state is on disk is not known where its writing failed.
                if (written.IsDone)
                    journal.Write(directory.Swap);
                foreach (var name in journal.Pieces)
                {
                    if (IsInPlace(journal, name))
                        Move(Path.Combine(directory.Path, name), Path.Combine(_new, name));
                }

                foreach (var name in (string[])[.. journal.Replaced, .. journal.Removed])
                {
                    if (!IsThere(name) && PendingFile.IsTaken(Path.Combine(aside, name)))
                        Move(Path.Combine(aside, name), Path.Combine(directory.Path, name));
                }

                TakeConfigBack(journal);
                DurableFile.Delete(directory.Swap);
            }

            DeleteEmpty(aside);
            return true;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or StoreRefusedException)
        {
            return false;
        }
    }

    bool IsInPlace(SwapJournal journal, string name) =>
        !PendingFile.IsTaken(Path.Combine(_new, name)) && IsThere(name) && (!journal.Replaced.Contains(name) || PendingFile.IsTaken(Path.Combine(directory.Path, journal.Aside, name)));

    bool IsThere(string name) => PendingFile.IsTaken(Path.Combine(directory.Path, name));

    /// <summary>A path within the data directory goes along with it, wherever that is moved or copied to.</summary>
    string InPlace(string path) => Path.GetRelativePath(directory.Path, path) is var relative && !relative.StartsWith("..", StringComparison.Ordinal) ? relative : path;

    static void Move(string from, string to)
    {
        if (Directory.Exists(from))
            Directory.Move(from, to);
        else
            File.Move(from, to);
        // It is better to have two names for a moment than none.
        DurableFile.SyncDirectoryOf(to);
        DurableFile.SyncDirectoryOf(from);
    }

    /// <summary>What is known not to let itself be moved is refused while nothing has happened yet.</summary>
    static void DemandMovable(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        if (FindMountPoint(path) is { } mounted && mounted != path)
            throw new StoreRefusedException($"{mounted} is a mount point within {path}, which is exchanged: what is mounted there would go along. Nothing was changed. Unmount it, or restore into another directory.");
        if (Libc.IsMountPoint(path))
            throw new StoreRefusedException($"{path} is a mount point of its own, and cannot be exchanged. Nothing was changed. Mount the data directory itself, or restore into another one.");
        if (Directory.Exists(path) && new FileInfo(path).LinkTarget is null && !Libc.MayChange(path))
            throw new StoreRefusedException($"{path} cannot be moved: this user may not write to it. Nothing was changed. Give it to the user that the database runs as.");
    }

    /// <summary>Whether a configuration can take a place, as far as that is seen without making anything.</summary>
    static void DemandReplaceable(string config)
    {
        if (!OperatingSystem.IsWindows() && Libc.IsMountPoint(config))
            throw new StoreRefusedException($"The configuration {config} is a mount point of its own, and cannot be replaced. Nothing was changed. Mount the directory that it lies in, or name another file with --config.");
        if (Directory.Exists(config))
            throw new StoreRefusedException($"The configuration goes to {config}, which is a directory. Nothing was changed. Name a file with --config.");
        // What is missing is made: in the nearest one that is there.
        var above = Path.GetDirectoryName(config)!;
        while (!PendingFile.IsTaken(above) && Path.GetDirectoryName(above) is { } further)
            above = further;
        if (!Directory.Exists(above))
            throw new StoreRefusedException($"The configuration goes to {config}, and {above} is no directory. Nothing was changed. Name another file with --config.");
        DemandChangeable(above, config);
    }

    static void DemandChangeable(string path, string what)
    {
        if (!OperatingSystem.IsWindows() && !Libc.MayChange(path))
            throw new StoreRefusedException($"{what} cannot be replaced: this user may not write to {path}, or its file system is read-only. Nothing was changed. Give it to the user that the database runs as, mount it for writing, or name another place.");
    }

    /// <summary>The place itself, or the first one below it; null: none.</summary>
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static string? FindMountPoint(string path)
    {
        if (Libc.IsMountPoint(path))
            return path;
        if (!Directory.Exists(path) || new FileInfo(path).LinkTarget is not null)
            return null;
        try
        {
            return Directory.EnumerateFileSystemEntries(path).Select(FindMountPoint).FirstOrDefault(static found => found is not null);
        }
        catch (UnauthorizedAccessException)
        {
            return null; // Whether it may be moved is looked at next.
        }
    }

    static void DeleteEmpty(string path)
    {
        try
        {
            if (Directory.Exists(path) && !Directory.EnumerateFileSystemEntries(path).Any())
                Directory.Delete(path);
        }
        catch (IOException)
        {
            // It costs nothing.
        }
    }

    string FreeName(string wanted)
    {
        var name = wanted;
        for (var i = 2; Path.Exists(Path.Combine(directory.Path, name)); i++)
            name = string.Create(CultureInfo.InvariantCulture, $"{wanted}-{i}");
        return name;
    }

    /// <summary>Every file, and every directory above it: what the journal speaks of must be on disk before it.</summary>
    static void SyncTree(string path)
    {
        foreach (var file in Directory.EnumerateFiles(path))
        {
            using SafeFileHandle handle = File.OpenHandle(file, FileMode.Open, OperatingSystem.IsWindows() ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite);
            RandomAccess.FlushToDisk(handle);
        }

        foreach (var below in Directory.EnumerateDirectories(path))
            SyncTree(below);
        DurableFile.SyncDirectoryOf(Path.Combine(path, "a file in it"));
    }
}
