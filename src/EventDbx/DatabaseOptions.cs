namespace EventDbx;

/// <summary>When an append is answered.</summary>
public enum Durability
{
    /// <summary>Once it is synced to disk: an answered append survives a power cut.</summary>
    Sync,

    /// <summary>Before the sync, which follows within <see cref="DatabaseOptions.RelaxedInterval"/>: a crash may take back that much.</summary>
    Relaxed,
}

/// <summary>How to open a directory.</summary>
public sealed record DatabaseOptions
{
    /// <summary>The data directory. The store is its folder <c>event_store</c>.</summary>
    public required string Directory { get; init; }

    /// <summary>Make the store if there is none. False: a missing store is refused.</summary>
    public bool CreateIfMissing { get; init; } = true;

    /// <summary>The data key. A store is encrypted from its first event, so making one needs a key or <see cref="Encrypted"/> false.</summary>
    public DataKey? Key { get; init; }

    /// <summary>The key that is replacing it, where a rotation may be unfinished or just at its end: opens the store where <see cref="Key"/> does not.</summary>
    public DataKey? NextKey { get; init; }

    /// <summary>Keys that <see cref="Key"/> has replaced elsewhere: one of them opens a store that was not rotated, where neither of the others does. None makes a store.</summary>
    public IReadOnlyList<DataKey> RetiredKeys { get; init; } = [];

    /// <summary>False: a new store keeps payloads and states in clear. Must agree with an existing store.</summary>
    public bool Encrypted { get; init; } = true;

    public Durability Durability { get; init; } = Durability.Sync;

    /// <summary>In <see cref="Durability.Relaxed"/>: how old an unsynced append may become.</summary>
    public TimeSpan RelaxedInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How events are held against schemas. No schema can be declared yet, so <see cref="Restriction.Strict"/> refuses every append.</summary>
    public Restriction Restriction { get; init; } = Restriction.Default;

    /// <summary>Where this process listens for commands about the directory, for whoever finds it in use; null: nowhere.</summary>
    public string? Socket { get; init; }

    /// <summary>Brings the key that signs checkpoints: asked when the first one is due. Null: none is signed.</summary>
    public Func<Checkpoints.ICheckpointSigner>? Signer { get; init; }

    /// <summary>The same for the first checkpoint that the log ever signs, and for nothing else: may make the key. Null: <see cref="Signer"/> is asked.</summary>
    public Func<Checkpoints.ICheckpointSigner>? NewSigner { get; init; }

    /// <summary>What checkpoints call this log. Null: <c>eventdbx.local/</c> and the database id. From the second epoch on <c>/e2</c>, <c>/e3</c> … is appended, so that it may not end like that. Where this epoch has checkpoints under another origin, that one stays until the next.</summary>
    public string? LogOrigin { get; init; }

    /// <summary>
    /// Name of a leader that this database is to follow: until <see cref="Mirroring.IMirror.BeginAsync"/> has compared the two it writes no history of its own, and nothing of it stands in the store.
    /// Null: none; a store that is a mirror is one all the same.
    /// </summary>
    public string? Follow { get; init; }

    /// <summary>Whether a signed note has a good signature of a vkey: with it a mirror holds its leader's checkpoints against the log. Null: it does not look at them.</summary>
    public Func<string, Checkpoints.SignedNote, bool>? NoteVerifier { get; init; }

    /// <summary>While the log grows, a checkpoint is signed at once and then as often as this. Null: only when somebody asks.</summary>
    public TimeSpan? CheckpointInterval { get; init; }

    /// <summary>How long to wait for another process that has the directory open.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Aggregates whose heads the writer keeps in memory: at least so many of the newest, at most twice.</summary>
    public int HeadCacheEntries { get; init; } = Limits.HeadCacheDefault;

    /// <summary>What holds the directory, for the message to the next one who wants it.</summary>
    public string Holder { get; init; } = "a process that embeds EventDBX";

    /// <summary>How the store is checked after an unclean stop, before it is opened for writing.</summary>
    public StoreCheck Check { get; init; } = StoreCheck.InProcess;

    /// <summary>How long that check may take. It reads the tail of the log, so only a store that hangs it comes near.</summary>
    public TimeSpan CheckLimit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Told what an open does when it takes longer: one line each.</summary>
    public Action<string>? Progress { get; init; }

    /// <summary>
    /// Asked once the directory is this process's own and what was interrupted there is ended, before anything is opened. It may have waited for that, and what these options were made from may be
    /// another since: then it throws a <see cref="StoreRefusedException"/>.
    /// </summary>
    public Action? Locked { get; init; }

    /// <summary>The configuration that these options were made from: the only one outside the data directory that an interrupted restore puts its own in the place of. Null: there is none.</summary>
    public ConfigPlace? Config { get; init; }

    /// <summary>Told once, on the writer's thread, when the writer stops for good: no more writes until the database is opened again.</summary>
    public Action<Exception>? WriterFailed { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Fills a span with random bytes. Tests give a fixed source.</summary>
    internal Action<Span<byte>>? Random { get; init; }

    /// <summary>Puts something between the loop and the engine: the commit step as a test sees it.</summary>
    internal Func<IStorageEngine, IStorageEngine>? WrapEngine { get; init; }

    /// <summary>Commits in one group at most.</summary>
    internal int GroupCommits { get; init; } = Limits.GroupCommitsMax;

    /// <summary>How long the end of a rotation waits for reads that began before it.</summary>
    internal TimeSpan RotationReadersWait { get; init; } = Limits.RotationReadersWait;

    /// <summary>The lock of the directory, where the caller has it already; the open takes it over.</summary>
    internal DirectoryLock? Held { get; init; }

    /// <summary>Told each step of an exchange of pieces of the directory, as it is done.</summary>
    internal Action<string>? SwapReached { get; init; }

    /// <summary>Count syncs inside the store.</summary>
    internal bool EnableStatistics { get; init; }

    /// <summary>The keys to a store; null when none that was given is one of them.</summary>
    internal DataKeys? KeysOf(StoreRow store) => KeysOf(store, out _);

    /// <summary>The same, and which of those that were given it is.</summary>
    internal DataKeys? KeysOf(StoreRow store, out KeyAtHand which)
    {
        which = KeyAtHand.Current;
        if (Key is not null && DataKeys.Of(store, Key) is { } keys)
            return keys;
        which = KeyAtHand.Next;
        if (NextKey is not null && DataKeys.Of(store, NextKey) is { } next)
            return next;
        which = KeyAtHand.Retired;
        foreach (var retired in RetiredKeys)
        {
            if (DataKeys.Of(store, retired) is { } before)
                return before;
        }

        which = KeyAtHand.None;
        return null;
    }
}
