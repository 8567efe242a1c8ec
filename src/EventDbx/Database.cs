using EventDbx.Access;
using EventDbx.Documents;
using EventDbx.Schemas;
using EventDbx.Staging;
using EventDbx.Storage.RocksDb;
using EventDbx.Telemetry;
using EventDbx.Verification;

namespace EventDbx;

/// <summary>One open data directory: store, writer, watermark. Hands out sessions.</summary>
/// <remarks>
/// Opening in order: lock the directory; after an unclean stop, check the store read-only before RocksDB may write to it;
/// open; hold it against the key; start the writer. Closing: the same backwards, and the seal of a clean stop at the end.
/// </remarks>
public sealed partial class Database : IAsyncDisposable
{
    readonly DatabaseOptions _options;
    readonly IStorageEngine _engine;
    readonly GroupPlanner _planner;
    readonly CommitLoop _loop;
    readonly FoldPointWriter _foldPoints;
    readonly OpenStore? _store;
    readonly DataKeys? _keys;
    readonly Lock _closing = new();
    readonly SemaphoreSlim _changingSchemas = new(1, 1);
    volatile SchemaSet _schemas;
    Task? _closed;

    Database(DatabaseOptions options, IStorageEngine engine, StoreRow row, OpenStore? store)
    {
        (_options, _store) = (options, store);
        _engine = options.WrapEngine?.Invoke(engine) ?? engine;
        Nonces = options.Random is { } random ? new(random) : new();
        // A copy of our own: the caller may dispose theirs, and the writer must not find out in the middle of a commit.
        var which = KeyAtHand.None;
        _keys = row.Encrypted ? options.KeysOf(row, out which) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "the key that was given does not fit it") : null;
        OpenedWith = which;
        Keyring = new(_keys, Nonces, Math.Max(1024, options.HeadCacheEntries * 2));
        LogPoint start;
        using (var view = engine.OpenView())
        {
            var log = LogTreeStore.Load(view);
            start = new(log.Size, log.Tree.Root()) { Epoch = row.Epoch };
            _schemas = SchemaSet.Load(view);
            _standing = new(new(row.DatabaseId, row.Epoch), MirrorRow.Find(view, row));
            _origins = OriginsOf(options, _standing.Identity, view);
        }

        _toFollow = options.Follow;

        if (LogOriginWaiting is { } waiting)
            options.Progress?.Invoke($"Checkpoints of this epoch are signed as {LogOrigin}, and so are those to come. The origin that is configured, {waiting}, takes effect with the next epoch.");

        MadeIds = new(Identity.DatabaseId);
        HiddenCursors = new(Nonces);
        var planner = new GroupPlanner(Keyring, Nonces, options.Clock, Math.Max(1, options.HeadCacheEntries), options.Restriction) { MadeIds = MadeIds, Following = options.Follow };
        planner.Begin(_schemas, _standing);
        _planner = planner;
        _mirror = new(this);
        Telemetry = new(this);
        _foldPoints = new(this);
        _loop = new(
            _engine, planner, store is null ? static _ => { } : store.NoteSynced, start,
            options.Durability == Durability.Relaxed ? options.RelaxedInterval : null, options.GroupCommits, _foldPoints.Due)
        {
            SchemasChanged = schemas => _schemas = schemas,
            StandingChanged = TakeStanding,
            Failed = options.WriterFailed,
            GroupCommitted = Telemetry.GroupCommitted,
            SyncedApart = Telemetry.SyncedApart,
        };
        _foldPoints.Start();
        _checkpoints = new(this, options);
        _checkpoints.Start();
        _readersWait = options.RotationReadersWait;
        _documents = store is null ? null : new(Path.GetFullPath(options.Directory), _keys, Nonces, FindDocumentRow, NoteDocument);
        Documents = _documents is null ? new DocumentMemory() : _documents;
        Staging = new(Documents);
        Deliveries = new Delivery.DeliveryQueue(this);
        ShowSchemas(atOpen: true);
        Telemetry.Observe(engine, store is null ? null : Path.GetFullPath(options.Directory), planner);
    }

    /// <summary>Drawn when the store was made; a mirror's is its leader's.</summary>
    public Guid DatabaseId => Identity.DatabaseId;

    /// <summary>1, and more after each accepted loss, each promotion of a mirror, each restore of a backup.</summary>
    public uint Epoch => Identity.Epoch;

    public bool Encrypted => Keyring.Encrypted;

    public Durability Durability => _options.Durability;

    /// <summary>What it tells of itself, as instruments (docs/metrics.md). Its tag <c>dbx.database.id</c> tells several of a process apart.</summary>
    public System.Diagnostics.Metrics.Meter Meter => Telemetry.Meter;

    /// <summary>The source of its spans, for requests that are traced.</summary>
    public System.Diagnostics.ActivitySource Activities => Telemetry.Activities;

    internal DatabaseMeter Telemetry { get; }

    /// <summary>Entries in the log that are on disk for good.</summary>
    public ulong LogSize => _loop.Synced.Size;

    /// <summary>Root of the log tree over them.</summary>
    public Hash32 LogRoot => _loop.Synced.Root;

    /// <summary>Null while all is well; else what is wrong, in a sentence.</summary>
    public string? Unhealthy => _loop.Failure is { } failure
        ? $"The writer has stopped: {failure.Message}"
        : _loop.WatermarkFailure is { } watermark ? $"The watermark cannot be written: {watermark.Message}"
        : Health.Newest is { } violation ? $"A verify has found that history was changed: {violation}"
        : _checkpoints.Trouble;

    /// <summary>Groups committed since the open, and syncs asked for.</summary>
    public (ulong Groups, ulong Syncs) Commits => (_loop.Groups, _loop.Syncs);

    /// <summary>How events are held against schemas.</summary>
    public Restriction Restriction => _options.Restriction;

    /// <summary>The documents beside the log.</summary>
    public IDocuments Documents { get; }

    /// <summary>What each plugin has yet to take.</summary>
    public Delivery.IDeliveryQueue Deliveries { get; }

    public long BytesOnDisk => _engine.BytesOnDisk;

    /// <summary>What verifies have found.</summary>
    internal VerifyFindings Health { get; } = new();

    /// <summary>What a verify of everything reads.</summary>
    internal VerifySource VerifySource => new()
    {
        Engine = _engine, Identity = Identity, Encrypted = Encrypted, Keyring = Keyring, ReadWatermark = ReadWatermark, Clock = Clock,
        Documents = Documents, Signer = _options.Signer is null ? null : _checkpoints.Signer, NoteVerifier = NoteVerifier,
        Findings = () => Health.Count,
    };

    internal StagingArea Staging { get; }

    /// <summary>The schemas in force: those of every append that was answered.</summary>
    internal SchemaSet Schemas => _schemas;

    internal Keyring Keyring { get; }

    internal NoncePool Nonces { get; }

    internal StoreMadeIds MadeIds { get; private set; }

    internal HiddenCursors HiddenCursors { get; }

    internal TimeProvider Clock => _options.Clock;

    internal IStorageEngine Engine => _engine;

    internal CommitLoop Loop => _loop;

    /// <summary>Whether there is a store in a data directory, or the remains of one: then an open makes none. Opens nothing.</summary>
    public static bool ExistsIn(string directory)
    {
        var files = new DataDirectory(Path.GetFullPath(directory));
        if (files.HasStore || System.IO.Directory.Exists(files.Rebuilt) || File.Exists(files.Inventory) || File.Exists(files.Swap))
            return true;
        using var watermark = Watermark.Open(files.Watermark);
        return watermark.Newest is { LogSize: > 0 };
    }

    /// <summary>Opens a directory, or makes it.</summary>
    /// <exception cref="StoreRefusedException">In use, not the key, damaged, shorter than it was: nothing was changed.</exception>
    public static Database Open(DatabaseOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.HeadCacheEntries);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.RelaxedInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.RelaxedInterval, TimeSpan.FromHours(1));
        RefuseBadCheckpointOptions(options);
        var store = OpenStore.Open(options);
        try
        {
            Backups.BackupStage.Sweep(Path.GetFullPath(options.Directory));
            var database = new Database(options, store.Engine, store.Row, store);
            store.EndSwap(options.SwapReached);
            return database;
        }
        catch (RefusedException cause)
        {
            store.Abandon();
            throw new StoreRefusedException($"The store in {options.Directory} cannot be used: {cause.Message}", cause);
        }
        catch
        {
            store.Abandon();
            throw;
        }
    }

    /// <summary>A database on an engine of the caller's: no directory, no lock, no watermark.</summary>
    internal static Database OpenOn(IStorageEngine engine, DatabaseOptions options)
    {
        using var view = engine.OpenView();
        var row = Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body
            ? StoreRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it cannot be read")
            : OpenStore.Create(engine, options);
        return new(options, engine, row, null);
    }

    /// <summary>What this caller may do, as this actor.</summary>
    /// <param name="actor">Written into every entry the session makes; null for none.</param>
    public Session OpenSession(Actor? actor = null)
    {
        ObjectDisposedException.ThrowIf(_closed is not null, this);
        return new(this, actor, Grants.Everything, null);
    }

    /// <summary>What this caller may do, as this actor and within these grants.</summary>
    /// <param name="actor">Written into every entry the session makes.</param>
    /// <param name="grants">What it may do, and on which aggregates.</param>
    /// <param name="allowance">The token whose writes are counted; null without a limit.</param>
    public Session OpenSession(Actor actor, Grants grants, TokenAllowance? allowance)
    {
        ObjectDisposedException.ThrowIf(_closed is not null, this);
        return new(this, actor, grants, allowance);
    }

    /// <summary>What the store remembers of a token; all zero when nothing.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public TokenUse FindTokenUse(Guid token)
    {
        using var view = _engine.OpenView();
        var row = TokenRow.Find(view, token) ?? default;
        return new(row.Spent, row.ExpiresAt == 0 ? null : new(row.ExpiresAt), row.Dead);
    }

    /// <summary>A token that is kept alive lives at least until then. An earlier time changes nothing.</summary>
    public Task ExtendTokenAsync(Guid token, Timestamp expiresAt) => _loop.CommitAsync(new(new TokenOperation
    {
        Aggregate = ControlOperation.AboutTheDatabase, Token = token, ExpiresAt = expiresAt.Ticks100ns,
    }));

    /// <summary>Closes the allowance of a token, and says what was left: no append that comes later can spend it.</summary>
    public async Task<ulong> CloseTokenAsync(Guid token, ulong limit)
    {
        var outcomes = await _loop.CommitAsync(new(new TokenOperation
        {
            Aggregate = ControlOperation.AboutTheDatabase, Token = token, CloseAt = limit,
        })).ConfigureAwait(false);
        return outcomes[0].Remaining;
    }

    /// <summary>A token is dead, and stays so whatever ledger is put back.</summary>
    public Task EndTokenAsync(Guid token) => _loop.CommitAsync(new(new TokenOperation
    {
        Aggregate = ControlOperation.AboutTheDatabase, Token = token, Dead = true,
    }));

    /// <summary>Nothing is remembered of a token any more: it is dead for good.</summary>
    public Task ForgetTokenAsync(Guid token) => _loop.CommitAsync(new(new TokenOperation
    {
        Aggregate = ControlOperation.AboutTheDatabase, Token = token, Forget = true,
    }));

    /// <summary>Who has a data directory open; null when nobody does.</summary>
    /// <remarks>For an instant it holds the lock itself, where it is free.</remarks>
    public static LockHolder? FindHolder(string directory) => DirectoryLock.FindHolder(new DataDirectory(Path.GetFullPath(directory)).Lock);

    /// <summary>Who said last to have a data directory open; it may be gone since.</summary>
    public static LockHolder? ReadHolder(string directory) => DirectoryLock.ReadHolder(new DataDirectory(Path.GetFullPath(directory)).Lock);

    /// <summary>Keeps everybody else from opening a directory, without opening it; until it is disposed.</summary>
    /// <param name="directory">One that exists.</param>
    /// <param name="holder">What for, for the message to the next one who wants it.</param>
    /// <param name="timeout">How long to wait for another process that has it open.</param>
    /// <exception cref="StoreRefusedException">Another process has it open.</exception>
    public static IDisposable Hold(string directory, string holder, TimeSpan timeout) =>
        DirectoryLock.TryAcquire(
            new DataDirectory(Path.GetFullPath(directory)).Lock, holder, timeout, TimeProvider.System, out var held, out var why)
            ? held
            : throw new StoreRefusedException(why) { InUse = true };

    /// <summary>The directory's own word about the log, for those who doubt; null without a directory.</summary>
    internal Func<WatermarkSlot?>? ReadWatermark => _store is null ? null : _store.ReadWatermark;

    /// <summary>One change after the other: each is made from the schemas in force.</summary>
    internal async Task<AggregateSchema?> ChangeSchemaAsync(
        Actor? actor, string? origin, string type, Func<SchemaBook, AggregateSchema?> change, CancellationToken cancellation)
    {
        await _changingSchemas.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var before = _schemas.Book;
            var after = change(before);
            if (after is not null && after.Aggregate != type)
                throw new RefusedException(RefusalCode.InvalidSchema, $"The schema is of `{after.Aggregate}`, where one of `{type}` is due.");
            if (after is null ? before.Find(type) is null : before.Find(type)?.Schema.Equals(after) == true)
                return after;
            // Whether it can be enforced, before it is history.
            _ = after is null ? before : before.With(after);
            var operation = new SchemaOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Actor = actor, Origin = origin, Type = type, Schema = after, Body = SchemaOperation.BodyOf(after),
            };
            var commit = new PendingCommit(operation);
            var outcomes = await _loop.CommitAsync(commit).ConfigureAwait(false);
            if (commit.Refused)
                throw new RefusedException(outcomes[0].Refusal!.Value);
            ShowSchemas(atOpen: false);
            return after;
        }
        finally
        {
            _changingSchemas.Release();
        }
    }

    /// <summary>
    /// Writes <c>schemas.json</c>, in which people and scripts see the schemas in force. The store itself holds them: a file that
    /// says otherwise, after a crash or by another hand, is set aside and written anew.
    /// </summary>
    internal void ShowSchemas(bool atOpen)
    {
        try
        {
            var shown = Documents.Read(SchemasFile);
            var now = _schemas.Book.Count == 0 && shown.Content is null ? null : _schemas.Book.Write();
            if (now is null || (shown.Content is { } content && content.AsSpan().SequenceEqual(now)))
                return;
            if (atOpen && shown.Content is { Length: > 0 } other)
            {
                Documents.TryReplace(SchemasFile + ".replaced", other, Documents.Read(SchemasFile + ".replaced"));
                _options.Progress?.Invoke($"{SchemasFile} was not what is in force; it is kept as {SchemasFile}.replaced. `dbx schema apply FILE` is the way to change schemas.");
            }

            Documents.TryReplace(SchemasFile, now, shown);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or RefusedException)
        {
            // The schemas are in force all the same; only the file is behind, until the next change or open.
            _options.Progress?.Invoke($"{SchemasFile} could not be written: {cause.Message}");
        }
    }

    const string SchemasFile = "schemas.json";

    internal StoreReader OpenReader() => new(_engine.OpenView(), Keyring);

    /// <summary>Commits what waits, waits for reads under way, then closes. The next open finds a clean stop.</summary>
    /// <remarks>Every caller waits for the same close.</remarks>
    public ValueTask DisposeAsync()
    {
        lock (_closing)
        {
            // The last group, the last sync and the inventory block: not on the caller's thread.
            _closed ??= Task.Run(CloseAsync);
            return new(_closed);
        }
    }

    async Task CloseAsync()
    {
        using var meter = Telemetry;
        await _checkpoints.DisposeAsync().ConfigureAwait(false);
        try
        {
            await _loop.EndAsync().ConfigureAwait(false);
        }
        catch (RefusedException)
        {
            // The writer has stopped already; nothing more is written.
        }

        var left = await _foldPoints.StopAsync(TimeSpan.FromSeconds(Limits.SnapshotsAtStopSecondsMax), _options.Clock).ConfigureAwait(false);
        if (left > 0)
            _options.Progress?.Invoke($"{left} automatic snapshots of large states were not written: the stop waits {Limits.SnapshotsAtStopSecondsMax} seconds for them. No event and no state is missing.");
        _loop.Dispose();
        if (_store is not null && _loop.Failure is null)
            await _store.CloseAsync(_loop.Synced).ConfigureAwait(false);
        else
            _store?.Abandon();
        if (_store is not null && !ReferenceEquals(_engine, _store.Engine))
            _engine.Dispose();
        _keys?.Dispose();
        _rotating.Dispose();
        Staging.Dispose();
        _changingSchemas.Dispose();
        TakingSnapshots.Dispose();
        _mirror.Dispose();
    }
}
