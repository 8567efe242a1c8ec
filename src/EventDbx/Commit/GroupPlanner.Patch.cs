namespace EventDbx.Commit;

/// <summary>Patches: evaluated here, on the very state the append commits on.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>Whether the fields that the unit puts must be found again: by its patches, or for a snapshot.</summary>
    bool _unitKeepsFields;

    /// <summary>Makes the payload of a patch: the whole top-level values it touches, as they are after it. Null once that is done.</summary>
    Refusal? EvaluatePatch(HeadEntry entry, AppendOperation append, IStorageView view)
    {
        var patch = append.Patch!;
        var document = JsonTree.EmptyObject();
        foreach (var operation in patch.Operations)
        {
            var name = operation.Steps[0];
            if (!document.Members!.ContainsKey(name) && FindField(entry, Encoding.UTF8.GetBytes(name), view) is { } value)
                document.Members.Add(name, JsonTree.Parse(value));
        }

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
