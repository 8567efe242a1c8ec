namespace EventDbx.Storage;

/// <summary>The seam: what a storage engine does. Group commit and every rule live above it, once.</summary>
/// <remarks>
/// An engine keeps ordered bytes in families, reads them from one consistent view, and writes a plan atomically.
/// It knows nothing of events. Two engines hold to one conformance suite: RocksDB here, an in-memory model in the tests.
/// </remarks>
internal interface IStorageEngine : IDisposable
{
    /// <summary>A consistent view of everything committed so far. Thread-safe; dispose it soon, it pins old data.</summary>
    IStorageView OpenView();

    /// <summary>The same, for a reader that walks everything once and should not push what is in use out of the cache.</summary>
    IStorageView OpenScan() => OpenView();

    /// <summary>Reads every file of the engine and holds it against the checksum it was written with; returns when done.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a file is not what was written.</exception>
    void VerifyFiles()
    {
    }

    /// <summary>
    /// Plans and writes one group. The planner sees a view; its plan names the log size it was made on
    /// (<see cref="WritePlan.BaseLogSize"/>). A plan whose base has moved is not written: the planner is asked to
    /// <see cref="IGroupPlanner.Forget"/> and to plan again. One caller at a time.
    /// </summary>
    /// <param name="planner">May run more than once.</param>
    /// <param name="sync">Durable before this returns. False: atomic and readable, durable at the next <see cref="Sync"/>.</param>
    /// <exception cref="StorageFailedException">Whether the plan reached the disk is unknown; write no more.</exception>
    void Commit(IGroupPlanner planner, bool sync);

    /// <summary>Makes every earlier commit durable.</summary>
    /// <exception cref="StorageFailedException">Never try again: what the kernel dropped cannot be known.</exception>
    void Sync();

    /// <summary>Bytes of write-ahead log and tables on disk, as far as the engine knows; 0 in memory.</summary>
    long BytesOnDisk { get; }

    /// <summary>What the engine says of itself; null where it has nothing to say.</summary>
    StoreFigures? ReadFigures() => null;
}

/// <summary>One consistent view. Values come back exactly as they were put.</summary>
internal interface IStorageView : IDisposable
{
    /// <summary>The value, or null.</summary>
    byte[]? Get(Family family, ReadOnlySpan<byte> key);

    /// <summary>Many values in one call, in the order of the keys; null where there is none.</summary>
    byte[]?[] GetMany(Family family, IReadOnlyList<byte[]> keys);

    /// <summary>
    /// Rows with <c>from ≤ key &lt; to</c> in byte order (or backwards from the highest), until either bound is met;
    /// at least one row if there is one. An empty <paramref name="to"/> means no upper bound.
    /// </summary>
    IReadOnlyList<Row> Range(Family family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to, int rowsMax, int bytesMax, bool backwards = false);
}

/// <summary>One stored key and value.</summary>
internal readonly record struct Row(byte[] Key, byte[] Value);

/// <summary>Makes a plan for one group from a view. No side effects but its own caches.</summary>
internal interface IGroupPlanner
{
    /// <summary>Fills an empty plan. Leaves it empty when nothing is to be written.</summary>
    void Plan(IStorageView view, WritePlan plan);

    /// <summary>The base moved: forget everything remembered of earlier views.</summary>
    void Forget();
}

/// <summary>A read or write the engine could not do. Not the caller's fault.</summary>
internal sealed class StorageFailedException : Exception
{
    public StorageFailedException(string message) : base(message) { }

    public StorageFailedException(string message, Exception cause) : base(message, cause) { }
}
