namespace EventDbx.Commit;

/// <summary>Appends: the event id was checked before; then archive, expected version, limits, allowance, hash, root, fold.</summary>
internal sealed partial class GroupPlanner
{
    Outcome PlanAppend(AppendOperation append, (ushort Index, ushort Count) place, bool inBatch, IStorageView view, WritePlan plan)
    {
        var entry = Load(append.Aggregate, view);
        var movesIn = append.Merges || append.Recorded is not null;
        if (entry.Archived && !movesIn)
            return Refuse(RefusalCode.Archived, $"{append.Aggregate} is archived and takes no events; restore it first.");
        if (entry.Archived)
            OpenArchived(entry, view);
        var head = entry.Head;
        var version = head?.Version ?? 0;
        if ((append.ExpectedVersion ?? version) != version)
            return Conflict(append, append.ExpectedVersion!.Value, version);
        if (append.Import?.Version is { } recorded && recorded != version + 1)
            return RecordConflict(append.Aggregate, recorded, version);

        var createdAt = append.Import is { } import ? import.CreatedAt.Ticks100ns : Math.Max(Now(), head?.UpdatedAt ?? long.MinValue);
        // One without events was created here; its first event may have happened elsewhere before that.
        if (createdAt < (head?.UpdatedAt ?? long.MinValue) && !(movesIn && version == 0))
            return Refuse(RefusalCode.InvalidArgument,
                $"The record says {new Timestamp(createdAt)}, before the newest event of {append.Aggregate} at {new Timestamp(head!.UpdatedAt)}; times within an aggregate never go back.");

        if (append.Patch is not null && EvaluatePatch(entry, append, view) is { } unfit)
            return new() { Refusal = unfit };
        if (CheckSchema(append, out var revision) is { } violation)
            return new() { Refusal = violation };

        // Reads come before changes: from here on nothing may refuse.
        var blob = head is null or { StateForm: not StateForm.Fields } ? MergedBlob(entry, append, view, out var refusal) : CheckFields(entry, append, view, out refusal);
        if (refusal is { } no)
            return new() { Refusal = no };

        var previousRoot = head?.Root ?? Hash32.Empty;
        if (append.Leaf is not null && append.Recorded!.PreviousRoot != previousRoot)
            return Refuse(RefusalCode.IntegrityViolation, $"Version {version + 1} of {append.Aggregate} follows on root {append.Recorded.PreviousRoot}, but its history has {previousRoot}.");
        var leaf = append.Leaf ?? EntryHash.OfEvent(
            append.Aggregate, version + 1, append.EventTypeUtf8, append.EventId, createdAt, append.Actor, append.Note, previousRoot,
            append.Payload.Text.Span, append.Salt);
        if (append.Import is { Salt.Length: > 0, Hash: { } hash } && hash != leaf)
            return Refuse(RefusalCode.IntegrityViolation,
                $"Version {version + 1} of {append.Aggregate} says hash {hash}, but its content hashes to {leaf}: the record was changed, or its predecessors differ.");

        if (append.Import is { Salt.Length: > 0, MerkleRoot: { } root } && RootWith(head, leaf) is var led && led != root)
            return Refuse(RefusalCode.IntegrityViolation,
                $"Version {version + 1} of {append.Aggregate} says merkle_root {root}, but its history leads to {led}.");

        if (CheckAllowance(append, view) is { } spent)
            return new() { Refusal = spent };

        var kept = FieldsForSnapshot(entry, view, plan);

        var isFirst = head is null;
        Touch(entry, inBatch);
        if (entry.Archived && entry.MergedInGroup != _groupNumber)
        {
            entry.MergedInGroup = _groupNumber;
            Reshape(entry);
        }

        Spend(append, view);
        if (head is null)
        {
            entry.Cipher = append.Recorded is null || append.Mirrored ? keyring.WithCurrent(append.Cipher) : append.Cipher;
            entry.Head = head = new() { CreatedAt = createdAt, FirstPosition = _log!.Size + 1, WrappedKey = entry.Cipher?.Wrapped ?? default };
        }

        head.Tree.Append(leaf);
        head.Root = head.Tree.Root();

        var position = PutEvent(append, entry, place, leaf, previousRoot, createdAt, isFirst, revision, plan);
        head.Version = version + 1;
        head.UpdatedAt = createdAt;
        head.LastPosition = position;
        Fold(entry, append, blob, view, plan);
        if (head.Version % Limits.FoldPointInterval == 0)
            PutFoldPoint(entry, plan);
        if (SnapshotDueAt(entry.Aggregate, head.Version))
            PutAutomaticSnapshot(entry, kept, plan);

        return new()
        {
            Record = new()
            {
                Aggregate = append.Aggregate, EventType = append.EventType, Payload = append.Payload.Text, EventId = append.EventId,
                CreatedAt = new(createdAt), Actor = append.Actor, Note = append.Note, Version = head.Version, Hash = leaf,
                MerkleRoot = head.Root, Position = position, Salt = append.Salt,
            },
        };
    }

    static Hash32 RootWith(HeadRow? head, in Hash32 leaf)
    {
        var tree = head?.Tree.Clone() ?? new();
        tree.Append(leaf);
        return tree.Root();
    }

    ulong PutEvent(
        AppendOperation append, HeadEntry entry, (ushort Index, ushort Count) place, in Hash32 leaf, in Hash32 previousRoot,
        long createdAt, bool withKey, ulong schemaRevision, WritePlan plan)
    {
        var flags = EntryRow.RowFlags.None;
        if (append.Fingerprint is not null)
            flags |= EntryRow.RowFlags.ClientId;
        if (append.Actor is not null)
            flags |= EntryRow.RowFlags.Actor;
        if (append.Note is not null)
            flags |= EntryRow.RowFlags.Note;
        if (withKey && entry.Cipher is not null)
            flags |= EntryRow.RowFlags.Key;
        if (place.Count > 0)
            flags |= EntryRow.RowFlags.Batch;
        if (append is { Patch: not null, Fingerprint: not null } || (append.Recorded is { } recorded && (recorded.Flags & EntryRow.RowFlags.Patch) != 0))
            flags |= EntryRow.RowFlags.Patch;
        var version = entry.Head!.Version + 1;
        var fingerprint = append.Fingerprint is null ? default : append.StoredFingerprint(entry.Cipher);
        var position = PutEntry(
            new()
            {
                Flags = flags, Aggregate = append.Aggregate, Version = version, Type = append.EventType, EventId = append.EventId,
                CreatedAt = createdAt, Actor = append.Actor, Note = append.Note, BatchIndex = place.Index, BatchCount = place.Count,
                PatchFingerprint = (flags & EntryRow.RowFlags.Patch) != 0 ? fingerprint : default,
                SchemaRevision = schemaRevision, PreviousRoot = previousRoot, Root = entry.Head.Root,
                WrappedKey = withKey && entry.Cipher is { } cipher ? cipher.Wrapped : default,
                Body = SealedBody(append, entry.Cipher),
            },
            leaf, plan);

        Span<byte> key = stackalloc byte[Keyspace.KeyBytesMax];
        var index = Checked.Open(plan, Family.Index, key[..Keyspace.WriteVersioned(key, append.Aggregate, version)], IndexRow.EncodedBytes);
        new IndexRow(position, createdAt, leaf).Write(index.Body);
        index.Close();

        if (append.Fingerprint is not null)
        {
            var id = new IdRow(version, fingerprint);
            var row = Checked.Open(plan, Family.Ids, key[..Keyspace.WriteEventId(key, append.Aggregate, append.EventId)], IdRow.EncodedBytes);
            id.Write(row.Body);
            row.Close();
            _idsOfGroup.Add((append.Aggregate, append.EventId), (id, append.Actor));
            _idsOfUnit.Add((append.Aggregate, append.EventId));
        }

        return position;
    }

    /// <summary>The body as the caller's thread sealed it, or sealed again where another key has won the race.</summary>
    byte[] SealedBody(AppendOperation append, AggregateCipher? cipher)
    {
        if (ReferenceEquals(cipher, append.Cipher) || (cipher is not null && append.Cipher is not null && cipher.HasKeyOf(append.Cipher)))
            return append.SealedBody;
        return EventBody.Seal(cipher, append.EventId, append.Salt, append.Payload.Text.Span, nonces);
    }

    /// <summary>The state after the event, as a blob; may be larger than a blob is kept.</summary>
    static byte[]? MergedBlob(HeadEntry entry, AppendOperation append, IStorageView view, out Refusal? refusal)
    {
        refusal = null;
        if (entry.Blob is null)
            entry.Blob = entry.Head is null ? StateText.Empty : StateRows.Read(view, entry.Aggregate, entry.Head, entry.Cipher);
        var members = append.Payload.Members;
        var blob = members.Length == 0 ? entry.Blob : StateText.Merge(entry.Blob, append.Payload);
        var fields = StateText.FieldCount(blob);
        if (fields > Limits.StateFieldsMax || blob.Length > Limits.StateBytesMax)
            refusal = TooLarge(entry.Aggregate, fields, blob.Length);
        return blob;
    }

    /// <summary>Looks up what the state in rows has of the event's fields, and whether it stays within its limits.</summary>
    byte[]? CheckFields(HeadEntry entry, AppendOperation append, IStorageView view, out Refusal? refusal)
    {
        refusal = null;
        var (fields, bytes) = ((long)entry.Head!.StateFields, (long)entry.Head.StateBytes);
        foreach (var member in append.Payload.Members)
        {
            var name = append.Payload.NameOf(member);
            var known = KnownField(entry, name, view);
            fields += known is null ? 1 : 0;
            bytes += name.Length + append.Payload.ValueOf(member).Length - (known?.Bytes ?? 0);
        }

        if (fields > Limits.StateFieldsMax || bytes > Limits.StateBytesMax)
            refusal = TooLarge(entry.Aggregate, fields, bytes);
        return null;
    }

    (ulong Digest, int Bytes)? KnownField(HeadEntry entry, ReadOnlySpan<byte> name, IStorageView view)
    {
        var lookup = (entry.Fields ??= new(ByteComparer.Instance)).GetAlternateLookup<ReadOnlySpan<byte>>();
        if (lookup.TryGetValue(name, out var known))
            return known;
        // Not remembered, so not changed in this group: the view has it as it is.
        var found = StateRows.FindField(view, entry.Aggregate, entry.Cipher, name);
        lookup[name] = found;
        _fieldsRemembered++;
        return found;
    }

    static Refusal TooLarge(AggregateKey aggregate, long fields, long bytes) => new(RefusalCode.LimitExceeded,
        $"The state of {aggregate} would have {fields} fields and {bytes} bytes; at most {Limits.StateFieldsMax} fields and {Limits.StateBytesMax} bytes are kept.");

    void Fold(HeadEntry entry, AppendOperation append, byte[]? blob, IStorageView view, WritePlan plan)
    {
        var head = entry.Head!;
        if (entry.Archived)
        {
            (entry.Blob, head.StateFields, head.StateBytes) = (blob, StateText.FieldCount(blob!), StateText.ContentBytes(blob!));
            head.StateForm = head.StateFields == 0 ? StateForm.None : StateForm.Blob;
            return;
        }

        if (head.StateForm == StateForm.Fields)
        {
            foreach (var member in append.Payload.Members)
                PutField(entry, append.Payload.NameOf(member), append.Payload.ValueOf(member), KnownField(entry, append.Payload.NameOf(member), view), plan);
            return;
        }

        head.StateFields = StateText.FieldCount(blob!);
        head.StateBytes = StateText.ContentBytes(blob!);
        if (blob!.Length <= Limits.StateBlobBytesMax)
        {
            entry.Blob = blob;
            head.StateForm = head.StateFields == 0 ? StateForm.None : StateForm.Blob;
            return;
        }

        // It outgrew its row: from now on a row a field.
        plan.Delete(Family.State, entry.Aggregate.Row);
        (head.StateForm, head.StateDigest, head.StateFields, head.StateBytes) = (StateForm.Fields, 0, 0, 0);
        (entry.Blob, entry.Fields) = (null, new(ByteComparer.Instance));
        foreach (var field in StateText.Fields(blob))
            PutField(entry, field.Name, field.Value, null, plan);
    }

    void PutField(HeadEntry entry, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, (ulong Digest, int Bytes)? known, WritePlan plan)
    {
        var head = entry.Head!;
        var digest = StateRows.PutField(plan, entry.Aggregate, entry.Cipher, name, value, nonces);
        var bytes = name.Length + value.Length;
        head.StateDigest += digest - (known?.Digest ?? 0);
        head.StateFields += known is null ? 1 : 0;
        head.StateBytes += bytes - (known?.Bytes ?? 0);
        entry.Fields!.GetAlternateLookup<ReadOnlySpan<byte>>()[name] = (digest, bytes);
        if (_unitKeepsFields)
            RememberField(entry, name, value);
    }

    void PutFoldPoint(HeadEntry entry, WritePlan plan)
    {
        if (entry.Head!.StateForm == StateForm.Fields)
            FoldPointsDue.Add((entry.Aggregate, entry.Head.Version));
        else
            FoldPoints.Put(plan, entry.Aggregate, entry.Head.Version, entry.Cipher, entry.Blob!, nonces);
    }

    static Outcome Refuse(RefusalCode code, string message) => new() { Refusal = new(code, message) };

    static Outcome RecordConflict(AggregateKey aggregate, ulong recorded, ulong actual) => new()
    {
        Refusal = new(RefusalCode.VersionConflict,
            $"The record is version {recorded} of {aggregate}, which is at version {actual}: {(recorded <= actual ? "another event has that version here" : $"version {actual + 1} has to come first")}.")
        {
            ActualVersion = actual,
        },
    };

    static Outcome Conflict(AppendOperation append, ulong expected, ulong actual) => new()
    {
        Refusal = new(RefusalCode.VersionConflict,
            $"{append.Aggregate} is at version {actual}; the append expected version {expected}. Read the newer events, then decide again.")
        {
            ActualVersion = actual,
        },
    };
}
