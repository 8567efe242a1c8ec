namespace EventDbx;

/// <summary>Why a request was refused. A closed list: adding a code makes every surface choose its answer.</summary>
public enum RefusalCode
{
    /// <summary>A name breaks a rule: empty, too long, control characters, <c>.</c> or <c>..</c>.</summary>
    InvalidName,

    /// <summary>The payload is not JSON we store: syntax, duplicate members, depth, encoding, numbers.</summary>
    InvalidPayload,

    /// <summary>The patch is no JSON Patch, does what an append may not, or does not apply to the state.</summary>
    InvalidPatch,

    /// <summary>Another argument is out of its range or form.</summary>
    InvalidArgument,

    /// <summary>A request has a member we do not know.</summary>
    UnknownMember,

    /// <summary>Something exceeds a limit of <see cref="Limits"/>.</summary>
    LimitExceeded,

    /// <summary>No such aggregate, version or position.</summary>
    NotFound,

    /// <summary>The aggregate exists already.</summary>
    AlreadyExists,

    /// <summary>The aggregate is archived and takes no appends.</summary>
    Archived,

    /// <summary>The aggregate has events and so cannot be removed.</summary>
    NotEmpty,

    /// <summary>The head is not at the version the caller expected.</summary>
    VersionConflict,

    /// <summary>The event id is known with other content.</summary>
    IdempotencyConflict,

    /// <summary>The queue of the writer is full; try again.</summary>
    Overloaded,

    /// <summary>The writer has stopped; the database must be reopened.</summary>
    Unavailable,

    /// <summary>What is stored is not what was committed.</summary>
    IntegrityViolation,

    /// <summary>No token, or one that is malformed, unknown, revoked or expired.</summary>
    Unauthenticated,

    /// <summary>The token is valid and does not allow this.</summary>
    PermissionDenied,

    /// <summary>The token has appended as many events as it may.</summary>
    WriteLimitReached,

    /// <summary>A schema is none: its JSON, a type, a rule, a name, or a change that would make it so.</summary>
    InvalidSchema,

    /// <summary>An event does not satisfy the schema, or has none where every aggregate type must.</summary>
    SchemaViolation,

    /// <summary>The cursor is from before a loss or restore: what followed it then is not what follows it now.</summary>
    CursorGone,

    /// <summary>The database is the mirror of another one: nothing is written but what its leader wrote.</summary>
    ReadOnly,

    /// <summary>Two databases have different histories where they should have the same.</summary>
    Diverged,

    /// <summary>The request is longer than a request may be.</summary>
    RequestTooLarge,

    /// <summary>The request did not arrive in time.</summary>
    RequestTimeout,

    /// <summary>The path exists, but not with this method.</summary>
    MethodNotAllowed,

    /// <summary>The body is not of a type that is read here.</summary>
    UnsupportedMediaType,

    /// <summary>More attempts to prove a secret than are looked at in so short a time.</summary>
    TooManyRequests,

    /// <summary>A fault of ours.</summary>
    Internal,
}

/// <summary>A refusal as a value.</summary>
/// <param name="Code">What kind of no.</param>
/// <param name="Message">Full sentences: what was refused, what was found, what would be accepted.</param>
public readonly record struct Refusal(RefusalCode Code, string Message)
{
    /// <summary>The head's real version, for <see cref="RefusalCode.VersionConflict"/>.</summary>
    public ulong? ActualVersion { get; init; }

    /// <summary>Which append of a batch was refused, counted from 0; null outside batches.</summary>
    public int? Operation { get; init; }

    /// <summary>Everything the event breaks, for <see cref="RefusalCode.SchemaViolation"/>; null otherwise.</summary>
    public IReadOnlyList<Schemas.SchemaViolation>? Violations { get; init; }

    /// <summary>The message without its place in a batch.</summary>
    public string Reason
    {
        get => field ?? Message;
        init;
    }

    /// <summary>The same refusal as that of a whole batch, for the sake of one of its operations.</summary>
    /// <param name="operation">Which, from 0.</param>
    /// <param name="count">How many there are.</param>
    public Refusal InBatch(int operation, int count) => this with
    {
        Message = PlaceIn(operation, count) + Message, Reason = Message, Operation = operation,
    };

    /// <summary>The same, where it does not say so yet; of a commit of one, as it is.</summary>
    internal Refusal Placed(int operation, int count) => Operation is not null || count == 1 ? this : InBatch(operation, count);

    /// <summary>Finds <see cref="Reason"/> again in a refusal that came over a wire, of a batch with so many operations.</summary>
    public Refusal FromBatch(int count) => Operation is { } operation && PlaceIn(operation, count) is var place && Message.StartsWith(place, StringComparison.Ordinal)
        ? this with { Reason = Message[place.Length..] }
        : this;

    /// <summary>The code as it stands in JSON: snake_case.</summary>
    public string Name => NameOf(Code);

    /// <summary>The code of that name; null when it is none of ours.</summary>
    public static RefusalCode? CodeOf(string? name)
    {
        foreach (var code in Enum.GetValues<RefusalCode>())
        {
            if (NameOf(code) == name)
                return code;
        }

        return null;
    }

    /// <summary>Nothing but somebody's hand makes it succeed, whatever its code usually means.</summary>
    public bool Final { get; init; }

    /// <summary>Whether the same request may succeed later without being changed.</summary>
    public bool Retryable => !Final && Code is RefusalCode.Overloaded or RefusalCode.Unavailable or RefusalCode.RequestTimeout or RefusalCode.TooManyRequests;

    /// <summary>The one table of code names; gRPC reasons and GraphQL extensions use the same strings.</summary>
    public static string NameOf(RefusalCode code) => code switch
    {
        RefusalCode.InvalidName => "invalid_name",
        RefusalCode.InvalidPayload => "invalid_payload",
        RefusalCode.InvalidPatch => "invalid_patch",
        RefusalCode.InvalidArgument => "invalid_argument",
        RefusalCode.UnknownMember => "unknown_member",
        RefusalCode.LimitExceeded => "limit_exceeded",
        RefusalCode.NotFound => "not_found",
        RefusalCode.AlreadyExists => "already_exists",
        RefusalCode.Archived => "archived",
        RefusalCode.NotEmpty => "not_empty",
        RefusalCode.VersionConflict => "version_conflict",
        RefusalCode.IdempotencyConflict => "idempotency_conflict",
        RefusalCode.Overloaded => "overloaded",
        RefusalCode.Unavailable => "unavailable",
        RefusalCode.IntegrityViolation => "integrity_violation",
        RefusalCode.Unauthenticated => "unauthenticated",
        RefusalCode.PermissionDenied => "permission_denied",
        RefusalCode.WriteLimitReached => "write_limit_reached",
        RefusalCode.InvalidSchema => "invalid_schema",
        RefusalCode.SchemaViolation => "schema_violation",
        RefusalCode.CursorGone => "cursor_gone",
        RefusalCode.ReadOnly => "read_only",
        RefusalCode.Diverged => "diverged",
        RefusalCode.RequestTooLarge => "request_too_large",
        RefusalCode.RequestTimeout => "request_timeout",
        RefusalCode.MethodNotAllowed => "method_not_allowed",
        RefusalCode.UnsupportedMediaType => "unsupported_media_type",
        RefusalCode.TooManyRequests => "too_many_requests",
        RefusalCode.Internal => "internal",
    };

    static string PlaceIn(int operation, int count) => $"Operation {operation + 1} of {count} was refused, so nothing of the batch was written: ";
}

/// <summary>A refusal on its way across a public method.</summary>
public sealed class RefusedException(Refusal refusal) : Exception(refusal.Message)
{
    public RefusedException(RefusalCode code, string message) : this(new Refusal(code, message)) { }

    public Refusal Refusal { get; } = refusal;
}

/// <summary>The directory was not opened, and nothing in it was changed (exit code 4).</summary>
public sealed class StoreRefusedException : Exception
{
    public StoreRefusedException(string message) : base(message) { }

    public StoreRefusedException(string message, Exception cause) : base(message, cause) { }

    /// <summary>Somebody else has it open: the same request may succeed later.</summary>
    public bool InUse { get; init; }

    /// <summary>The configuration is another one since these options were made from it: options that are made from the one of now may open it.</summary>
    public bool ConfigReplaced { get; init; }

    /// <summary>Its storage format, where that is another one than this version reads; else null.</summary>
    public int? OtherFormat { get; init; }
}
