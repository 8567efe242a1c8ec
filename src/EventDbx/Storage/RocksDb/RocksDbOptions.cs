namespace EventDbx.Storage.RocksDb;

/// <summary>What a caller may choose about the store. Everything else is fixed in <see cref="NativeOptions"/>.</summary>
internal sealed record RocksDbOptions
{
    /// <summary>Make the directory and the store if there is none. False: a missing store is a failure.</summary>
    public bool CreateIfMissing { get; init; }

    /// <summary>Bytes of cached blocks, their indexes and filters included.</summary>
    public long BlockCacheBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bytes of all memtables together. They are charged to the cache, whose bound is the sum of the two.</summary>
    public long WriteBufferBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bytes of write-ahead log beyond which the memtables are flushed: what an open may have to replay.</summary>
    public long MaxTotalWalBytes { get; init; } = 256 * 1024 * 1024;

    /// <summary>Refuse to open when a write-ahead log is missing or cut. False only to salvage what is left.</summary>
    public bool VerifyWals { get; init; } = true;

    /// <summary>Count what the store does, so that <see cref="RocksDbEngine.WalSyncs"/> can tell.</summary>
    public bool EnableStatistics { get; init; }
}
