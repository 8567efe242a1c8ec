using EventDbx.Storage.RocksDb;

namespace EventDbx;

/// <summary>One open data directory: store, writer, watermark. Hands out sessions.</summary>
/// <remarks>
/// Opening in order: lock the directory; after an unclean stop, check the store read-only before RocksDB may write to it;
/// open; hold it against the key; start the writer. Closing: the same backwards, and the seal of a clean stop at the end.
/// </remarks>
public sealed class Database : IAsyncDisposable
{
    readonly DatabaseOptions _options;
    readonly IStorageEngine _engine;
    readonly CommitLoop _loop;
    readonly FoldPointWriter _foldPoints;
    readonly OpenStore? _store;
    readonly DataKey? _key;
    readonly Lock _closing = new();
    Task? _closed;

    Database(DatabaseOptions options, IStorageEngine engine, StoreRow row, OpenStore? store)
    {
        (_options, _store) = (options, store);
        _engine = options.WrapEngine?.Invoke(engine) ?? engine;
        Identity = new(row.DatabaseId, row.Epoch);
        Nonces = options.Random is { } random ? new(random) : new();
        // A copy of our own: the caller may dispose theirs, and the writer must not find out in the middle of a commit.
        _key = row.Encrypted && DataKey.TryParse(options.Key!.ToBase64(), out var copy, out _) ? copy : null;
        Keyring = new(_key, Nonces, Math.Max(1024, options.HeadCacheEntries * 2));
        LogPoint start;
        using (var view = engine.OpenView())
        {
            var log = LogTreeStore.Load(view);
            start = new(log.Size, log.Tree.Root());
        }

        var planner = new GroupPlanner(Keyring, Nonces, options.Clock, Math.Max(1, options.HeadCacheEntries));
        _foldPoints = new(this);
        _loop = new(
            _engine, planner, store is null ? static _ => { } : store.NoteSynced, start,
            options.Durability == Durability.Relaxed ? options.RelaxedInterval : null, options.GroupCommits, _foldPoints.Due);
        _foldPoints.Start();
    }

    /// <summary>Drawn when the store was made.</summary>
    public Guid DatabaseId => Identity.DatabaseId;

    /// <summary>1, and one more after each accepted loss.</summary>
    public uint Epoch => Identity.Epoch;

    public bool Encrypted => Keyring.Encrypted;

    public Durability Durability => _options.Durability;

    /// <summary>Entries in the log that are on disk for good.</summary>
    public ulong LogSize => _loop.Synced.Size;

    /// <summary>Root of the log tree over them.</summary>
    public Hash32 LogRoot => _loop.Synced.Root;

    /// <summary>Null while all is well; else what is wrong, in a sentence.</summary>
    public string? Unhealthy => _loop.Failure is { } failure
        ? $"The writer has stopped: {failure.Message}"
        : _loop.WatermarkFailure is { } watermark ? $"The watermark cannot be written: {watermark.Message}" : null;

    /// <summary>Groups committed since the open, and syncs asked for.</summary>
    public (ulong Groups, ulong Syncs) Commits => (_loop.Groups, _loop.Syncs);

    public long BytesOnDisk => _engine.BytesOnDisk;

    internal StoreIdentity Identity { get; }

    internal Keyring Keyring { get; }

    internal NoncePool Nonces { get; }

    internal TimeProvider Clock => _options.Clock;

    internal IStorageEngine Engine => _engine;

    internal CommitLoop Loop => _loop;

    /// <summary>Whether there is a store in a data directory, or the remains of one: then an open makes none. Opens nothing.</summary>
    public static bool ExistsIn(string directory)
    {
        var files = new DataDirectory(Path.GetFullPath(directory));
        if (files.HasStore || System.IO.Directory.Exists(files.Rebuilt) || File.Exists(files.Inventory))
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
        var store = OpenStore.Open(options);
        try
        {
            return new(options, store.Engine, store.Row, store);
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
        return new(this, actor);
    }

    /// <summary>The directory's own word about the log, for those who doubt; null without a directory.</summary>
    internal Func<WatermarkSlot?>? ReadWatermark => _store is null ? null : _store.ReadWatermark;

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
        await _foldPoints.StopAsync().ConfigureAwait(false);
        _loop.Dispose();
        if (_store is not null && _loop.Failure is null)
            await _store.CloseAsync(_loop.Synced).ConfigureAwait(false);
        else
            _store?.Abandon();
        if (_store is not null && !ReferenceEquals(_engine, _store.Engine))
            _engine.Dispose();
        _key?.Dispose();
    }
}
