# What two nodes say to each other in a session: one request, one answer. docs/replication.md says who may, and what.
# Members of others keep their ordinals; ours stand behind them.

@0xdf2749081f1a2e2f;

# The first message, of who dialled.
struct ReplicationHello {
  protocolVersion @0 :UInt16;
  expectedPublicKey @1 :Data;  # Of the other end, as it is pinned: 32 bytes.
  publicKey @2 :Data;  # Ours, from here on: of who dialled, 32 bytes.
  signature @3 :Data;  # Of this connection by that key: 64 bytes.
}

# The second one.
struct ReplicationHelloResponse {
  accepted @0 :Bool;
  message @1 :Text;  # "ok", or why not.
  publicKey @2 :Data;  # Ours, from here on: of who was dialled; empty where it is not accepted.
  signature @3 :Data;
}

struct AggregatePosition {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
  version @2 :UInt64;
  root @3 :Data;  # Ours, from here on: 32 bytes, over all events up to that version.
  archived @4 :Bool;
  snapshots @5 :UInt32;
}

struct PullEventsRequest {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
  fromVersion @2 :UInt64;
  limit @3 :UInt32;  # 0: as many as an answer holds.
}

struct EventRecord {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
  eventType @2 :Text;
  version @3 :UInt64;
  payload @4 :Data;  # JSON
  metadata @5 :Data;  # JSON, with "salt"
  merkleRoot @6 :Text;
  hash @7 :Text;
}

struct ApplyEventsRequest {
  sequence @0 :UInt64;  # 1, 2, 3 ... of the session
  events @1 :List(EventRecord);  # Of one aggregate.
}

struct ApplyEventsResponse {
  appliedSequence @0 :UInt64;
  appended @1 :UInt32;  # Ours: how many of them were new.
}

struct ApplySchemasRequest {
  schemasJson @0 :Data;
  merge @1 :Bool;  # Ours: leave those that are not named. Without it they are taken away.
}

struct ApplySchemasResponse {
  aggregateCount @0 :UInt32;  # Aggregate types whose schema changed.
}

struct PullSchemasResponse {
  schemasJson @0 :Data;
}

struct ListPositionsResponse {
  positions @0 :List(AggregatePosition);
  more @1 :Bool;  # Ours: there are some behind the last one.
}

struct PullEventsResponse {
  events @0 :List(EventRecord);
}

struct ErrorResponse {
  message @0 :Text;
  code @1 :Text;  # Ours, from here on: as in every other answer of EventDBX.
  final @2 :Bool;  # It will not succeed by itself.
  actualVersion @3 :UInt64;  # Of the aggregate, where hasActualVersion says so.
  hasActualVersion @4 :Bool;
}

# The structs from here on are ours.

struct AggregateRef {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
}

struct AggregatePlace {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
  version @2 :UInt64;
}

struct ListPositionPageRequest {
  types @0 :List(Text);
  aggregates @1 :List(AggregateRef);
  after @2 :AggregateRef;  # Null: from the first.
  take @3 :UInt32;
}

struct FindRootsRequest {
  places @0 :List(AggregatePlace);
}

struct PullEventsOfRequest {
  places @0 :List(AggregatePlace);  # Behind these versions.
  limit @1 :UInt32;  # In all.
}

struct FindRootsResponse {
  roots @0 :List(Data);  # 32 bytes each; empty: the aggregate is not at that version.
}

struct SnapshotMark {
  version @0 :UInt64;
  createdAt @1 :Int64;  # 100 ns since 1970-01-01Z
  comment @2 :Text;  # Null: none.
}

struct AggregateMarks {
  aggregateType @0 :Text;
  aggregateId @1 :Text;
  version @2 :UInt64;
  archived @3 :Bool;
  comment @4 :Text;  # Null: none.
  snapshots @5 :List(SnapshotMark);
}

struct FindMarksResponse {
  marks @0 :AggregateMarks;  # Null: there is no such aggregate.
}

struct ApplyMarksResponse {
  changed @0 :Bool;
}

struct PullLogRequest {
  after @0 :UInt64;
  waitMilliseconds @1 :UInt32;
}

struct LogEnd {
  databaseId @0 :Data;  # 16 bytes, in the order of RFC 9562
  epoch @1 :UInt32;
  size @2 :UInt64;
  root @3 :Data;
  encrypted @4 :Bool;
}

struct LogEntry {
  row @0 :Data;
  aggregateKey @1 :Data;
}

struct LogPage {
  after @0 :UInt64;
  entries @1 :List(LogEntry);
  root @2 :Data;
  end @3 :LogEnd;
  checkpoint @4 :Data;
  rootBefore @5 :Data;
  checkpointKey @6 :Text;  # The vkey that signed it.
}

struct ReplicationRequest {
  union {
    listPositions @0 :Void;
    pullEvents @1 :PullEventsRequest;
    applyEvents @2 :ApplyEventsRequest;
    pullSchemas @3 :Void;
    applySchemas @4 :ApplySchemasRequest;
    identify @5 :Void;  # Ours, from here on.
    listPositionPage @6 :ListPositionPageRequest;
    findRoots @7 :FindRootsRequest;
    findMarks @8 :AggregateRef;
    applyMarks @9 :AggregateMarks;
    pullLog @10 :PullLogRequest;
    pullEventsOf @11 :PullEventsOfRequest;  # Answered as pullEvents.
  }
}

struct ReplicationResponse {
  union {
    ok @0 :Void;  # Never sent.
    listPositions @1 :ListPositionsResponse;
    pullEvents @2 :PullEventsResponse;
    applyEvents @3 :ApplyEventsResponse;
    pullSchemas @4 :PullSchemasResponse;
    applySchemas @5 :ApplySchemasResponse;
    error @6 :ErrorResponse;
    identify @7 :LogEnd;  # Ours, from here on.
    findRoots @8 :FindRootsResponse;
    findMarks @9 :FindMarksResponse;
    applyMarks @10 :ApplyMarksResponse;
    pullLog @11 :LogPage;
  }
}
