namespace EventDbx.Recovery;

/// <summary>What is to be restored, and how much of it.</summary>
public sealed record RestoreRequest
{
    /// <summary>The unpacked data directory, below <see cref="StoreRestore.Unpacked"/>: its pieces are moved from there.</summary>
    public required string From { get; init; }

    /// <summary>Which database the backup is said to be of.</summary>
    public required Guid DatabaseId { get; init; }

    /// <summary>The epoch that it is said to be in.</summary>
    public required uint Epoch { get; init; }

    /// <summary>Entries that its log is said to have.</summary>
    public required ulong LogSize { get; init; }

    /// <summary>The root over them.</summary>
    public required Hash32 LogRoot { get; init; }

    /// <summary>Names beside the store that come along: documents, keys of the node. One that is not there is left out.</summary>
    public required IReadOnlyList<string> Pieces { get; init; }

    /// <summary>The last entry that is kept; null: all are. Not with <see cref="ToTime"/>.</summary>
    public ulong? ToPosition { get; init; }

    /// <summary>Entries are kept up to the first one that is later, batches whole; null: all are.</summary>
    public Timestamp? ToTime { get; init; }

    /// <summary>Tokens are kept whatever is restored over what; else only where the log ends as the backup does, and nothing newer is replaced.</summary>
    public bool KeepTokens { get; init; }

    /// <summary>Whether the secret that signed the tokens of the backup is at hand; without it they are not kept, whoever asks.</summary>
    public bool TokensCanBeKept { get; init; } = true;

    /// <summary>Id of the backup, for the log; null for none.</summary>
    public string? Backup { get; init; }

    /// <summary>For people, in the log; null for none.</summary>
    public string? Comment { get; init; }

    /// <summary>Who does it, in the log.</summary>
    public Actor? Actor { get; init; }
}

/// <summary>What a restore has made, or would make.</summary>
/// <param name="DatabaseId">That of the backup.</param>
/// <param name="Kept">Entries of the backup's log that are kept.</param>
/// <param name="Of">Entries that it has.</param>
/// <param name="Root">The root over those that are kept.</param>
/// <param name="Epoch">The one that begins behind them; of a mirror the one it was in.</param>
/// <param name="TokensKept">Whether the tokens of the backup are good; else its signing secret is to be replaced.</param>
/// <param name="Mirror">Of whose log it is the mirror, and stays so, without an epoch of its own; null: it leads.</param>
public sealed record RestoreReport(Guid DatabaseId, ulong Kept, ulong Of, Hash32 Root, uint Epoch, bool TokensKept, string? Mirror)
{
    /// <summary>Where a time has ended what is kept; null: none was asked for, or nothing is later.</summary>
    public TimeCut? EndedBy { get; init; }
}

/// <summary>The entry before which a log was cut, because it is later than a moment.</summary>
/// <param name="Position">Its place.</param>
/// <param name="CreatedAt">When it was written, or, of an imported one, where it came from.</param>
/// <param name="NotLaterBehind">Entries that are not kept and yet not later than the moment: one that was imported may have any time, and a clock may have been wrong.</param>
public sealed record TimeCut(ulong Position, Timestamp CreatedAt, ulong NotLaterBehind);

/// <summary>The store that a restore takes the place of.</summary>
/// <param name="DatabaseId">Null where it cannot be read.</param>
/// <param name="LogSize">Entries that are known to be in it; null where nothing says it.</param>
/// <param name="Epoch">0 where it cannot be read.</param>
public sealed record ReplacedStore(Guid? DatabaseId, ulong? LogSize, uint Epoch)
{
    /// <summary>The root over its entries; null where not all of them can be read.</summary>
    public Hash32? Root { get; init; }
}
