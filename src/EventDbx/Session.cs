using EventDbx.Access;
using EventDbx.Telemetry;
using EventDbx.Transfer;

namespace EventDbx;

/// <summary>What one caller may do. Every surface goes through it; a surface translates and decides nothing.</summary>
/// <remarks>Thread-safe. A cancelled call stops waiting; what has joined the writer's queue is committed all the same.</remarks>
public sealed partial class Session : IImportTarget
{
    readonly Database _database;
    readonly Func<AggregateKey, ReadOnlyMemory<byte>> _findWrappedKey;
    readonly TokenAllowance? _allowance;
    readonly string? _origin;

    internal Session(Database database, Actor? actor, Grants grants, TokenAllowance? allowance, string? origin = null)
    {
        if (CheckActor(actor) is { } refusal)
            throw new RefusedException(refusal);
        (_database, Actor, Grants, _allowance, _origin, _findWrappedKey) = (database, actor, grants, allowance, origin, FindWrappedKey);
    }

    /// <summary>Who this is; stands in every entry it makes.</summary>
    public Actor? Actor { get; }

    /// <summary>From where it writes, as its control entries say it (<see cref="From"/>); null: nobody said.</summary>
    public string? Origin => _origin;

    /// <summary>What it may do. Every verb asks here before it does anything else.</summary>
    public Grants Grants { get; }

    /// <summary>The same caller, whose control entries say from where they were made.</summary>
    /// <param name="origin">A few plain words, such as <c>socket</c> or <c>rest 192.0.2.1</c>.</param>
    /// <exception cref="ArgumentException">Not that.</exception>
    public Session From(string origin) => new(_database, Actor, Grants, _allowance, Commit.ControlOrigin.Checked(origin));

    /// <summary>The one place where a caller is told no.</summary>
    /// <param name="action">What is wanted.</param>
    /// <param name="aggregate">On what; null: on anything at all.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    public void Demand(AccessAction action, AggregateKey? aggregate = null)
    {
        if (Grants.Allows(action, aggregate))
            return;
        var name = AccessActions.NameOf(action);
        throw new RefusedException(RefusalCode.PermissionDenied, aggregate is null
            ? $"This token does not allow {name}{(action is AccessAction.FeedRead or AccessAction.LogRead ? " on everything" : "")}. Use one that has been given it."
            : Grants.Allows(action)
                ? $"This token allows {name}, but not on {aggregate}. Use one whose resources reach it."
                : $"This token does not allow {name}. Use one that has been given it.");
    }

    /// <summary>For what only root may do: tokens, the server itself.</summary>
    /// <param name="what">As it follows "only a root token may".</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    public void DemandRoot(string what)
    {
        if (!Grants.Root)
            throw new RefusedException(RefusalCode.PermissionDenied, $"Only a root token may {what}.");
    }

    /// <summary>Appends one event and answers once it is on disk; a known event id answers with its original.</summary>
    /// <exception cref="RefusedException">Nothing was written.</exception>
    public async Task<AppendResult> AppendAsync(EventDraft draft, CancellationToken cancellation)
    {
        try
        {
            Demand(AccessAction.AggregateAppend, draft.Aggregate);
            _database.DemandLeads();
            cancellation.ThrowIfCancellationRequested();
            var operation = Prepare(draft);
            var outcomes = await (operation.Patch is null ? CommitAsync(new(operation), cancellation) : CommitAppendsAsync([operation], cancellation)).ConfigureAwait(false);
            return Answer(draft.Aggregate, outcomes[0]);
        }
        catch (RefusedException refused) when (_database.Telemetry.Refused.Note(refused, 1))
        {
            throw;
        }
    }

    /// <summary>Appends up to <see cref="Limits.BatchEventsMax"/> events, all or nothing, one after the other in the log.</summary>
    /// <exception cref="RefusedException">Nothing was written.</exception>
    public async Task<IReadOnlyList<AppendResult>> AppendBatchAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation)
    {
        try
        {
            Demand(AccessAction.AggregateAppend);
            foreach (var draft in drafts)
                Demand(AccessAction.AggregateAppend, draft.Aggregate);
            _database.DemandLeads();
            cancellation.ThrowIfCancellationRequested();
            return await CommitBatchAsync(PrepareAll(drafts, Prepare), cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (_database.Telemetry.Refused.Note(refused, drafts.Count))
        {
            throw;
        }
    }

    /// <summary>Takes up records that were committed elsewhere, all or nothing: they keep id, time, actor, note and salt.</summary>
    /// <exception cref="RefusedException">Nothing was written. A record whose hash or root does not agree is an <see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public async Task<IReadOnlyList<AppendResult>> ImportAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation)
    {
        try
        {
            Demand(AccessAction.RecordsImport);
            foreach (var record in records)
                Demand(AccessAction.RecordsImport, record.Draft.Aggregate);
            _database.DemandLeads();
            cancellation.ThrowIfCancellationRequested();
            return await CommitBatchAsync(PrepareAll(records, Prepare), cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (_database.Telemetry.Refused.Note(refused, records.Count))
        {
            throw;
        }
    }

    Task<Outcome[]> CommitControlAsync(string kind, string subject, byte[] body, CancellationToken cancellation) => CommitAsync(
        new(new ControlOperation { Aggregate = ControlOperation.AboutTheDatabase, Actor = Actor, Origin = _origin, Kind = kind, Subject = subject, Body = body }),
        cancellation);

    /// <summary>Makes an aggregate without events, at version 0.</summary>
    public async Task<AggregateState> CreateAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateArchive, aggregate);
        _database.DemandLeads();
        // Whether it exists is nobody's to ask here.
        if (!Sight.ShowsType(aggregate))
            throw new RefusedException(RefusalCode.PermissionDenied, $"The aggregate type `{aggregate.Type}` is hidden: only a root token may create aggregates of it.");
        var outcomes = await CommitAsync(new(Prepare(Lifecycle.Create, aggregate, comment)), cancellation).ConfigureAwait(false);
        return Sight.OfAnswer(outcomes[0].State!);
    }

    /// <summary>Removes an aggregate that has no events.</summary>
    public Task RemoveAsync(AggregateKey aggregate, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateArchive, aggregate);
        _database.DemandLeads();
        DemandSight(aggregate);
        return CommitAsync(new(Prepare(Lifecycle.Remove, aggregate, null)), cancellation);
    }

    /// <summary>Takes an aggregate out of the hot set: it can be read and verified, and takes no appends. Twice is once.</summary>
    public async Task<AggregateState> ArchiveAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateArchive, aggregate);
        _database.DemandLeads();
        DemandSight(aggregate);
        var outcomes = await CommitAsync(new(Prepare(Lifecycle.Archive, aggregate, comment)), cancellation).ConfigureAwait(false);
        return Sight.OfAnswer(outcomes[0].State!);
    }

    /// <summary>Brings an archived aggregate back. One that is not archived stays as it is.</summary>
    public async Task<AggregateState> RestoreAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateArchive, aggregate);
        _database.DemandLeads();
        DemandSight(aggregate);
        var outcomes = await CommitAsync(new(Prepare(Lifecycle.Restore, aggregate, comment)), cancellation).ConfigureAwait(false);
        return Sight.OfAnswer(outcomes[0].State!);
    }

    /// <summary>Keeps the state of an aggregate, archived or not, as it is now.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>.</exception>
    public async Task<Snapshot> SnapshotAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateArchive, aggregate);
        _database.DemandLeads();
        DemandSight(aggregate);
        if (CheckNote(comment) is { } refusal)
            throw new RefusedException(refusal);
        var outcomes = await CommitAsync(new(new SnapshotOperation { Aggregate = aggregate, Actor = Actor, Origin = _origin, Comment = comment }), cancellation).ConfigureAwait(false);
        return Sight.OfAnswer(outcomes[0].Snapshot!);
    }

    async Task<IReadOnlyList<bool>> IImportTarget.TakeDraftsAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation) =>
        WhichAreNew(await AppendBatchAsync(drafts, cancellation).ConfigureAwait(false));

    async Task<IReadOnlyList<bool>> IImportTarget.TakeRecordsAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation) =>
        WhichAreNew(await ImportAsync(records, cancellation).ConfigureAwait(false));

    static bool[] WhichAreNew(IReadOnlyList<AppendResult> results) => [.. results.Select(result => result.Appended)];

    async Task<IReadOnlyList<AppendResult>> CommitBatchAsync(AppendOperation[] operations, CancellationToken cancellation)
    {
        if (operations.Length == 0)
            return [];
        CheckBatch(operations);
        var outcomes = await CommitAppendsAsync(operations, cancellation).ConfigureAwait(false);
        var results = new AppendResult[outcomes.Length];
        for (var i = 0; i < outcomes.Length; i++)
            results[i] = Answer(operations[i].Aggregate, outcomes[i]);
        return results;
    }

    /// <summary>What the writer relies on: no id twice, and not more than may come at once.</summary>
    static void CheckBatch(AppendOperation[] operations)
    {
        var bytes = 0L;
        var ids = new HashSet<(AggregateKey, Guid)>();
        foreach (var operation in operations)
        {
            bytes += operation.Payload.Text.Length + operation.PatchBytes;
            if (operation.Fingerprint is not null && !ids.Add((operation.Aggregate, operation.EventId)))
                throw new RefusedException(RefusalCode.InvalidArgument, $"Event id {operation.EventId} stands twice in the batch for {operation.Aggregate}; each id may stand once.");
        }

        if (bytes > Limits.RequestBytesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"A batch with {bytes} bytes of payloads; at most {Limits.RequestBytesMax} are taken at once.");
    }

    async Task<Outcome[]> CommitAsync(PendingCommit commit, CancellationToken cancellation)
    {
        using var span = _database.Telemetry.BeginCommit(commit);
        var joinedAt = span is null ? 0 : System.Diagnostics.Stopwatch.GetTimestamp();
        var outcomes = await _database.Loop.CommitAsync(commit).WaitAsync(cancellation).ConfigureAwait(false);
        if (span is not null)
            DatabaseMeter.EndCommit(span, commit, joinedAt);
        if (commit.Refused)
        {
            var at = Array.FindIndex(outcomes, o => o.Refusal is not null);
            throw new RefusedException(Told(commit.Operations[at], outcomes[at].Refusal!.Value).Placed(at, outcomes.Length));
        }

        return outcomes;
    }

    /// <summary>A refusal as this caller is told it: of a hidden type, nothing of what is there.</summary>
    Refusal Told(Operation operation, in Refusal refusal)
    {
        if (operation is not AppendOperation append || Sight.ShowsType(append.Aggregate))
            return refusal;
        return refusal.Code switch
        {
            RefusalCode.VersionConflict => new(RefusalCode.VersionConflict, $"{append.Aggregate} is not at the version that the append expected. Its type is hidden, and so is its version."),
            RefusalCode.LimitExceeded => new(RefusalCode.LimitExceeded, $"With this event {append.Aggregate} or the batch would exceed a limit. Its type is hidden, and so is its size."),
            _ => refusal,
        };
    }

    AppendResult Answer(AggregateKey aggregate, in Outcome outcome)
    {
        if (outcome.Record is { } record)
            return new(Sight.Of(record), Appended: true);
        using var reader = _database.OpenReader();
        var original = reader.FindEvent(aggregate, outcome.KnownVersion)
            ?? throw Violation.Of($"Version {outcome.KnownVersion} of {aggregate} is known by its id and missing from the index.");
        return new(Sight.Of(original), Appended: false);
    }

    /// <summary>Prepares a whole batch; a refusal says which of it.</summary>
    static AppendOperation[] PrepareAll<T>(IReadOnlyList<T> items, Func<T, AppendOperation> prepare)
    {
        if (items.Count > Limits.BatchEventsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"A batch of {items.Count} appends; at most {Limits.BatchEventsMax} are taken at once.");
        var operations = new AppendOperation[items.Count];
        for (var i = 0; i < operations.Length; i++)
        {
            try
            {
                operations[i] = prepare(items[i]);
            }
            catch (RefusedException refused)
            {
                throw new RefusedException(refused.Refusal with { Operation = i });
            }
        }

        return operations;
    }

    /// <summary>An append of this caller's own: it asks nothing about what it is not shown.</summary>
    AppendOperation Prepare(EventDraft draft)
    {
        var operation = Prepare(draft, Actor, null);
        var sight = Sight;
        if (operation.Patch is { } patch)
        {
            return sight.ShowsAll(draft.Aggregate, patch) ? operation : throw new RefusedException(
                RefusalCode.PermissionDenied, "The patch reaches into what a schema hides from this token. Send the fields as a payload, or use a root token.");
        }

        operation.KnownToItsActorOnly = !sight.ShowsAll(draft.Aggregate, operation.Payload);
        return operation;
    }

    AppendOperation Prepare(EventImport record)
    {
        if (record.Salt.Length is not (0 or EventBody.SaltBytes))
            throw new RefusedException(RefusalCode.InvalidArgument, $"A salt has {EventBody.SaltBytes} bytes; this one has {record.Salt.Length}.");
        if (record.Draft.EventId is null)
            throw new RefusedException(RefusalCode.InvalidArgument, "A record has an event id; this one has none.");
        if (record.Version == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "A record says version 0; the first event of an aggregate has version 1.");
        if (CheckActor(record.Actor) is { } refusal)
            throw new RefusedException(refusal);
        return Prepare(record.Draft, record.Actor, record);
    }

    /// <summary>Everything that can be done without the head, on the caller's thread: check, minify, salt, seal.</summary>
    AppendOperation Prepare(EventDraft draft, Actor? actor, EventImport? import, bool merges = false)
    {
        if (CheckMembers(draft) is { } refusal)
            throw new RefusedException(refusal);
        JsonPatch? patch = null;
        if (draft.Patch is { } sent && !AppendPatch.TryParse(sent.Span, draft.Payload, out patch, out refusal))
            throw new RefusedException(refusal);
        // Of a patch this is its own text, for the fingerprint; what it leads to the writer will know.
        if (!JsonPayload.TryParse(draft.Patch is { } text ? text.Span : draft.Payload.Span, out var content, out refusal))
            throw new RefusedException(refusal);

        Span<byte> random = stackalloc byte[EventBody.SaltBytes + 10];
        _database.Nonces.Take(random);
        var salt = import is { Salt.Length: > 0 } ? import.Salt.ToArray() : random[..EventBody.SaltBytes].ToArray();
        var id = draft.EventId ?? _database.MadeIds.New(draft.Aggregate, Timestamp.From(_database.Clock.GetUtcNow()), random[EventBody.SaltBytes..]);
        var type = Encoding.UTF8.GetBytes(draft.EventType);
        var cipher = _database.Keyring.ForAppend(draft.Aggregate, _findWrappedKey);
        var kind = patch is null ? RequestFingerprint.Payload : RequestFingerprint.Patch;
        // Not refused here: a known event id is answered whatever the schema has become since.
        var schema = _database.Schemas.Find(draft.Aggregate.Type, out var revision);
        var violation = patch is null && !merges
            ? Schemas.SchemaEnforcement.Check(schema, _database.Restriction, draft.Aggregate, draft.EventType, content, import is not null)
            : null;
        return new()
        {
            Allowance = _allowance, CheckedRevision = revision, SchemaRefusal = violation,
            Aggregate = draft.Aggregate, Actor = actor, EventType = draft.EventType, EventTypeUtf8 = type, Patch = patch,
            Payload = patch is null ? content : default, PatchBytes = patch is null ? 0 : content.Text.Length,
            Note = draft.Note, ExpectedVersion = draft.ExpectedVersion, EventId = id, Salt = salt, Cipher = cipher, Import = import, Merges = merges,
            Fingerprint = draft.EventId is null ? null : RequestFingerprint.Of(kind, type, content.Text.Span, draft.Note),
            SealedBody = patch is null ? EventBody.Seal(cipher, id, salt, content.Text.Span, _database.Nonces) : [],
        };
    }

    LifecycleOperation Prepare(Lifecycle kind, AggregateKey aggregate, string? comment, ulong? expectedVersion = null)
    {
        if (CheckNote(comment) is { } refusal)
            throw new RefusedException(refusal);
        return new()
        {
            Aggregate = aggregate, Actor = Actor, Origin = _origin, Kind = kind, Comment = comment, ExpectedVersion = expectedVersion,
            Cipher = kind == Lifecycle.Create ? _database.Keyring.ForAppend(aggregate, _findWrappedKey) : null,
        };
    }

    ReadOnlyMemory<byte> FindWrappedKey(AggregateKey aggregate)
    {
        using var reader = _database.OpenReader();
        return reader.FindWrappedKey(aggregate);
    }

    internal static Refusal? CheckActor(Actor? actor) => actor is null
        ? null
        : Names.Check("group", actor.Group, Limits.TypeBytesMax) ?? Names.Check("user", actor.User, Limits.TypeBytesMax);

    internal static Refusal? CheckMembers(EventDraft draft) =>
        Names.Check("event_type", draft.EventType, Limits.TypeBytesMax) ?? CheckNote(draft.Note) ?? CheckId(draft.EventId);

    /// <summary>Unicode scalar values of a text; null when half of a surrogate pair makes it none.</summary>
    static int? CountScalars(string text)
    {
        var scalars = 0;
        for (var at = 0; at < text.Length; scalars++)
        {
            if (Rune.DecodeFromUtf16(text.AsSpan(at), out _, out var used) != System.Buffers.OperationStatus.Done)
                return null;
            at += used;
        }

        return scalars;
    }

    static Refusal? CheckText(string what, string? text) => text is not null && CountScalars(text) is null
        ? new Refusal(RefusalCode.InvalidArgument, $"{what} holds half of a surrogate pair, which UTF-8 cannot carry.")
        : null;

    internal static Refusal? CheckNote(string? note)
    {
        if (note is null)
            return null;
        if (CountScalars(note) is not { } scalars)
            return new(RefusalCode.InvalidArgument, "The note holds half of a surrogate pair, which UTF-8 cannot carry.");
        return scalars <= Limits.NoteScalarsMax
            ? null
            : new(RefusalCode.LimitExceeded, $"The note has {scalars} characters; at most {Limits.NoteScalarsMax} are accepted.");
    }

    internal static Refusal? CheckId(Guid? id) => id is { } value && (value == Guid.Empty || value == Guid.AllBitsSet)
        ? new Refusal(RefusalCode.InvalidArgument, "The nil and the max UUID name nothing; choose any other as event id.")
        : null;

    static RefusedException NotFound(AggregateKey aggregate) => new(RefusalCode.NotFound, $"There is no aggregate {aggregate}.");
}
