using System.Collections.Immutable;
using EventDbx.Schemas;

namespace EventDbx.Merging;

/// <summary>What can be said of a batch without the writer.</summary>
internal static class MergeBatch
{
    /// <summary>Each aggregate's events together, with versions one after the other, with salts, with no id twice, and not more than is committed at once.</summary>
    /// <returns>Where the events of each aggregate begin, and how many they are.</returns>
    /// <exception cref="RefusedException">It is not that.</exception>
    public static List<(int From, int Count)> Check(IReadOnlyList<EventRecord> records)
    {
        if (records.Count == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "The batch has no events; a batch has at least one.");
        if (records.Count > Limits.BatchEventsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The batch has {records.Count} events; at most {Limits.BatchEventsMax} are applied at once.");
        var bytes = 0L;
        List<(int From, int Count)> runs = [];
        var (seen, ids) = (new HashSet<AggregateKey>(), new HashSet<Guid>());
        for (var i = 0; i < records.Count; i++)
        {
            var record = records[i];
            var aggregate = record.Aggregate;
            var begins = i == 0 || !aggregate.Equals(records[i - 1].Aggregate);
            if (begins && !seen.Add(aggregate))
                throw new RefusedException(RefusalCode.InvalidArgument, $"The batch has events of {aggregate} in two places; those of one aggregate stand together.");
            if (begins)
            {
                runs.Add((i, 0));
                ids.Clear();
            }

            runs[^1] = (runs[^1].From, runs[^1].Count + 1);
            if (record.Version == 0)
                throw new RefusedException(RefusalCode.InvalidArgument, $"A record of {aggregate} says version 0; the first event of an aggregate has version 1.");
            if (!begins && record.Version != records[i - 1].Version + 1)
                throw new RefusedException(RefusalCode.VersionConflict, $"In the batch version {record.Version} of {aggregate} follows version {records[i - 1].Version}; versions follow one another without a gap.");
            if (record.Salt.Length != EventBody.SaltBytes)
                throw new RefusedException(RefusalCode.IntegrityViolation, $"Version {record.Version} of {aggregate} comes with a salt of {record.Salt.Length} bytes. It takes {EventBody.SaltBytes}, or its hash cannot be computed.");
            if (!ids.Add(record.EventId))
                throw new RefusedException(RefusalCode.Diverged, $"Event id {record.EventId} stands twice in the batch for {aggregate}; an id names one event.");
            bytes += record.Payload.Length;
        }

        if (bytes > Limits.RequestBytesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The batch has {bytes} bytes of payloads; at most {Limits.RequestBytesMax} are applied at once.");
        return runs;
    }

    /// <summary>Holds a record against the event that has its version here.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Diverged"/>: another event. <see cref="RefusalCode.IntegrityViolation"/>: the same hash, but not what has it.</exception>
    public static void Compare(EventRecord record, EventRecord own)
    {
        if (record.Hash != own.Hash)
            throw new RefusedException(Diverged(record.Aggregate, record.Version, record.Hash, own.Hash));
        var changed = record.EventType != own.EventType ? "event type"
            : record.EventId != own.EventId ? "event id"
            : record.CreatedAt != own.CreatedAt ? "time"
            : record.Actor != own.Actor ? "actor"
            : record.Note != own.Note ? "note"
            : record.MerkleRoot != own.MerkleRoot ? "merkle_root"
            : !record.Salt.Span.SequenceEqual(own.Salt.Span) ? "salt"
            : !record.Payload.Span.SequenceEqual(own.Payload.Span) ? "payload"
            : null;
        if (changed is not null)
            throw Violation.Of($"Version {record.Version} of {record.Aggregate} says hash {record.Hash}, but its {changed} is not the one that leads to it: the record was changed.");
    }

    public static Refusal Diverged(AggregateKey aggregate, ulong version, in Hash32 theirs, in Hash32 ours) => new(RefusalCode.Diverged,
        $"The histories of {aggregate} part at version {version} or before: its event has hash {theirs} there and {ours} here. Neither is changed; one of them has to go on under another name.");

    /// <summary>The changes that lead from the schemas in force to these; null takes one away.</summary>
    public static IReadOnlyList<(string Type, AggregateSchema? Schema)> Differences(SchemaBook book, ImmutableSortedDictionary<string, AggregateSchema> schemas, bool replace)
    {
        List<(string, AggregateSchema?)> changes = [];
        foreach (var (type, schema) in schemas)
        {
            if (book.Find(type)?.Schema.SaysTheSameAs(schema) != true)
                changes.Add((type, schema));
        }

        if (replace)
            changes.AddRange(book.All.Where(schema => !schemas.ContainsKey(schema.Aggregate)).Select(schema => (schema.Aggregate, (AggregateSchema?)null)));
        return changes;
    }
}
