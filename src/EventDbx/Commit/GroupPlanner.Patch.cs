namespace EventDbx.Commit;

/// <summary>Patches: evaluated here, on the very state the append commits on.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>Whether the fields that the unit puts must be found again: by its patches, or for a snapshot.</summary>
    bool _unitKeepsFields;

    /// <summary>A loop, for every append comes by: a lambda that knows the schemas would be made anew each time.</summary>
    bool KeepsFields(PendingCommit unit)
    {
        foreach (var operation in unit.Operations)
        {
            if (operation is AppendOperation append && (append.Patch is not null || SnapshotInterval(append.Aggregate) > 0))
                return true;
        }

        return false;
    }

    /// <summary>Makes the payload of a patch: the whole top-level values it touches, as they are after it. Null once that is done.</summary>
    Refusal? EvaluatePatch(HeadEntry entry, AppendOperation append, IStorageView view)
    {
        var patch = append.Patch!;
        var document = JsonTree.EmptyObject();
        // Found first and read only then: trees of a state that is large are not built to be refused.
        var found = new List<(string Name, byte[] Value)>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var bytes = 0L;
        foreach (var operation in patch.Operations)
        {
            var name = operation.Steps[0];
            if (!seen.Add(name) || FindField(entry, Encoding.UTF8.GetBytes(name), view) is not { } value)
                continue;
            // A field that is set whole is only asked whether it is there.
            if (operation.Steps.Length == 1)
                value = [.. "null"u8];
            found.Add((name, value));
            bytes += value.Length;
            if (bytes > Limits.PatchedBytesMax)
                return new(RefusalCode.LimitExceeded,
                    $"The patch reaches into fields of more than {Limits.PatchedBytesMax} bytes in all, and an event takes {Limits.PayloadBytesMax}. Patch fewer fields at once.");
        }

        foreach (var (name, value) in found)
            document.Members!.Add(name, JsonTree.Parse(value));

        try
        {
            document = patch.Apply(document);
        }
        catch (RefusedException refused)
        {
            return refused.Refusal;
        }

        var text = new System.Buffers.ArrayBufferWriter<byte>();
        document.Write(text);
        if (!JsonPayload.TryParse(text.WrittenSpan, out var payload, out var refusal))
            return refusal with { Message = $"The patch leads to an event that is not accepted. {refusal.Message}" };
        _patchedByUnit += payload.Text.Length;
        if (_patchedByUnit > Limits.RequestBytesMax)
            return new(RefusalCode.LimitExceeded,
                $"Up to here the patches lead to events of {_patchedByUnit} bytes, each with the whole of the fields it touches; at most {Limits.RequestBytesMax} are taken at once. Send fewer of them in one batch.");
        append.Payload = payload;
        append.SealedBody = EventBody.Seal(append.Cipher, append.EventId, append.Salt, payload.Text.Span, nonces);
        return null;
    }

    /// <summary>A field of the state as it is now, in this unit; null when there is none.</summary>
    byte[]? FindField(HeadEntry entry, byte[] name, IStorageView view)
    {
        if (entry.Head is not { } head)
            return null;
        if (head.StateForm != StateForm.Fields)
        {
            entry.Blob ??= StateRows.Read(view, entry.Aggregate, head, entry.Cipher);
            return StateText.TryFind(entry.Blob, name, out var value) ? value.ToArray() : null;
        }

        if (entry.UnitOfFields == _unitNumber && entry.FieldsOfUnit!.TryGetValue(name, out var put))
            return put;
        return StateRows.FindFieldValue(view, entry.Aggregate, entry.Cipher, name);
    }

    void RememberField(HeadEntry entry, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (entry.UnitOfFields != _unitNumber)
            (entry.UnitOfFields, entry.FieldsOfUnit) = (_unitNumber, new(ByteComparer.Instance));
        entry.FieldsOfUnit![name.ToArray()] = value.ToArray();
    }

    /// <summary>A patch, and a snapshot, read fields from the view: what this group has put of them is not there yet.</summary>
    bool MustWait(AppendOperation append, HeadEntry entry, PendingCommit unit) =>
        entry.ChangedInGroup == _groupNumber && entry.Head is { StateForm: StateForm.Fields } head && (append.Patch is not null || MayCross(append.Aggregate, head.Version, unit));
}
