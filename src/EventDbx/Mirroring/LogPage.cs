namespace EventDbx.Mirroring;

/// <summary>One entry of a log on its way to a mirror: all that stands in it, and nothing that is of one store alone.</summary>
/// <param name="Row">
/// The body of its row of family <c>log</c> (docs/storage-format.md) without the wrapped key: an event's salt and payload are sealed under
/// <paramref name="AggregateKey"/>, or in clear where the log's store is plain.
/// </param>
/// <param name="AggregateKey">
/// 32 bytes, the key of the entry's aggregate: in the first event of each aggregate on a page, and in every control entry <c>create</c>, which begins an aggregate with a key of its
/// own. Empty in all others, and where the log's store is plain. Secret: it travels inside a session alone, and is kept wrapped.
/// </param>
public readonly record struct LogEntryRow(ReadOnlyMemory<byte> Row, ReadOnlyMemory<byte> AggregateKey);

/// <summary>A stretch of a log: entries in order without a gap, batches whole.</summary>
public sealed record LogPage
{
    /// <summary>The position before the first entry.</summary>
    public required ulong After { get; init; }

    /// <summary>From position <see cref="After"/> + 1 on. Empty: there is nothing new.</summary>
    public required IReadOnlyList<LogEntryRow> Entries { get; init; }

    /// <summary>Root of the log tree over everything up to <see cref="After"/>: a mirror whose own root there is another has another history. Of nothing, SHA-256 of nothing.</summary>
    public required Hash32 RootBefore { get; init; }

    /// <summary>Root of the log tree over everything up to the last entry of this page; of an empty page, up to <see cref="After"/>.</summary>
    public required Hash32 Root { get; init; }

    /// <summary>The whole log as it was read: for how far behind a mirror is.</summary>
    public required LogEnd End { get; init; }

    /// <summary>The newest signed checkpoint that this page and those before it cover, as a signed note; empty where there is none.</summary>
    public ReadOnlyMemory<byte> Checkpoint { get; init; }

    /// <summary>The public key that signed it, as a vkey under its origin; empty where there is no checkpoint.</summary>
    public string CheckpointKey { get; init; } = "";

    /// <summary>Bytes of rows, for those who bound them.</summary>
    public int Bytes { get; init; }
}

/// <summary>Which log, and how far it is synced.</summary>
/// <param name="DatabaseId">Of its store: a mirror has the same.</param>
/// <param name="Epoch">Of its store.</param>
/// <param name="Size">Entries that are on disk for good.</param>
/// <param name="Root">Root of the log tree over them.</param>
/// <param name="Encrypted">Whether its store is; a mirror of one that is must be, too.</param>
public sealed record LogEnd(Guid DatabaseId, uint Epoch, ulong Size, Hash32 Root, bool Encrypted);
