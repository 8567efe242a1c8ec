namespace EventDbx.Storage;

/// <summary>What a storage engine says of itself, for those who watch it.</summary>
internal sealed record StoreFigures
{
    /// <summary>In the order of <see cref="Families.All"/>.</summary>
    public required IReadOnlyList<FamilyFigures> OfFamilies { get; init; }

    /// <summary>Bytes of blocks in the cache, memtables that are charged to it included.</summary>
    public ulong CacheBytes { get; init; }

    public ulong CacheCapacity { get; init; }

    /// <summary>Bytes of it that cannot be given up just now.</summary>
    public ulong CachePinnedBytes { get; init; }

    /// <summary>Writes stand still until compaction has caught up.</summary>
    public bool WritesStopped { get; init; }

    /// <summary>Bytes a second to which writes are held; 0: they are not.</summary>
    public ulong DelayedWriteRate { get; init; }

    public ulong CompactionsRunning { get; init; }

    public ulong FlushesRunning { get; init; }

    public ulong BackgroundErrors { get; init; }

    /// <summary>Files of write-ahead log.</summary>
    public int WalFiles { get; init; }

    public long WalBytes { get; init; }
}

/// <summary>One family of rows.</summary>
internal sealed record FamilyFigures(Family Family)
{
    public ulong MemtableBytes { get; init; }

    /// <summary>Of live tables.</summary>
    public ulong TableBytes { get; init; }

    /// <summary>An estimate.</summary>
    public ulong PendingCompactionBytes { get; init; }

    /// <summary>Times that writes were held back, since the open.</summary>
    public ulong Delays { get; init; }

    /// <summary>Times that writes were stopped, since the open.</summary>
    public ulong Stops { get; init; }

    /// <summary>From the youngest on; at least that one.</summary>
    public required IReadOnlyList<LevelFigures> Levels { get; init; }
}

/// <summary>One level of a family's tables.</summary>
/// <param name="Level">0 is the youngest.</param>
/// <param name="Files">Tables.</param>
/// <param name="Bytes">To the next MiB, which is as exactly as the engine says it.</param>
internal readonly record struct LevelFigures(int Level, int Files, long Bytes);
