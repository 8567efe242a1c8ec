namespace EventDbx.Commit;

/// <summary>One thing to be committed, checked as far as it can be without the head.</summary>
internal abstract class Operation
{
    public required AggregateKey Aggregate { get; init; }

    public Actor? Actor { get; init; }

    /// <summary>From where it was asked for, for its control entry; null: nobody says.</summary>
    public string? Origin { get; init; }

    /// <summary>The entry as the log already has it, when an index is rebuilt: written again byte for byte.</summary>
    public EntryRow? Recorded { get; init; }

    /// <summary>Whether <see cref="Recorded"/> is of another store's log, of which this one is the mirror: the same entry, its key wrapped with a data key of this store.</summary>
    public bool Mirrored { get; init; }

    /// <summary>Bytes it adds to a group, roughly: what the queue and the group are bounded by.</summary>
    public abstract int Bytes { get; }
}

/// <summary>An append: everything that does not need the head has been done on the caller's thread.</summary>
internal sealed class AppendOperation : Operation
{
    public required string EventType { get; init; }

    public required byte[] EventTypeUtf8 { get; init; }

    /// <summary>
    /// It sets what its sender is not shown: that its event id is known, and with what content, is told to the sender of the original alone.
    /// </summary>
    public bool KnownToItsActorOnly { get; set; }

    /// <summary>What is to be stored. Of a patch it is made by the writer, on the state it commits on.</summary>
    public JsonPayload Payload { get; set; }

    /// <summary>Instead of a payload.</summary>
    public JsonPatch? Patch { get; init; }

    public string? Note { get; init; }

    public ulong? ExpectedVersion { get; init; }

    public required Guid EventId { get; init; }

    /// <summary>SHA-256 of the request, when the client chose the event id. Of an event that a patch asked for and that is recorded already, only <see cref="StoredFingerprint"/> is known.</summary>
    public Hash32? Fingerprint { get; init; }

    /// <summary>The fingerprint as the store keeps it: where it is sealed, nobody without the aggregate's key can hold a guess against it.</summary>
    /// <param name="cipher">Of the aggregate; null in a plain store.</param>
    public Hash32 StoredFingerprint(AggregateCipher? cipher) =>
        Recorded is { } recorded && (recorded.Flags & EntryRow.RowFlags.Patch) != 0 ? recorded.PatchFingerprint
        : cipher is null ? Fingerprint!.Value
        : cipher.HideFingerprint(Fingerprint!.Value);

    /// <summary>16 bytes.</summary>
    public required byte[] Salt { get; init; }

    /// <summary>The cipher <see cref="SealedBody"/> was sealed with; null in a plain store.</summary>
    public AggregateCipher? Cipher { get; init; }

    /// <summary>Sealed {salt, payload}; of a patch made by the writer.</summary>
    public byte[] SealedBody { get; set; } = [];

    /// <summary>The revision of the schema that the caller has checked it against.</summary>
    public ulong CheckedRevision { get; init; }

    /// <summary>What came of that.</summary>
    public Refusal? SchemaRefusal { get; init; }

    /// <summary>The token whose write this spends, when it has a limit.</summary>
    public Access.TokenAllowance? Allowance { get; set; }

    /// <summary>Writes of that token that are promised to other events already: in a rehearsal, those that wait elsewhere.</summary>
    public ulong Reserved { get; set; }

    /// <summary>Bytes of the patch: what it brings is about what it makes.</summary>
    public int PatchBytes { get; init; }

    /// <summary>Its leaf, where that was computed from its content already: of a mirrored event, whose whole page was. It holds behind <see cref="EntryRow.PreviousRoot"/> alone.</summary>
    public Hash32? Leaf { get; init; }

    /// <summary>For imported records: what they bring along.</summary>
    public EventImport? Import { get; init; }

    /// <summary>
    /// An event of another database's history, with version, salt, hash and root: known by version and hash instead of its id, taken by an archived
    /// aggregate as well, held against no schema.
    /// </summary>
    public bool Merges { get; init; }

    public override int Bytes => 512 + SealedBody.Length + PatchBytes;
}

/// <summary>What a lifecycle operation does to its aggregate.</summary>
internal enum Lifecycle
{
    Create,
    Remove,
    Archive,
    Restore,
}

/// <summary>Create, remove, archive or restore one aggregate, with its control entry.</summary>
internal sealed class LifecycleOperation : Operation
{
    public required Lifecycle Kind { get; init; }

    public string? Comment { get; init; }

    /// <summary>Only at this version; null: at any. An archived aggregate stays at its own.</summary>
    public ulong? ExpectedVersion { get; init; }

    /// <summary>A cipher to begin with, for <see cref="Lifecycle.Create"/> in an encrypted store.</summary>
    public AggregateCipher? Cipher { get; init; }

    public override int Bytes => 1024;
}

/// <summary>The engine's own memory of a state at a version, so that old versions stay cheap to read. No log entry.</summary>
internal sealed class FoldPointOperation : Operation
{
    public required ulong Version { get; init; }

    public required byte[] Fields { get; init; }

    /// <summary>A snapshot that a schema asked for, of a state too large to be in the commit that crossed it; null for a fold point.</summary>
    public AutomaticSnapshot? Snapshot { get; init; }

    public override int Bytes => 256 + Fields.Length;
}

/// <summary>What a snapshot says beside its state.</summary>
internal readonly record struct AutomaticSnapshot(Hash32 Root, long CreatedAt);

/// <summary>Keeps the state of an aggregate as it is now, or was at an earlier version, with its control entry.</summary>
internal sealed class SnapshotOperation : Operation
{
    public string? Comment { get; init; }

    /// <summary>Which version; null: the newest.</summary>
    public ulong? Version { get; init; }

    /// <summary>The state at that version, where somebody has folded it already.</summary>
    public KeptState? Kept { get; init; }

    /// <summary>Only while so many were taken by somebody, else <see cref="Outcome.Overtaken"/>: what is missing was found out before, and others may take the same meanwhile. Null: at any.</summary>
    public uint? Taken { get; init; }

    public override int Bytes => 1024 + (Kept?.Fields.Length ?? 0);
}

/// <summary>The state of an aggregate at some version.</summary>
internal sealed record KeptState(byte[] Fields, Hash32 Root);

/// <summary>A control entry about the database itself; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class ControlOperation : Operation
{
    /// <summary>Touches no aggregate; the member has to hold something.</summary>
    public static AggregateKey AboutTheDatabase { get; } = AggregateKey.Create("eventdbx", "database");

    public required string Kind { get; init; }

    public required string Subject { get; init; }

    /// <summary>A JSON object.</summary>
    public required byte[] Body { get; init; }

    public override int Bytes => 256 + Body.Length;
}

/// <summary>The schema of an aggregate type changes; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class SchemaOperation : Operation
{
    /// <summary>The kind of its control entry.</summary>
    public const string Kind = "schema_change";

    public required string Type { get; init; }

    /// <summary>Null takes it away.</summary>
    public required Schemas.AggregateSchema? Schema { get; init; }

    /// <summary>{"schema": …} or {"schema": null}.</summary>
    public required byte[] Body { get; init; }

    public override int Bytes => 256 + (2 * Body.Length);

    public static byte[] BodyOf(Schemas.AggregateSchema? schema) =>
        Encoding.UTF8.GetBytes($"{{\"schema\":{(schema is null ? "null" : Schemas.SchemaJson.Text(schema))}}}");
}

/// <summary>What the store remembers of a token changes. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class TokenOperation : Operation
{
    public required Guid Token { get; init; }

    /// <summary>It lives at least until then.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>It is revoked or replaced, for good.</summary>
    public bool Dead { get; init; }

    /// <summary>Its allowance ends here: what is left of this limit is the outcome, and nobody can spend it any more.</summary>
    public ulong? CloseAt { get; init; }

    /// <summary>Nothing is to be remembered any more.</summary>
    public bool Forget { get; init; }

    public override int Bytes => 256;
}

/// <summary>A sealed document has a newer revision. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class DocumentOperation : Operation
{
    public required string Name { get; init; }

    public required DocumentRow Row { get; init; }

    public override int Bytes => 128 + Name.Length;
}

/// <summary>The row of a checkpoint is put or amended. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class CheckpointOperation : Operation
{
    public required uint Epoch { get; init; }

    /// <summary>What <see cref="Note"/> says.</summary>
    public required Checkpoints.Checkpoint Checkpoint { get; init; }

    public required Checkpoints.SignedNote Note { get; init; }

    /// <summary>100 ns since 1970-01-01Z, for one that is new.</summary>
    public long SignedAt { get; init; }

    /// <summary>Whether it may be new. Else it must be there.</summary>
    public bool IsNew { get; init; }

    /// <summary>Somebody gets to see it: it is kept.</summary>
    public bool HandOut { get; init; }

    public override int Bytes => 512 + Note.Text.Length + (256 * Note.Signatures.Count);
}

/// <summary>What became of one operation.</summary>
internal readonly struct Outcome
{
    /// <summary>The new event.</summary>
    public EventRecord? Record { get; init; }

    /// <summary>The aggregate as a create, archive or restore left it: what comes after it in the log plays no part.</summary>
    public AggregateState? State { get; init; }

    /// <summary>The snapshot that was taken.</summary>
    public Snapshot? Snapshot { get; init; }

    /// <summary>What was left of an allowance that was closed.</summary>
    public ulong Remaining { get; init; }

    /// <summary>The version of the original, when the event id was known.</summary>
    public ulong KnownVersion { get; init; }

    /// <summary>Nothing was done, for what it was to be done on has changed: look again.</summary>
    public bool Overtaken { get; init; }

    public Refusal? Refusal { get; init; }
}

/// <summary>Operations that commit together or not at all, and the caller who waits for them.</summary>
internal sealed class PendingCommit
{
    // Continuations run elsewhere: a caller's code must never run inside the writer.
    readonly TaskCompletionSource<Outcome[]> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PendingCommit(params Operation[] operations)
    {
        Operations = operations;
        Outcomes = new Outcome[operations.Length];
        foreach (var operation in operations)
            Bytes += operation.Bytes;
    }

    public Operation[] Operations { get; }

    public Outcome[] Outcomes { get; }

    public int Bytes { get; }

    /// <summary>The position that its first entry has to have; null: whichever comes next.</summary>
    public ulong? At { get; init; }

    /// <summary>Only to see whether it would be refused: planned, and taken back.</summary>
    public bool Rehearsal { get; init; }

    /// <summary>Whether planning ended in a refusal: then nothing of it is written.</summary>
    public bool Refused { get; private set; }

    public Task<Outcome[]> Completion => _done.Task;

    public void Begin()
    {
        Refused = false;
        Array.Clear(Outcomes);
    }

    /// <summary>The whole commit is refused because of one operation.</summary>
    public void Refuse(int operation, in Refusal refusal)
    {
        Array.Clear(Outcomes);
        var because = Operations.Length == 1
            ? refusal
            : refusal.InBatch(operation, Operations.Length);
        Outcomes[operation] = new() { Refusal = because };
        Refused = true;
    }

    /// <summary>When the writer took it up, for those who trace it: a timestamp of <see cref="System.Diagnostics.Stopwatch"/>; 0 before.</summary>
    public long TakenAt { get; private set; }

    /// <summary>How many commits were in its group.</summary>
    public int GroupCommits { get; private set; }

    /// <summary>Adds its appends to those that were taken: new ones, and known ones. None of a commit that was refused.</summary>
    public void Count(ref int appended, ref int known)
    {
        if (Refused || Rehearsal)
            return;
        for (var i = 0; i < Operations.Length; i++)
        {
            if (Operations[i] is not AppendOperation)
                continue;
            if (Outcomes[i].KnownVersion != 0)
                known++;
            else
                appended++;
        }
    }

    /// <param name="takenAt">When its group was taken up.</param>
    /// <param name="groupCommits">How many were in it.</param>
    public void Complete(long takenAt, int groupCommits)
    {
        (TakenAt, GroupCommits) = (takenAt, groupCommits);
        _done.TrySetResult(Outcomes);
    }

    /// <summary>No effect on a commit that already has its answer.</summary>
    public void Fail(Exception cause) => _done.TrySetException(cause);
}
