namespace EventDbx;

/// <summary>Appends that are sent again to a database that has merged their events.</summary>
public sealed partial class Session
{
    /// <summary>
    /// Commits appends. What a patch asked for and was merged is known here by its payload, for the fingerprint of a request stays in the store that took it. So a patch that would be a
    /// conflict is held against the event under its id: one that leads to it, from the state before it, is the same request.
    /// </summary>
    async Task<Outcome[]> CommitAppendsAsync(AppendOperation[] operations, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await CommitAsync(new(operations), cancellation).ConfigureAwait(false);
            }
            catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IdempotencyConflict && operations[refused.Refusal.Operation ?? 0].Patch is not null)
            {
                var at = refused.Refusal.Operation ?? 0;
                // Each time one patch less.
                operations = FindMergedOf(operations[at]) is { } merged ? [.. operations[..at], merged, .. operations[(at + 1)..]] : throw new RefusedException(refused.Refusal);
            }
        }
    }

    /// <summary>The request with the payload instead of the patch; null when the event under its id was not merged, or is another one.</summary>
    AppendOperation? FindMergedOf(AppendOperation append)
    {
        using var reader = _database.OpenReader();
        var key = new byte[Keyspace.KeyBytesMax];
        var length = Keyspace.WriteEventId(key, append.Aggregate, append.EventId);
        if (Checked.Get(reader.View, Family.Ids, key.AsSpan(0, length)) is not { } body || !IdRow.TryRead(body, out var id)
            || reader.FindEvent(append.Aggregate, id.Version) is not { } original || original.EventType != append.EventType || original.Note != append.Note)
            return null;
        var draft = new EventDraft
        {
            Aggregate = append.Aggregate, EventType = append.EventType, Payload = original.Payload, EventId = append.EventId, Note = append.Note, ExpectedVersion = append.ExpectedVersion,
        };
        var merged = Prepare(draft, append.Actor, null);
        // One that was asked for by a patch here has another fingerprint, and that has been compared.
        return merged.StoredFingerprint(merged.Cipher) == id.Fingerprint && LeadsTo(append.Patch!, reader.FindStateAt(append.Aggregate, id.Version - 1)!, original.Payload) ? merged : null;
    }

    static bool LeadsTo(JsonPatch patch, AggregateState before, ReadOnlyMemory<byte> payload)
    {
        var document = JsonTree.EmptyObject();
        var bytes = 0;
        foreach (var name in patch.Operations.Select(static operation => operation.Steps[0]).Distinct(StringComparer.Ordinal))
        {
            if (!StateText.TryFind(before.Fields.Span, Encoding.UTF8.GetBytes(name), out var value))
                continue;
            bytes += value.Length;
            if (bytes > Limits.PatchedBytesMax)
                return false;
            document.Members!.Add(name, JsonTree.Parse(value.ToArray()));
        }

        try
        {
            var text = new System.Buffers.ArrayBufferWriter<byte>();
            patch.Apply(document).Write(text);
            return JsonPayload.TryParse(text.WrittenSpan, out var led, out _) && led.Text.Span.SequenceEqual(payload.Span);
        }
        catch (RefusedException)
        {
            return false;
        }
    }
}
