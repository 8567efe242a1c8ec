namespace EventDbx.Verification;

/// <summary>The rows of family <c>state</c> against the state that the events lead to.</summary>
internal static class StateCheck
{
    /// <summary>Takes an aggregate's state rows, whatever their form.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static void Take(RowCursor rows, EventChain chain, HeadRow head, AggregateCipher? cipher)
    {
        var digest = head.StateForm switch
        {
            StateForm.None => 0UL,
            StateForm.Blob => TakeBlob(rows, chain, head, cipher),
            StateForm.Fields => TakeFields(rows, chain, cipher),
        };
        if (digest != head.StateDigest)
            throw StateRows.NotOfItsHead(chain.Aggregate, head);
        if (head.StateForm == StateForm.None != (chain.State.Count == 0))
            throw Violation.Of($"The head of {chain.Aggregate} says that its state is kept as {head.StateForm}, but it has {chain.State.Count} fields.");
        AggregateRows.RequireNoMore(rows, chain.Aggregate, $"the head says that the state is kept as {head.StateForm}, and has no place for it");
    }

    /// <summary>The same without the key: that the rows are those the head was committed with, and sealed. They stay closed.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static void TakeSealed(RowCursor rows, AggregateKey aggregate, HeadRow head)
    {
        ulong digest = 0;
        var count = 0;
        for (; AggregateRows.Peek(rows, aggregate) is { } row; rows.Take(), count++)
        {
            var body = Checked.Body(Family.State, row.Key, row.Value);
            if (!SealedValue.HasForm(body.Span))
                throw Violation.OfRow(Family.State, row.Key, "it is not sealed, in a store that seals every one");
            if (row.Key.AsSpan().SequenceEqual(aggregate.Row) != (head.StateForm == StateForm.Blob))
                throw Violation.OfRow(Family.State, row.Key, $"the head says that the state is kept as {head.StateForm}, and has no place for it");
            digest += StateRows.Digest(row.Key, body.Span);
        }

        var expected = head.StateForm switch { StateForm.None => 0, StateForm.Blob => 1, StateForm.Fields => head.StateFields };
        if (count != expected)
            throw Violation.Of($"The state of {aggregate} has {count} rows; its head at version {head.Version} speaks of {expected}.");
        if (digest != head.StateDigest)
            throw StateRows.NotOfItsHead(aggregate, head);
    }

    static ulong TakeBlob(RowCursor rows, EventChain chain, HeadRow head, AggregateCipher? cipher)
    {
        if (AggregateRows.Peek(rows, chain.Aggregate) is not { } row || !row.Key.AsSpan().SequenceEqual(chain.Aggregate.Row))
            throw Violation.Of($"The state of {chain.Aggregate} is missing; its head is at version {head.Version}.");
        var body = Checked.Body(Family.State, row.Key, row.Value);
        var fields = StateRows.OpenBlob(chain.Aggregate, head, cipher, body);
        rows.Take();
        return fields.AsSpan().SequenceEqual(chain.State.Fields)
            ? StateRows.Digest(row.Key, body.Span)
            : throw Violation.Of($"The state of {chain.Aggregate} at version {head.Version} is not the one its events lead to.");
    }

    static ulong TakeFields(RowCursor rows, EventChain chain, AggregateCipher? cipher)
    {
        ulong digest = 0;
        var count = 0;
        Span<byte> tag = stackalloc byte[AggregateCipher.FieldTagBytes];
        var prefix = chain.Aggregate.Row.Length + 1;
        for (; AggregateRows.Peek(rows, chain.Aggregate) is { } row; rows.Take(), count++)
        {
            if (row.Key.Length < prefix)
                throw Violation.OfRow(Family.State, row.Key, "the head says that the state is kept in a row for each field");
            var body = Checked.Body(Family.State, row.Key, row.Value);
            digest += StateRows.Digest(row.Key, body.Span);
            var (name, value) = StateRows.OpenField(cipher, row.Key, prefix, body);
            if (!StateRows.FieldKeyPart(cipher, name, tag).SequenceEqual(row.Key.AsSpan(prefix)))
                throw Violation.OfRow(Family.State, row.Key, "it holds another field than its key says");
            if (!chain.State.TryFind(name, out var expected) || !value.Span.SequenceEqual(expected))
                throw Violation.Of($"Field {Encoding.UTF8.GetString(name)} in the state of {chain.Aggregate} is not what its events lead to.");
        }

        return count == chain.State.Count
            ? digest
            : throw Violation.Of($"The state of {chain.Aggregate} has {count} fields; its events lead to {chain.State.Count}.");
    }
}
