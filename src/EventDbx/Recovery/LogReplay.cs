namespace EventDbx.Recovery;

/// <summary>Reads the log of a damaged store from its beginning, as far as it can be believed.</summary>
/// <remarks>
/// Each entry becomes the operation that would write it again byte for byte, together with everything that is an index of
/// it. It stops at the first entry that is missing, unreadable, sealed for another place, or that does not follow from the
/// entries before it; what comes after has lost its foundation.
/// </remarks>
internal sealed class LogReplay(IStorageView view, Keyring keyring)
{
    readonly Dictionary<AggregateKey, ReadOnlyMemory<byte>> _keys = [];

    /// <summary>Why it ended before the end; null when there was simply nothing more.</summary>
    public string? Stopped { get; private set; }

    /// <summary>One operation an entry, in log order.</summary>
    public IEnumerable<Operation> Read()
    {
        for (ulong next = 1; ;)
        {
            var rows = view.Range(Family.Log, Keyspace.Position(next), [], Limits.PageItemsMax, Limits.PageBytesMax);
            if (rows.Count == 0)
                yield break;
            foreach (var (key, value) in rows)
            {
                var position = Keyspace.ReadPosition(key);
                Operation? operation = null;
                if (position != next)
                    Stopped = $"entries {next} to {position - 1} are missing";
                else if (!Checked.TryBody(Family.Log, key, value, out var body) || EntryRow.TryRead(body) is not { } entry)
                    Stopped = $"entry {position} cannot be read";
                else
                    operation = entry.IsControl ? Control(entry) : Append(entry, position);
                if (operation is null)
                    yield break;
                yield return operation;
                next++;
            }
        }
    }

    AppendOperation? Append(EntryRow entry, ulong position)
    {
        var aggregate = entry.Aggregate!;
        if (!entry.WrappedKey.IsEmpty)
            _keys[aggregate] = entry.WrappedKey;
        AggregateCipher? cipher;
        try
        {
            cipher = keyring.Open(aggregate, _keys.GetValueOrDefault(aggregate));
        }
        catch (RefusedException refused)
        {
            Stopped = $"entry {position}: {refused.Message}";
            return null;
        }

        if (!EventBody.TryOpen(cipher, entry, out var salt, out var text) || !JsonPayload.TryParse(text.Span, out var payload, out _))
        {
            Stopped = $"the payload of entry {position} does not open";
            return null;
        }

        var type = Encoding.UTF8.GetBytes(entry.Type);
        return new()
        {
            Aggregate = aggregate, Actor = entry.Actor, EventType = entry.Type, EventTypeUtf8 = type, Payload = payload, Note = entry.Note,
            EventId = entry.EventId, Salt = salt.ToArray(), Cipher = cipher, SealedBody = entry.Body.ToArray(), Recorded = entry,
            Fingerprint = (entry.Flags & EntryRow.RowFlags.ClientId) != 0 ? RequestFingerprint.Of(type, payload.Text.Span, entry.Note) : null,
            Import = new()
            {
                Draft = new() { Aggregate = aggregate, EventType = entry.Type, Payload = text, EventId = entry.EventId, Note = entry.Note },
                CreatedAt = new(entry.CreatedAt), Actor = entry.Actor, Version = entry.Version, Salt = salt, MerkleRoot = entry.Root,
            },
        };
    }

    Operation? Control(EntryRow entry)
    {
        var kind = entry.Type switch
        {
            LifecycleNames.Create => Lifecycle.Create,
            LifecycleNames.Remove => Lifecycle.Remove,
            LifecycleNames.Archive => Lifecycle.Archive,
            LifecycleNames.Restore => Lifecycle.Restore,
            _ => (Lifecycle?)null,
        };
        if (kind is null)
        {
            return new ControlOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Actor = entry.Actor, Kind = entry.Type, Subject = entry.Subject, Body = entry.Body.ToArray(), Recorded = entry,
            };
        }

        if (LifecycleNames.Aggregate(entry.Subject) is not { } aggregate)
        {
            Stopped = $"a control entry `{entry.Type}` names no aggregate: {entry.Subject}";
            return null;
        }

        if (!entry.WrappedKey.IsEmpty)
            _keys[aggregate] = entry.WrappedKey;
        return new LifecycleOperation
        {
            Aggregate = aggregate, Actor = entry.Actor, Kind = kind.Value, Recorded = entry,
            Cipher = kind == Lifecycle.Create ? keyring.Open(aggregate, entry.WrappedKey) : null,
        };
    }
}
