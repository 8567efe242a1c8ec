using System.Buffers;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Protocol.CapnProto;
using EventDbx.Transfer;

namespace EventDbx.Server.Replication;

/// <summary>From what a session says to the words of <see cref="IReplica"/>, and back.</summary>
/// <remarks>Reading refuses with a <see cref="RefusedException"/> or a <see cref="MessageException"/>: what one side may take for a wrong request is to the other side a lying peer.</remarks>
internal static class WireRecords
{
    public static WireAggregate Of(AggregateKey aggregate) => new(aggregate.Type, aggregate.Id);

    public static AggregateKey Read(in WireAggregate aggregate) => AggregateKey.Create(aggregate.Type, aggregate.Id);

    public static WirePosition Of(ReplicaPosition position) =>
        new(new(Of(position.Aggregate), position.Version), Of(position.Root), position.Archived, position.Snapshots);

    public static ReplicaPosition Read(in WirePosition position) =>
        new(Read(position.Place.Aggregate), position.Place.Version, ReadHash(position.Root.Span), position.Archived, position.Snapshots);

    public static WireEvent Of(EventRecord record)
    {
        var metadata = new ArrayBufferWriter<byte>(256);
        RecordJson.WriteMetadata(metadata, record, withSalt: true);
        return new(Of(record.Aggregate), record.EventType, record.Version, record.Payload, metadata.WrittenMemory, record.MerkleRoot.ToString(), record.Hash.ToString());
    }

    public static IReadOnlyList<WireEvent> Of(IReadOnlyList<EventRecord> records)
    {
        var events = new WireEvent[records.Count];
        for (var i = 0; i < events.Length; i++)
            events[i] = Of(records[i]);
        return events;
    }

    public static IReadOnlyList<EventRecord> Read(IReadOnlyList<WireEvent> events)
    {
        if (events.Count > Limits.BatchEventsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"There are {events.Count} events in one message; at most {Limits.BatchEventsMax} are. Send several messages.");
        var records = new EventRecord[events.Count];
        AggregateKey? last = null;
        for (var i = 0; i < records.Length; i++)
        {
            var e = events[i];
            // Most events are of the aggregate of the one before.
            last = last is not null && last.Type == e.Aggregate.Type && last.Id == e.Aggregate.Id ? last : Read(e.Aggregate);
            if (e.Metadata.Length > ServerLimits.SessionMetadataBytesMax)
                throw new RefusedException(RefusalCode.LimitExceeded, $"The metadata of {last} version {e.Version} has {e.Metadata.Length} bytes; at most {ServerLimits.SessionMetadataBytesMax} are taken.");
            records[i] = ImportLine.ReadEvent(last, e.EventType, e.Version, e.Payload, e.Metadata, e.Hash, e.MerkleRoot);
        }

        return records;
    }

    public static WireMarks Of(AggregateMarks marks) => new(
        new(Of(marks.Aggregate), marks.Version), marks.Archived, marks.Comment, [.. marks.Snapshots.Select(static one => new WireSnapshot(one.Version, one.CreatedAt.Ticks100ns, one.Comment))]);

    public static AggregateMarks Read(WireMarks marks) => new()
    {
        Aggregate = Read(marks.Place.Aggregate), Version = marks.Place.Version, Archived = marks.Archived, Comment = marks.Comment,
        Snapshots = [.. marks.Snapshots.Select(static one => new SnapshotMark(one.Version, ReadTime(one.CreatedAt), one.Comment))],
    };

    public static WireLogEnd Of(LogEnd end) => new(end.DatabaseId.ToByteArray(bigEndian: true), end.Epoch, end.Size, Of(end.Root), end.Encrypted);

    public static LogEnd Read(in WireLogEnd end) => end.DatabaseId.Length == 16
        ? new(new(end.DatabaseId.Span, bigEndian: true), end.Epoch, end.Size, ReadHash(end.Root.Span), end.Encrypted)
        : throw new MessageException($"The id of a database has 16 bytes, not {end.DatabaseId.Length}.");

    public static WireLogPage Of(LogPage page) => new(
        page.After, [.. page.Entries.Select(static entry => (entry.Row, entry.AggregateKey))], Of(page.Root), Of(page.End), page.Checkpoint, Of(page.RootBefore), page.CheckpointKey);

    public static LogPage Read(WireLogPage page)
    {
        var entries = new LogEntryRow[page.Entries.Count];
        long bytes = 0;
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = new(page.Entries[i].Row, page.Entries[i].AggregateKey);
            bytes += entries[i].Row.Length;
        }

        return new()
        {
            After = page.After, Entries = entries, RootBefore = ReadHash(page.RootBefore.Span), Root = ReadHash(page.Root.Span), End = Read(page.End), Checkpoint = page.Checkpoint,
            CheckpointKey = page.CheckpointKey, Bytes = (int)bytes,
        };
    }

    public static WireRefusal Of(in Refusal refusal) => new(refusal.Message, refusal.Name, refusal.Final, refusal.ActualVersion);

    /// <summary>What the other end refused; a code that we do not know is a fault of its own. Its text goes into status, log and reports: it is cut, and stays on its line.</summary>
    public static RefusedException Read(in WireRefusal refusal) =>
        new(new Refusal(Refusal.CodeOf(refusal.Code) ?? RefusalCode.Internal, Logs.LogText.Escaped(Rest.Shown.Cut(refusal.Message, ServerLimits.SessionRefusalCharactersMax))) { Final = refusal.Final, ActualVersion = refusal.ActualVersion });

    public static ReadOnlyMemory<byte> Of(in Hash32 hash)
    {
        var bytes = new byte[Hash32.Length];
        hash.Write(bytes);
        return bytes;
    }

    public static Hash32 ReadHash(ReadOnlySpan<byte> bytes) =>
        bytes.Length == Hash32.Length ? Hash32.Read(bytes) : throw new MessageException($"A hash has {Hash32.Length} bytes, not {bytes.Length}.");

    static Timestamp ReadTime(long ticks) => Timestamp.IsInRange(ticks) ? new(ticks) : throw new MessageException($"{ticks} is no time: it lies outside the years 0001 to 9999.");
}
