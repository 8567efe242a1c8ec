namespace EventDbx.Protocol.CapnProto;

/// <summary>What two nodes say to each other in a session: <c>proto/replication.capnp</c>. Requests and answers are each a union whose members lie in pointer 0.</summary>
/// <remarks>
/// <code>
/// ReplicationHello          1/3   version u16 0; expected key, key, signature        (of the reference: 1/1)
/// ReplicationHelloResponse  1/3   accepted bit 0; message, key, signature            (1/1)
/// AggregatePosition         2/3   version u64 0, archived bit 64, snapshots u32 3; type, id, root    (1/2)
/// PullEventsRequest         2/2   from u64 0, limit u32 2; type, id
/// EventRecord               1/7   version u64 0; type, id, event type, payload, metadata, root, hash
/// ErrorResponse             2/2   final bit 0, has version bit 1, version u64 1; message, code       (0/1)
/// </code>
/// The others stand in that file. Longer structs than ours are read, and what we do not know of them is passed over.
/// </remarks>
public static partial class ReplicationFrames
{
    const int UnionData = 1, UnionPointers = 1;

    public static ReadOnlyMemory<byte> WriteHello(MessageWriter message, in ReplicationHello hello)
    {
        var isOld = hello.PublicKey.IsEmpty && hello.Signature.IsEmpty;
        var root = message.SetRoot(1, isOld ? 1 : 3);
        root.SetUInt16(0, hello.ProtocolVersion);
        root.SetData(0, hello.ExpectedPublicKey.Span);
        if (isOld)
            return message.Frame;
        root.SetData(1, hello.PublicKey.Span);
        root.SetData(2, hello.Signature.Span);
        return message.Frame;
    }

    /// <exception cref="MessageException">It is none.</exception>
    public static ReplicationHello ReadHello(MessageReader message)
    {
        var root = message.Root;
        return new(root.GetUInt16(0), root.GetData(0), root.GetData(1), root.GetData(2));
    }

    public static ReadOnlyMemory<byte> WriteHelloResponse(MessageWriter message, in ReplicationHelloResponse response)
    {
        var isShort = response.PublicKey.IsEmpty && response.Signature.IsEmpty;
        var root = message.SetRoot(1, isShort ? 1 : 3);
        root.SetBool(0, response.Accepted);
        root.SetText(0, response.Message);
        if (isShort)
            return message.Frame;
        root.SetData(1, response.PublicKey.Span);
        root.SetData(2, response.Signature.Span);
        return message.Frame;
    }

    /// <exception cref="MessageException">It is none.</exception>
    public static ReplicationHelloResponse ReadHelloResponse(MessageReader message)
    {
        var root = message.Root;
        return new(root.GetBool(0), root.GetText(0), root.GetData(1), root.GetData(2));
    }

    /// <summary>A request without a body: <see cref="ReplicationRequestKind.ListPositions"/>, <see cref="ReplicationRequestKind.PullSchemas"/>, <see cref="ReplicationRequestKind.Identify"/>.</summary>
    public static ReadOnlyMemory<byte> WriteQuestion(MessageWriter message, ReplicationRequestKind kind)
    {
        _ = Begin(message, kind);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WritePositionQuestion(MessageWriter message, WirePositionQuestion question)
    {
        var place = Begin(message, ReplicationRequestKind.ListPositionPage).SetStruct(0, 1, 3);
        place.SetUInt32(0, question.Take);
        var types = place.SetPointers(0, question.Types.Count);
        for (var i = 0; i < types.Count; i++)
            types.SetText(i, question.Types[i]);
        var aggregates = place.SetStructs(1, question.Aggregates.Count, 0, 2);
        for (var i = 0; i < aggregates.Count; i++)
            Put(aggregates[i], question.Aggregates[i]);
        if (question.After is { } after)
            Put(place.SetStruct(2, 0, 2), after);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteRootsQuestion(MessageWriter message, IReadOnlyList<WirePlace> places)
    {
        Put(Begin(message, ReplicationRequestKind.FindRoots).SetStruct(0, 0, 1), places);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteEventsQuestion(MessageWriter message, in WirePlace from, uint limit)
    {
        var place = Begin(message, ReplicationRequestKind.PullEvents).SetStruct(0, 2, 2);
        Put(place, from);
        place.SetUInt32(2, limit);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteEventsQuestion(MessageWriter message, IReadOnlyList<WirePlace> from, uint limit)
    {
        var place = Begin(message, ReplicationRequestKind.PullEventsOf).SetStruct(0, 1, 1);
        place.SetUInt32(0, limit);
        Put(place, from);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteApply(MessageWriter message, ulong sequence, IReadOnlyList<WireEvent> events)
    {
        var place = Begin(message, ReplicationRequestKind.ApplyEvents).SetStruct(0, 1, 1);
        place.SetUInt64(0, sequence);
        Put(place, events);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteMarksQuestion(MessageWriter message, in WireAggregate aggregate)
    {
        Put(Begin(message, ReplicationRequestKind.FindMarks).SetStruct(0, 0, 2), aggregate);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteApplyMarks(MessageWriter message, WireMarks marks)
    {
        Put(Begin(message, ReplicationRequestKind.ApplyMarks).SetStruct(0, 2, 4), marks);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteApplySchemas(MessageWriter message, ReadOnlySpan<byte> schemas, bool merge)
    {
        var place = Begin(message, ReplicationRequestKind.ApplySchemas).SetStruct(0, 1, 1);
        place.SetBool(0, merge);
        place.SetData(0, schemas);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteLogQuestion(MessageWriter message, ulong after, uint waitMilliseconds)
    {
        var place = Begin(message, ReplicationRequestKind.PullLog).SetStruct(0, 2, 0);
        place.SetUInt64(0, after);
        place.SetUInt32(2, waitMilliseconds);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WritePositions(MessageWriter message, IReadOnlyList<WirePosition> positions, bool more)
    {
        var place = Begin(message, ReplicationResponseKind.ListPositions).SetStruct(0, 1, 1);
        place.SetBool(0, more);
        var list = place.SetStructs(0, positions.Count, 2, 3);
        for (var i = 0; i < list.Count; i++)
        {
            var one = list[i];
            Put(one, positions[i].Place);
            one.SetBool(64, positions[i].Archived);
            one.SetUInt32(3, positions[i].Snapshots);
            one.SetData(2, positions[i].Root.Span);
        }

        return message.Frame;
    }

    /// <param name="message">Written into.</param>
    /// <param name="roots">32 bytes each, or none.</param>
    public static ReadOnlyMemory<byte> WriteRoots(MessageWriter message, IReadOnlyList<ReadOnlyMemory<byte>> roots)
    {
        var list = Begin(message, ReplicationResponseKind.FindRoots).SetStruct(0, 0, 1).SetPointers(0, roots.Count);
        for (var i = 0; i < list.Count; i++)
            list.SetData(i, roots[i].Span);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteEvents(MessageWriter message, IReadOnlyList<WireEvent> events)
    {
        Put(Begin(message, ReplicationResponseKind.PullEvents).SetStruct(0, 0, 1), events);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteApplied(MessageWriter message, ulong sequence, uint appended)
    {
        var place = Begin(message, ReplicationResponseKind.ApplyEvents).SetStruct(0, 2, 0);
        place.SetUInt64(0, sequence);
        place.SetUInt32(2, appended);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteMarks(MessageWriter message, WireMarks? marks)
    {
        var place = Begin(message, ReplicationResponseKind.FindMarks).SetStruct(0, 0, 1);
        if (marks is not null)
            Put(place.SetStruct(0, 2, 4), marks);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteMarksApplied(MessageWriter message, bool changed)
    {
        Begin(message, ReplicationResponseKind.ApplyMarks).SetStruct(0, 1, 0).SetBool(0, changed);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteSchemas(MessageWriter message, ReadOnlySpan<byte> schemas)
    {
        Begin(message, ReplicationResponseKind.PullSchemas).SetStruct(0, 0, 1).SetData(0, schemas);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteSchemasApplied(MessageWriter message, uint changed)
    {
        Begin(message, ReplicationResponseKind.ApplySchemas).SetStruct(0, 1, 0).SetUInt32(0, changed);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteLogEnd(MessageWriter message, in WireLogEnd end)
    {
        Put(Begin(message, ReplicationResponseKind.Identify).SetStruct(0, 2, 2), end);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteLogPage(MessageWriter message, WireLogPage page)
    {
        var place = Begin(message, ReplicationResponseKind.PullLog).SetStruct(0, 1, 6);
        place.SetUInt64(0, page.After);
        var list = place.SetStructs(0, page.Entries.Count, 0, 2);
        for (var i = 0; i < list.Count; i++)
        {
            list[i].SetData(0, page.Entries[i].Row.Span);
            list[i].SetData(1, page.Entries[i].AggregateKey.Span);
        }

        place.SetData(1, page.Root.Span);
        Put(place.SetStruct(2, 2, 2), page.End);
        place.SetData(3, page.Checkpoint.Span);
        place.SetData(4, page.RootBefore.Span);
        place.SetText(5, page.CheckpointKey);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteRefusal(MessageWriter message, in WireRefusal refusal)
    {
        var isOld = refusal is { Code: "", Final: false, ActualVersion: null };
        var place = Begin(message, ReplicationResponseKind.Error).SetStruct(0, isOld ? 0 : 2, isOld ? 1 : 2);
        place.SetText(0, refusal.Message);
        if (isOld)
            return message.Frame;
        place.SetText(1, refusal.Code);
        place.SetBool(0, refusal.Final);
        place.SetBool(1, refusal.ActualVersion is not null);
        place.SetUInt64(1, refusal.ActualVersion ?? 0);
        return message.Frame;
    }

    static StructWriter Begin(MessageWriter message, ReplicationRequestKind kind) => Begin(message, (ushort)kind);

    static StructWriter Begin(MessageWriter message, ReplicationResponseKind kind) => Begin(message, (ushort)kind);

    static StructWriter Begin(MessageWriter message, ushort tag)
    {
        var root = message.SetRoot(UnionData, UnionPointers);
        root.SetUInt16(0, tag);
        return root;
    }

    static void Put(StructWriter place, in WireAggregate aggregate)
    {
        place.SetText(0, aggregate.Type);
        place.SetText(1, aggregate.Id);
    }

    static void Put(StructWriter place, in WirePlace at)
    {
        Put(place, at.Aggregate);
        place.SetUInt64(0, at.Version);
    }

    static void Put(StructWriter place, IReadOnlyList<WirePlace> places)
    {
        var list = place.SetStructs(0, places.Count, 1, 2);
        for (var i = 0; i < list.Count; i++)
            Put(list[i], places[i]);
    }

    static void Put(StructWriter place, IReadOnlyList<WireEvent> events)
    {
        var list = place.SetStructs(0, events.Count, 1, 7);
        for (var i = 0; i < list.Count; i++)
        {
            var (one, e) = (list[i], events[i]);
            one.SetUInt64(0, e.Version);
            Put(one, e.Aggregate);
            one.SetText(2, e.EventType);
            one.SetData(3, e.Payload.Span);
            one.SetData(4, e.Metadata.Span);
            one.SetText(5, e.MerkleRoot);
            one.SetText(6, e.Hash);
        }
    }

    static void Put(StructWriter place, WireMarks marks)
    {
        Put(place, marks.Place);
        place.SetBool(64, marks.Archived);
        if (marks.Comment is { } comment)
            place.SetText(2, comment);
        var list = place.SetStructs(3, marks.Snapshots.Count, 2, 1);
        for (var i = 0; i < list.Count; i++)
        {
            list[i].SetUInt64(0, marks.Snapshots[i].Version);
            list[i].SetInt64(1, marks.Snapshots[i].CreatedAt);
            if (marks.Snapshots[i].Comment is { } note)
                list[i].SetText(0, note);
        }
    }

    static void Put(StructWriter place, in WireLogEnd end)
    {
        place.SetUInt32(0, end.Epoch);
        place.SetBool(32, end.Encrypted);
        place.SetUInt64(1, end.Size);
        place.SetData(0, end.DatabaseId.Span);
        place.SetData(1, end.Root.Span);
    }
}
