using System.Diagnostics;
using EventDbx.Documents;
using EventDbx.Storage.RocksDb;

namespace EventDbx;

/// <summary>How far a rotation is.</summary>
/// <param name="Done">Entries of the log that have been looked at for the keys they bring.</param>
/// <param name="Total">Those that were there when it began.</param>
public readonly record struct KeyRotationProgress(ulong Done, ulong Total)
{
    /// <summary>Every key is wrapped again; files are being rewritten without what was before.</summary>
    public bool Compacting { get; init; }
}

/// <summary>Which of the keys of <see cref="DatabaseOptions"/> opens a store.</summary>
public enum KeyAtHand
{
    /// <summary>None of them; or the store is plain.</summary>
    None,

    /// <summary><see cref="DatabaseOptions.Key"/>.</summary>
    Current,

    /// <summary><see cref="DatabaseOptions.NextKey"/>.</summary>
    Next,

    /// <summary>One of <see cref="DatabaseOptions.RetiredKeys"/>: the store was not rotated with the others.</summary>
    Retired,
}

/// <summary>What a store tells of its data key: enough to know the key by, and nothing to find it with.</summary>
/// <param name="DatabaseId">The checks are bound to it.</param>
/// <param name="KeyCheck">Of the key; empty in a plain store.</param>
/// <param name="NextCheck">Of the one that is replacing it, while a rotation is unfinished; otherwise empty.</param>
public sealed record StoreKeyIdentity(Guid DatabaseId, ReadOnlyMemory<byte> KeyCheck, ReadOnlyMemory<byte> NextCheck)
{
    /// <summary>Whether the store's payloads are sealed at all.</summary>
    public bool Encrypted => !KeyCheck.IsEmpty;

    /// <summary>Whether a rotation was begun and has not come to its end.</summary>
    public bool RotationUnfinished => !NextCheck.IsEmpty;

    /// <summary>Whether this is the store's key, as it is until a rotation ends.</summary>
    public bool IsKey(DataKey key) => Fits(key, KeyCheck);

    /// <summary>Whether this is the key that a rotation under way leads to.</summary>
    public bool IsNext(DataKey key) => Fits(key, NextCheck);

    bool Fits(DataKey key, ReadOnlyMemory<byte> check)
    {
        using var copy = key.Fit(DatabaseId.ToByteArray(bigEndian: true), check.Span);
        return copy is not null;
    }
}

/// <summary>How a data key and a store go together.</summary>
/// <param name="Encrypted">Whether the store is.</param>
/// <param name="Fits">Whether the key opens it; false in a plain store.</param>
/// <param name="Generation">Of the store's data key, 1 for the first; 0 in a plain store.</param>
/// <param name="RotationUnfinished">Whether a rotation was begun and has not come to its end.</param>
public sealed record KeyFit(bool Encrypted, bool Fits, uint Generation, bool RotationUnfinished)
{
    /// <summary>Which of the keys that were given it is.</summary>
    public KeyAtHand Which { get; init; }
}

/// <summary>What a rotation came to.</summary>
/// <param name="Generation">Of the data key now: 2 after the first rotation.</param>
/// <param name="Keys">Aggregate keys that were wrapped again by this call.</param>
/// <param name="Documents">Documents that were sealed again by this call.</param>
/// <param name="Resumed">Whether it went on with one that was interrupted.</param>
public sealed record KeyRotationResult(uint Generation, ulong Keys, int Documents, bool Resumed)
{
    /// <summary>The store had that key already: nothing was left to do but to rewrite its files.</summary>
    public bool WasDone { get; init; }

    /// <summary>Sealed documents that none of the keys opens, and that were left as they are: whoever reads one is refused. Their file names.</summary>
    public IReadOnlyList<string> DocumentsLeft { get; init; } = [];
}

/// <summary>The replacement of the data key, while everything goes on.</summary>
/// <remarks>
/// <code>
/// begin     one commit: the row `store` has both keys' checks, and each key sealed with the other; entry `key_rotation`
/// rewrap    the log from its first entry: the keys that entries bring, in bounded batches through the one writer; the cursor moves in
///           the same commit. What is appended meanwhile is wrapped with the next key
/// reseal    documents beside the log
/// end       one commit: the row has the next key's check alone; entry `key_rotation`
/// compact   reads from before the end are waited for; tables and write-ahead log are rewritten without what the old key opened
/// </code>
/// Interrupted anywhere, the store opens with either key, reads and verifies as ever, and the same call goes on. After the end the old
/// key opens nothing. A key whose entry, head or archive record is damaged is left as it is: all others are wrapped again, the call is
/// refused and names it, and goes on from there once it is mended.
/// </remarks>
public sealed partial class Database
{
    /// <summary>Whether the keys of these options fit the store that is there. Nothing is changed; the directory is locked meanwhile.</summary>
    /// <exception cref="StoreRefusedException">There is no store; it is in use, or damaged.</exception>
    public static KeyFit LookAtKey(DatabaseOptions options)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        using var held = Hold(directory.Path, options.Holder, options.LockTimeout);
        DirectorySwap.Complete(directory, options);
        var row = ReadStoreRow(options, directory);
        if (row.Format != StoreRow.CurrentFormat)
            throw OpenStore.OtherFormat(row, directory.Path);
        var which = KeyAtHand.None;
        using var keys = row.Encrypted ? options.KeysOf(row, out which) : null;
        return new(row.Encrypted, keys is not null, row.KeyGeneration, row.Rotation is not null) { Which = which };
    }

    static StoreRow ReadStoreRow(DatabaseOptions options, DataDirectory directory)
    {
        using var watermark = Watermark.Open(directory.Watermark);
        try
        {
            if (OpenStore.CheckFiles(options, directory, watermark)
                && StoreInventory.ReadStoreRow(directory.Inventory) is { Length: > 0 } kept && StoreRow.TryRead(kept) is { } row)
                return row;
            using var engine = EventDbx.Storage.RocksDb.RocksDbEngine.OpenReadOnly(directory.Store, new());
            using var view = engine.OpenView();
            return StoreRow.Find(view) ?? throw new StoreRefusedException($"The store in {directory.Path} does not say what it is.");
        }
        catch (Exception cause) when (cause is StorageFailedException or RefusedException)
        {
            throw new StoreRefusedException($"The store in {directory.Path} was not opened: {cause.Message}", cause);
        }
    }

    readonly SemaphoreSlim _rotating = new(1, 1);
    readonly DocumentDirectory? _documents;
    readonly TimeSpan _readersWait;

    /// <summary>Which data key the store has: 1 for the first, one more after each rotation; 0 in a plain store.</summary>
    public uint KeyGeneration => _keys is null ? 0 : StoreNow().KeyGeneration;

    /// <summary>Whether a rotation of the data key was begun and has not come to its end.</summary>
    public bool KeyRotationUnfinished => StoreNow().Rotation is not null;

    /// <summary>Which of the keys it was opened with is the store's; <see cref="KeyAtHand.None"/> in a plain store.</summary>
    public KeyAtHand OpenedWith { get; }

    internal StoreKeyIdentity KeyIdentity()
    {
        var store = StoreNow();
        return new(store.DatabaseId, store.KeyCheck, store.Rotation?.NextCheck ?? default);
    }

    internal async Task<KeyRotationResult> RotateKeyAsync(
        Actor? actor, string? origin, DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation)
    {
        if (_keys is null)
            throw new RefusedException(RefusalCode.InvalidArgument, "The store is not encrypted: it has no data key to rotate. Export it and import it into an encrypted one.");
        if (!await _rotating.WaitAsync(TimeSpan.Zero, cancellation).ConfigureAwait(false))
            throw new RefusedException(RefusalCode.Unavailable, "A rotation of the data key is under way in this process; wait for its end.");
        try
        {
            return await Task.Run(() => RotateAsync(actor, origin, next, progress, cancellation), cancellation).ConfigureAwait(false);
        }
        finally
        {
            _rotating.Release();
        }
    }

    async Task<KeyRotationResult> RotateAsync(Actor? actor, string? origin, DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation)
    {
        var store = StoreNow();
        var resumed = store.Rotation is not null;
        if (store.Rotation is { } begun)
        {
            using var fits = next.Fit(IdBytes, begun.NextCheck.Span);
            if (fits is null)
                throw new RefusedException(RefusalCode.InvalidArgument, "A rotation to another data key is unfinished, and this is not that key. Give that one, and it goes on.");
        }
        else
        {
            if (_keys!.Current.IsSameAs(next))
            {
                // It may have been interrupted between its end and this.
                var size = LogSize;
                if (_keys.Current.Generation > SealedValue.FirstEpoch)
                    await RewriteFilesAsync(new(size, size), progress, cancellation).ConfigureAwait(false);
                return new(_keys.Current.Generation, 0, 0, Resumed: false) { WasDone = true };
            }

            await BeginRotationAsync(actor, origin, store, next).ConfigureAwait(false);
        }

        var keys = 0UL;
        var target = StoreNow().Rotation!;
        var left = new SortedDictionary<ulong, string>();
        for (var cursor = target.Cursor; ;)
        {
            cancellation.ThrowIfCancellationRequested();
            var found = FindKeys(cursor, target.End, left);
            // Even where nothing is left: with this commit at the latest the writer seals with the next key.
            var step = new KeyRotationOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Step = KeyRotationStep.Rewrap, Positions = found.Positions, RowBytes = found.Bytes, Cursor = found.Seen,
                FirstLeft = left.Count == 0 ? null : left.Keys.First(),
            };
            await RunAsync(step).ConfigureAwait(false);
            foreach (var (position, why) in step.Left)
                left[position] = why;
            (keys, cursor) = (keys + step.Wrapped, step.Reached);
            progress?.Report(new(cursor, target.End));
            if (cursor >= target.End || left.Count > Limits.RotationLeftMax)
                break;
        }

        if (left.Count > 0)
            throw LeftBehind(left, keys);
        var (documents, unopened) = _documents?.Reseal() ?? (0, []);
        var generation = _keys!.Current.Generation;
        await RunAsync(
            new KeyRotationOperation { Aggregate = ControlOperation.AboutTheDatabase, Step = KeyRotationStep.End },
            Note(actor, origin, "ended", generation, target.NextCheck)).ConfigureAwait(false);
        await RewriteFilesAsync(new(target.End, target.End), progress, cancellation).ConfigureAwait(false);
        return new(generation, keys, documents, resumed) { DocumentsLeft = unopened };
    }

    static RefusedException LeftBehind(SortedDictionary<ulong, string> left, ulong wrapped) => new(RefusalCode.IntegrityViolation, string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"The rotation of the data key stays unfinished: {left.Count} keys could not be wrapped again, because what has them is damaged; {wrapped} others were. "
        + $"The store opens with either key. Mend it (`dbx verify --all` names what is damaged, `dbx recover` or a backup mends it), and the same call goes on. {string.Join(" ", left.Take(3).Select(static one => $"Entry {one.Key}: {one.Value}"))}"));

    async Task BeginRotationAsync(Actor? actor, string? origin, StoreRow store, DataKey given)
    {
        var current = _keys!.Current;
        var next = given.Copy(checked(current.Generation + 1));
        var check = next.MakeCheck(IdBytes);
        await RunAsync(
            new KeyRotationOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Step = KeyRotationStep.Begin, Next = next,
                State = KeyRotationState.Of(current, next, IdBytes, Nonces),
            },
            Note(actor, origin, "begun", next.Generation, check)).ConfigureAwait(false);
    }

    /// <summary>Null in a mirror, whose data key is its own and whose log is its leader's.</summary>
    ControlOperation? Note(Actor? actor, string? origin, string step, uint generation, ReadOnlyMemory<byte> check) => Following is not null ? null : new()
    {
        Aggregate = ControlOperation.AboutTheDatabase, Actor = actor, Origin = origin, Kind = "key_rotation", Subject = "data_encryption_key",
        Body = Encoding.UTF8.GetBytes(string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $$"""{"step":"{{step}}","generation":{{generation}},"key_check":"{{Convert.ToHexStringLower(check.Span)}}"}""")),
    };

    async Task RunAsync(KeyRotationOperation step, ControlOperation? note = null)
    {
        // The step comes last: it counts the log with its note.
        PendingCommit commit = note is null ? new(step) : new(note, step);
        var outcomes = await _loop.CommitAsync(commit).ConfigureAwait(false);
        if (commit.Refused)
            throw new RefusedException(Array.Find(outcomes, static outcome => outcome.Refusal is not null).Refusal!.Value);
    }

    /// <summary>The next entries that bring a key, and how far it looked for them. Read here, so that the writer reads those alone.</summary>
    (List<ulong> Positions, int Bytes, ulong Seen) FindKeys(ulong cursor, ulong end, SortedDictionary<ulong, string> left)
    {
        List<ulong> positions = [];
        var bytes = 0;
        using var view = _engine.OpenScan();
        var limit = cursor + Limits.RotationEntriesMax;
        while (cursor < end && cursor < limit)
        {
            var rows = view.Range(Family.Log, Keyspace.Position(cursor + 1), Keyspace.Position(end + 1), Limits.PageItemsMax, Limits.PageBytesMax);
            // A store that was recovered may end before.
            if (rows.Count == 0)
                return (positions, bytes, end);
            foreach (var row in rows)
            {
                cursor = Keyspace.ReadPosition(row.Key);
                if (!Checked.TryBody(Family.Log, row.Key, row.Value, out var body) || EntryRow.TryRead(body) is not { } entry)
                {
                    left[cursor] = Violation.OfRow(Family.Log, row.Key, "it cannot be read").Message;
                    if (left.Count > Limits.RotationLeftMax)
                        return (positions, bytes, cursor);
                    continue;
                }

                if (entry.WrappedKey.IsEmpty)
                    continue;
                positions.Add(cursor);
                bytes += row.Value.Length;
                if (positions.Count == Limits.RotationKeysMax || bytes >= Limits.RotationBytesMax)
                    return (positions, bytes, cursor);
            }
        }

        return (positions, bytes, cursor);
    }

    /// <summary>
    /// RocksDB keeps what was replaced until it rewrites a table, and longer where a view from before is open: here, for the families
    /// that had wrapped keys. Returns when nothing is left of them.
    /// </summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: something is; the rotation itself is at its end.</exception>
    async Task RewriteFilesAsync(KeyRotationProgress end, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation)
    {
        progress?.Report(end with { Compacting = true });
        if (_store is not { Engine: var engine })
            return;
        try
        {
            var readersEnded = await ReadersEndAsync(engine, cancellation).ConfigureAwait(false);
            engine.FlushMemtables();
            foreach (var family in (ReadOnlySpan<Family>)[Family.Log, Family.Heads, Family.Archive, Family.Meta])
                engine.Rewrite(family);
            if (!readersEnded)
                throw StillThere("Reads that began before are still open, and files keep what they may ask for: let them end.");
        }
        catch (StorageFailedException cause)
        {
            throw StillThere($"They could not be rewritten: {cause.Message}");
        }
    }

    static RefusedException StillThere(string why) => new(new Refusal(RefusalCode.Unavailable,
        $"The data key was replaced, and the old one does not open the store; but files of the store may still hold keys that it wrapped. {why} Ask for the same rotation again, and they are rewritten."));

    /// <summary>Waits for every view that was opened before now; false when one is still open after the limit.</summary>
    async Task<bool> ReadersEndAsync(RocksDbEngine engine, CancellationToken cancellation)
    {
        var now = engine.LatestSequence;
        var waited = Stopwatch.StartNew();
        while (engine.OldestView < now)
        {
            if (waited.Elapsed >= _readersWait)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation).ConfigureAwait(false);
        }

        return true;
    }

    StoreRow StoreNow()
    {
        using var view = _engine.OpenView();
        return StoreRow.Find(view) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
    }

    byte[] IdBytes => Identity.DatabaseId.ToByteArray(bigEndian: true);

    /// <summary>Goes on with a document that is not the newest one, or is gone, and says so in the log.</summary>
    internal async Task AcceptDocumentAsync(Actor? actor, string? origin, string name)
    {
        if (_documents is null || _keys is null)
            throw new RefusedException(RefusalCode.InvalidArgument, "The documents of this store are not sealed: whatever is there is taken as it is.");
        var (found, newest) = _documents.Accept(name);
        if (Following is not null)
            return;
        var revision = found?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null";
        await _loop.CommitAsync(new(new ControlOperation
        {
            Aggregate = ControlOperation.AboutTheDatabase, Actor = actor, Origin = origin, Kind = "document_accepted", Subject = name,
            Body = Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $$"""{"revision":{{revision}},"newest":{{newest}}}""")),
        })).ConfigureAwait(false);
    }

    DocumentRow? FindDocumentRow(string name)
    {
        using var view = _engine.OpenView();
        return DocumentRow.Find(view, name);
    }

    /// <summary>Tells the store how new a document is. Nobody waits: a token dies even where the log takes no more writes.</summary>
    void NoteDocument(string name, DocumentRow row)
    {
        try
        {
            // Observed, for nobody asks: what is not noted is noted when the document is read or written next.
            _ = _loop.CommitAsync(new(new DocumentOperation { Aggregate = ControlOperation.AboutTheDatabase, Name = name, Row = row }))
                .ContinueWith(static task => _ = task.Exception, TaskScheduler.Default);
        }
        catch (RefusedException)
        {
            // The writer has stopped, is closing, or has too much to do.
        }
    }
}
