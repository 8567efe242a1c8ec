namespace EventDbx.Protocol.CapnProto;

/// <summary>Reading. Every member throws <see cref="MessageException"/> for what is no such message; bytes of the result are those of the message.</summary>
public static partial class ReplicationFrames
{
    /// <summary>Which request it is, before more of it is looked at.</summary>
    /// <exception cref="MessageException">One that we do not know.</exception>
    public static ReplicationRequestKind KindOfRequest(MessageReader message)
    {
        var tag = message.Root.GetUInt16(0);
        return tag <= (ushort)ReplicationRequestKind.PullEventsOf ? (ReplicationRequestKind)tag : throw new MessageException($"Request {tag} is none that this version knows.");
    }

    /// <exception cref="MessageException">One that we do not know.</exception>
    public static ReplicationResponseKind KindOfResponse(MessageReader message)
    {
        var tag = message.Root.GetUInt16(0);
        return tag is >= (ushort)ReplicationResponseKind.ListPositions and <= (ushort)ReplicationResponseKind.PullLog
            ? (ReplicationResponseKind)tag : throw new MessageException($"Answer {tag} is none that this version knows.");
    }

    public static WirePositionQuestion ReadPositionQuestion(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        var typeList = place.GetPointers(0);
        var types = new string[typeList.Count];
        for (var i = 0; i < types.Length; i++)
            types[i] = typeList.GetText(i);
        var list = place.GetStructs(1);
        var aggregates = new WireAggregate[list.Count];
        for (var i = 0; i < aggregates.Length; i++)
            aggregates[i] = AggregateOf(list[i]);
        return new(types, aggregates, place.KindOf(2) == PointerKind.Null ? null : AggregateOf(place.GetStruct(2)), place.GetUInt32(0));
    }

    public static IReadOnlyList<WirePlace> ReadRootsQuestion(MessageReader message) => PlacesOf(message.Root.GetStruct(0));

    public static (IReadOnlyList<WirePlace> From, uint Limit) ReadEventsOfQuestion(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (PlacesOf(place), place.GetUInt32(0));
    }

    public static (WirePlace From, uint Limit) ReadEventsQuestion(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (PlaceOf(place), place.GetUInt32(2));
    }

    public static (ulong Sequence, IReadOnlyList<WireEvent> Events) ReadApply(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (place.GetUInt64(0), EventsOf(place));
    }

    public static WireAggregate ReadMarksQuestion(MessageReader message) => AggregateOf(message.Root.GetStruct(0));

    public static WireMarks ReadApplyMarks(MessageReader message) => MarksOf(message.Root.GetStruct(0));

    public static (ReadOnlyMemory<byte> Schemas, bool Merge) ReadApplySchemas(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (place.GetData(0), place.GetBool(0));
    }

    public static (ulong After, uint WaitMilliseconds) ReadLogQuestion(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (place.GetUInt64(0), place.GetUInt32(2));
    }

    public static (IReadOnlyList<WirePosition> Positions, bool More) ReadPositions(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        var list = place.GetStructs(0);
        var positions = new WirePosition[list.Count];
        for (var i = 0; i < positions.Length; i++)
            positions[i] = new(PlaceOf(list[i]), list[i].GetData(2), list[i].GetBool(64), list[i].GetUInt32(3));
        return (positions, place.GetBool(0));
    }

    public static IReadOnlyList<ReadOnlyMemory<byte>> ReadRoots(MessageReader message)
    {
        var list = message.Root.GetStruct(0).GetPointers(0);
        var roots = new ReadOnlyMemory<byte>[list.Count];
        for (var i = 0; i < roots.Length; i++)
            roots[i] = list.GetData(i);
        return roots;
    }

    public static IReadOnlyList<WireEvent> ReadEvents(MessageReader message) => EventsOf(message.Root.GetStruct(0));

    public static (ulong Sequence, uint Appended) ReadApplied(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return (place.GetUInt64(0), place.GetUInt32(2));
    }

    /// <returns>Null: there is no such aggregate.</returns>
    public static WireMarks? ReadMarks(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return place.KindOf(0) == PointerKind.Null ? null : MarksOf(place.GetStruct(0));
    }

    public static bool ReadMarksApplied(MessageReader message) => message.Root.GetStruct(0).GetBool(0);

    public static ReadOnlyMemory<byte> ReadSchemas(MessageReader message) => message.Root.GetStruct(0).GetData(0);

    public static uint ReadSchemasApplied(MessageReader message) => message.Root.GetStruct(0).GetUInt32(0);

    public static WireLogEnd ReadLogEnd(MessageReader message) => EndOf(message.Root.GetStruct(0));

    public static WireLogPage ReadLogPage(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        var list = place.GetStructs(0);
        var entries = new (ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)[list.Count];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = (list[i].GetData(0), list[i].GetData(1));
        return new(place.GetUInt64(0), entries, place.GetData(1), EndOf(place.GetStruct(2)), place.GetData(3), place.GetData(4), place.GetText(5));
    }

    public static WireRefusal ReadRefusal(MessageReader message)
    {
        var place = message.Root.GetStruct(0);
        return new(place.GetText(0), place.GetText(1), place.GetBool(0), place.GetBool(1) ? place.GetUInt64(1) : null);
    }

    static WireAggregate AggregateOf(StructReader place) => new(place.GetText(0), place.GetText(1));

    static WirePlace PlaceOf(StructReader place) => new(AggregateOf(place), place.GetUInt64(0));

    static WirePlace[] PlacesOf(StructReader place)
    {
        var list = place.GetStructs(0);
        var places = new WirePlace[list.Count];
        for (var i = 0; i < places.Length; i++)
            places[i] = PlaceOf(list[i]);
        return places;
    }

    static WireEvent[] EventsOf(StructReader place)
    {
        var list = place.GetStructs(0);
        var events = new WireEvent[list.Count];
        for (var i = 0; i < events.Length; i++)
        {
            var one = list[i];
            events[i] = new(AggregateOf(one), one.GetText(2), one.GetUInt64(0), one.GetData(3), one.GetData(4), one.GetText(5), one.GetText(6));
        }

        return events;
    }

    static WireMarks MarksOf(StructReader place)
    {
        var list = place.GetStructs(3);
        var snapshots = new WireSnapshot[list.Count];
        for (var i = 0; i < snapshots.Length; i++)
            snapshots[i] = new(list[i].GetUInt64(0), list[i].GetInt64(1), CommentOf(list[i], 0));
        return new(PlaceOf(place), place.GetBool(64), CommentOf(place, 2), snapshots);
    }

    static string? CommentOf(StructReader place, int slot) => place.KindOf(slot) == PointerKind.Null ? null : place.GetText(slot);

    static WireLogEnd EndOf(StructReader place) => new(place.GetData(0), place.GetUInt32(0), place.GetUInt64(1), place.GetData(1), place.GetBool(32));
}
