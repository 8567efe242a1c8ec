namespace EventDbx.Protocol.CapnProto;

/// <summary>The first message of a session, by who dialled.</summary>
/// <param name="ProtocolVersion">2; the reference has 1, and neither key nor signature.</param>
/// <param name="ExpectedPublicKey">Of the other end, as it is pinned.</param>
/// <param name="PublicKey">Of who dialled.</param>
/// <param name="Signature">Of this connection.</param>
public readonly record struct ReplicationHello(ushort ProtocolVersion, ReadOnlyMemory<byte> ExpectedPublicKey, ReadOnlyMemory<byte> PublicKey = default, ReadOnlyMemory<byte> Signature = default);

/// <summary>The second one, by who was dialled.</summary>
/// <param name="Accepted">Whether requests are answered from here on.</param>
/// <param name="Message"><c>ok</c>, or why not.</param>
/// <param name="PublicKey">Of who was dialled; empty where it is not accepted.</param>
/// <param name="Signature">Of this connection; the same.</param>
public readonly record struct ReplicationHelloResponse(bool Accepted, string Message, ReadOnlyMemory<byte> PublicKey = default, ReadOnlyMemory<byte> Signature = default);

/// <summary>Which request a message is: the tag of its union.</summary>
public enum ReplicationRequestKind : ushort
{
    ListPositions = 0,
    PullEvents = 1,
    ApplyEvents = 2,
    PullSchemas = 3,
    ApplySchemas = 4,
    Identify = 5,
    ListPositionPage = 6,
    FindRoots = 7,
    FindMarks = 8,
    ApplyMarks = 9,
    PullLog = 10,
    PullEventsOf = 11,
}

/// <summary>Which answer a message is: the tag of its union, which is another one than that of the request.</summary>
public enum ReplicationResponseKind : ushort
{
    ListPositions = 1,
    PullEvents = 2,
    ApplyEvents = 3,
    PullSchemas = 4,
    ApplySchemas = 5,
    Error = 6,
    Identify = 7,
    FindRoots = 8,
    FindMarks = 9,
    ApplyMarks = 10,
    PullLog = 11,
}

/// <summary>An aggregate by name.</summary>
public readonly record struct WireAggregate(string Type, string Id);

/// <summary>An aggregate at a version.</summary>
public readonly record struct WirePlace(WireAggregate Aggregate, ulong Version);

/// <summary>Where an aggregate stands.</summary>
/// <param name="Place">Which, and its newest version.</param>
/// <param name="Root">32 bytes, or none from a peer of version 1.</param>
/// <param name="Archived">Whether it is.</param>
/// <param name="Snapshots">Taken by hand.</param>
public readonly record struct WirePosition(WirePlace Place, ReadOnlyMemory<byte> Root, bool Archived, uint Snapshots);

/// <summary>A question for a page of positions.</summary>
/// <param name="Types">These types; none: all.</param>
/// <param name="Aggregates">These aggregates.</param>
/// <param name="After">Behind this one; null: from the first.</param>
/// <param name="Take">At most.</param>
public sealed record WirePositionQuestion(IReadOnlyList<string> Types, IReadOnlyList<WireAggregate> Aggregates, WireAggregate? After, uint Take);

/// <summary>An event on its way. Payload and metadata are JSON in UTF-8, hash and root small hex.</summary>
public readonly record struct WireEvent(
    WireAggregate Aggregate, string EventType, ulong Version, ReadOnlyMemory<byte> Payload, ReadOnlyMemory<byte> Metadata, string MerkleRoot, string Hash);

/// <param name="Version">Of the aggregate.</param>
/// <param name="CreatedAt">100 ns since 1970-01-01Z.</param>
/// <param name="Comment">Null: none.</param>
public readonly record struct WireSnapshot(ulong Version, long CreatedAt, string? Comment);

/// <summary>An aggregate beside its events.</summary>
public sealed record WireMarks(WirePlace Place, bool Archived, string? Comment, IReadOnlyList<WireSnapshot> Snapshots);

/// <summary>Which log, and how far it is.</summary>
/// <param name="DatabaseId">16 bytes, in the order of RFC 9562.</param>
/// <param name="Epoch">Of the store.</param>
/// <param name="Size">Entries.</param>
/// <param name="Root">32 bytes.</param>
/// <param name="Encrypted">Whether the store is.</param>
public readonly record struct WireLogEnd(ReadOnlyMemory<byte> DatabaseId, uint Epoch, ulong Size, ReadOnlyMemory<byte> Root, bool Encrypted);

/// <summary>A stretch of a log.</summary>
public sealed record WireLogPage(
    ulong After, IReadOnlyList<(ReadOnlyMemory<byte> Row, ReadOnlyMemory<byte> AggregateKey)> Entries, ReadOnlyMemory<byte> Root, WireLogEnd End, ReadOnlyMemory<byte> Checkpoint, ReadOnlyMemory<byte> RootBefore,
    string CheckpointKey = "");

/// <summary>Why a request was refused.</summary>
/// <param name="Message">For people.</param>
/// <param name="Code">For programs; empty from a peer of version 1.</param>
/// <param name="Final">It will not succeed by itself.</param>
/// <param name="ActualVersion">Of the aggregate.</param>
public readonly record struct WireRefusal(string Message, string Code, bool Final, ulong? ActualVersion);
