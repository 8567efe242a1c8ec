using EventDbx.Mirroring;

namespace EventDbx.Commit;

/// <summary>Everything that is no append: lifecycle, fold points, control entries about the database.</summary>
internal sealed partial class GroupPlanner
{
    Outcome PlanLifecycle(LifecycleOperation operation, IStorageView view, WritePlan plan)
    {
        var entry = Load(operation.Aggregate, view);
        var exists = entry.Head is not null || entry.Archived;
        if (operation.Kind == Lifecycle.Create)
            return exists
                ? Refuse(RefusalCode.AlreadyExists, $"{operation.Aggregate} exists already{(entry.Archived ? " and is archived" : $" at version {entry.Head!.Version}")}.")
                : PlanCreate(operation, entry, plan);
        if (!exists)
            return Refuse(RefusalCode.NotFound, $"There is no aggregate {operation.Aggregate}.");
        if (operation.ExpectedVersion is { } expected && !entry.Archived && entry.Head!.Version != expected)
        {
            return new()
            {
                Refusal = new(RefusalCode.VersionConflict, $"{operation.Aggregate} is at version {entry.Head.Version}, and not at version {expected} any more.") { ActualVersion = entry.Head.Version },
            };
        }

        // Asking for what is so already is answered without an entry; an entry of it was never written.
        if (operation is { Recorded: not null, Kind: Lifecycle.Archive or Lifecycle.Restore } && entry.Archived == (operation.Kind == Lifecycle.Archive))
            return Refuse(RefusalCode.IntegrityViolation, $"{operation.Aggregate} is {(entry.Archived ? "archived already" : "not archived")}.");
        return operation.Kind switch
        {
            Lifecycle.Remove => PlanRemove(operation, entry, view, plan),
            Lifecycle.Archive => entry.Archived ? Left(ReadArchived(entry, view), entry) : PlanArchive(operation, entry, view, plan),
            Lifecycle.Restore => entry.Archived ? PlanRestore(operation, entry, view, plan) : Left(entry, entry.Head!, ReadState(entry, view)),
            Lifecycle.Create => throw new InvalidOperationException("Create was planned above."),
        };
    }

    Outcome PlanCreate(LifecycleOperation operation, HeadEntry entry, WritePlan plan)
    {
        Touch(entry, inBatch: false);
        entry.Cipher = operation.Recorded is null || operation.Mirrored ? keyring.WithCurrent(operation.Cipher) : operation.Cipher;
        var now = operation.Recorded?.CreatedAt ?? Now();
        var position = PutControl(LifecycleNames.Create, operation, now, entry.Cipher, plan);
        entry.Blob = StateText.Empty;
        entry.Head = new()
        {
            CreatedAt = now, UpdatedAt = now, FirstPosition = position, LastPosition = position,
            WrappedKey = entry.Cipher?.Wrapped ?? default,
        };
        return Left(entry, entry.Head, StateText.Empty);
    }

    Outcome PlanRemove(LifecycleOperation operation, HeadEntry entry, IStorageView view, WritePlan plan)
    {
        if (entry.Archived)
            return Refuse(RefusalCode.Archived, $"{operation.Aggregate} is archived and cannot be removed; restore it first.");
        if (entry.Head!.Version > 0)
            return Refuse(RefusalCode.NotEmpty,
                $"{operation.Aggregate} has events, and history is never deleted; only an aggregate at version 0 can be removed. Archive it instead.");
        Touch(entry, inBatch: false);
        PutControl(LifecycleNames.Remove, operation, Now(), null, plan);
        plan.Delete(Family.Heads, entry.Aggregate.Row);
        // The next aggregate of this name is another one, with another key: it must not find the snapshots of this one.
        DeleteSnapshots(entry.Aggregate, view, plan);
        DropWaiting(entry.Aggregate, view, plan);
        Reshape(entry);
        return default;
    }

    Outcome PlanArchive(LifecycleOperation operation, HeadEntry entry, IStorageView view, WritePlan plan)
    {
        var head = entry.Head!;
        var fields = ReadState(entry, view);
        Touch(entry, inBatch: false);
        var now = operation.Recorded?.CreatedAt ?? Math.Max(Now(), head.UpdatedAt);
        PutControl(LifecycleNames.Archive, operation, now, null, plan);
        Checked.Put(plan, Family.Archive, entry.Aggregate.Row, ArchiveRow.Write(entry.Aggregate, head, fields, now, entry.Cipher, nonces));
        StateRows.Delete(view, entry.Aggregate, head.StateForm, plan);
        plan.Delete(Family.Heads, entry.Aggregate.Row);
        Reshape(entry);
        return new() { State = StoreReader.Show(entry.Aggregate, head, archived: true, fields) };
    }

    Outcome PlanRestore(LifecycleOperation operation, HeadEntry entry, IStorageView view, WritePlan plan)
    {
        var archived = ReadArchived(entry, view);
        Touch(entry, inBatch: false);
        PutControl(LifecycleNames.Restore, operation, Math.Max(Now(), archived.Head.UpdatedAt), null, plan);
        StateRows.PutAll(plan, entry.Aggregate, archived.Head, archived.Cipher, archived.Fields, nonces);
        PutHeadRow(entry.Aggregate, archived.Head, plan);
        plan.Delete(Family.Archive, entry.Aggregate.Row);
        Reshape(entry);
        return Left(entry, archived.Head, archived.Fields);
    }

    // A lifecycle operation ends the group before it if that changed its aggregate, so the view has the state as it is.
    static byte[] ReadState(HeadEntry entry, IStorageView view) => StateRows.Read(view, entry.Aggregate, entry.Head!, entry.Cipher);

    ArchiveRow ReadArchived(HeadEntry entry, IStorageView view) =>
        ArchiveRow.Read(entry.Aggregate, Checked.Get(view, Family.Archive, entry.Aggregate.Row)!.Value, keyring);

    static Outcome Left(HeadEntry entry, HeadRow head, byte[] fields) =>
        new() { State = StoreReader.Show(entry.Aggregate, head, archived: false, fields) };

    static Outcome Left(ArchiveRow archived, HeadEntry entry) =>
        new() { State = StoreReader.Show(entry.Aggregate, archived.Head, archived: true, archived.Fields) };

    /// <summary>The rows of this aggregate are of another kind now: nothing more of it in this group, and read it anew after.</summary>
    void Reshape(HeadEntry entry)
    {
        entry.Reshaped = true;
        _reshaped.Add(entry.Aggregate);
    }

    readonly List<AggregateKey> _reshaped = [];

    Outcome PlanFoldPoint(FoldPointOperation operation, IStorageView view, WritePlan plan)
    {
        var entry = Load(operation.Aggregate, view);
        // What was archived meanwhile is remembered as well: its key is in its archive record.
        var archived = entry.Archived ? ReadArchived(entry, view) : null;
        if ((archived?.Head ?? entry.Head) is not { } head || head.Version < operation.Version)
            return default;
        var cipher = archived is null ? entry.Cipher : archived.Cipher;
        if (operation.Snapshot is { } snapshot)
            PutAutomaticSnapshot(operation.Aggregate, operation.Version, TakeSequence(view, operation.Aggregate, operation.Version), snapshot, operation.Fields, cipher, plan);
        else
            FoldPoints.Put(plan, operation.Aggregate, operation.Version, cipher, operation.Fields, nonces);
        return default;
    }

    Outcome PlanControl(ControlOperation operation, IStorageView view, WritePlan plan)
    {
        if (operation.Recorded is { } recorded)
        {
            if (operation.Mirrored && EpochStart.TryRead(recorded) is { } start)
                EnterEpoch(start.Epoch, view, plan);
            PutEntry(recorded, recorded.Leaf(default, default), plan);
        }
        else
        {
            PutControl(operation.Kind, operation.Subject, operation.Body, Now(), operation, default, plan);
        }

        return default;
    }

    ulong PutControl(string kind, LifecycleOperation operation, long time, AggregateCipher? newCipher, WritePlan plan) =>
        operation.Recorded is { } recorded
            ? PutEntry(operation.Mirrored && newCipher is not null ? recorded.WithKey(newCipher.Wrapped) : recorded, recorded.Leaf(default, default), plan)
            : PutControl(
                kind, LifecycleNames.Subject(operation.Aggregate), LifecycleNames.Body(operation.Comment), time, operation,
                newCipher?.Wrapped ?? default, plan);

    ulong PutControl(string kind, string subject, byte[] body, long time, Operation operation, ReadOnlyMemory<byte> wrappedKey, WritePlan plan)
    {
        if (!Access.ControlKinds.All.Contains(kind))
            throw new InvalidOperationException($"`{kind}` is missing in the list of kinds, by which the audit looks for them.");
        var salt = new byte[EventBody.SaltBytes];
        nonces.Take(salt);
        var flags = EntryRow.RowFlags.Control;
        if (operation.Actor is not null)
            flags |= EntryRow.RowFlags.Actor;
        if (!wrappedKey.IsEmpty)
            flags |= EntryRow.RowFlags.Key;
        var entry = new EntryRow
        {
            Flags = flags, Type = kind, Subject = subject, CreatedAt = time, Actor = operation.Actor, Salt = salt, Body = ControlOrigin.Into(body, operation.Origin), WrappedKey = wrappedKey,
        };
        return PutEntry(entry, entry.Leaf(default, default), plan);
    }
}

/// <summary>The control entries of an aggregate's life: their kinds, subjects and bodies.</summary>
internal static class LifecycleNames
{
    public const string Create = "create";
    public const string Remove = "remove";
    public const string Archive = "archive";
    public const string Restore = "restore";
    public const string Snapshot = "snapshot";

    /// <summary>Whether a control entry of this kind is about an aggregate.</summary>
    public static bool IsOfAggregate(string kind) => kind is Create or Remove or Archive or Restore or Snapshot;

    /// <summary>type/id, with <c>%</c> and <c>/</c> percent-encoded inside each, so that no two aggregates share a subject.</summary>
    public static string Subject(AggregateKey aggregate) => $"{Encode(aggregate.Type)}/{Encode(aggregate.Id)}";

    /// <summary>The aggregate a subject names; null when it names none.</summary>
    public static AggregateKey? Aggregate(string subject)
    {
        var slash = subject.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && AggregateKey.TryCreate(Decode(subject[..slash]), Decode(subject[(slash + 1)..]), out var key, out _) ? key : null;
    }

    /// <summary>{"comment": …}, or {} without one.</summary>
    public static byte[] Body(string? comment)
    {
        if (comment is null)
            return "{}"u8.ToArray();
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        text.Write("{\"comment\":"u8);
        JsonEscape.WriteString(text, Encoding.UTF8.GetBytes(comment));
        text.Write("}"u8);
        return text.WrittenSpan.ToArray();
    }

    /// <summary>{"version": …, "comment": …}, the comment where there is one.</summary>
    public static byte[] SnapshotBody(ulong version, string? comment)
    {
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        text.Write(Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{{\"version\":{version}")));
        if (comment is not null)
        {
            text.Write(",\"comment\":"u8);
            JsonEscape.WriteString(text, Encoding.UTF8.GetBytes(comment));
        }

        text.Write("}"u8);
        return text.WrittenSpan.ToArray();
    }

    /// <summary>The version in the body of the entry of a snapshot; null when there is none.</summary>
    public static ulong? VersionIn(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = System.Text.Json.JsonDocument.Parse(body);
            return json.RootElement.TryGetProperty("version", out var version) && version.TryGetUInt64(out var number) ? number : null;
        }
        catch (Exception cause) when (cause is System.Text.Json.JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The comment in the body of a control entry; null when there is none.</summary>
    public static string? CommentIn(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = System.Text.Json.JsonDocument.Parse(body);
            return json.RootElement.TryGetProperty("comment", out var comment) ? comment.GetString() : null;
        }
        catch (Exception cause) when (cause is System.Text.Json.JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    static void Write(this System.Buffers.ArrayBufferWriter<byte> text, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(text.GetSpan(bytes.Length));
        text.Advance(bytes.Length);
    }

    static string Encode(string part) => part.Replace("%", "%25", StringComparison.Ordinal).Replace("/", "%2F", StringComparison.Ordinal);

    static string Decode(string part) => part.Replace("%2F", "/", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal);
}
