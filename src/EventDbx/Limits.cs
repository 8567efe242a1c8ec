namespace EventDbx;

/// <summary>Every fixed bound of the engine, each with its unit and its reason. docs/guarantees.md quotes this file.</summary>
public static class Limits
{
    /// <summary>Bytes of UTF-8 in an aggregate type or an event type. Names are keys: short keys keep the index small.</summary>
    public const int TypeBytesMax = 256;

    /// <summary>Bytes of UTF-8 in an aggregate id. Room for a URL or a composite key, still one small index row.</summary>
    public const int IdBytesMax = 512;

    /// <summary>Bytes of UTF-8 in one member name inside a payload, after unescaping. It becomes part of a key.</summary>
    public const int FieldNameBytesMax = 1024;

    /// <summary>Unicode scalar values in a note. A note is a remark, not a document.</summary>
    public const int NoteScalarsMax = 128;

    /// <summary>Bytes of one payload, as sent. Larger things belong in a blob store, with their hash in the event.</summary>
    public const int PayloadBytesMax = 1024 * 1024;

    /// <summary>Bytes of one request (a batch).</summary>
    public const int RequestBytesMax = 16 * 1024 * 1024;

    /// <summary>Levels of arrays and objects in a payload; the outermost is level 1.</summary>
    public const int PayloadDepthMax = 64;

    /// <summary>Characters of one number literal: kept as sent, so it must be bounded.</summary>
    public const int NumberCharactersMax = 1000;

    /// <summary>Top-level members of one event's payload.</summary>
    public const int PayloadMembersMax = 1024;

    /// <summary>Fields of one aggregate's state.</summary>
    public const int StateFieldsMax = 65_536;

    /// <summary>Bytes of one aggregate's state: names and values as minified JSON.</summary>
    public const int StateBytesMax = 16 * 1024 * 1024;

    /// <summary>Bytes up to which a state is one row; above, each field is a row of its own. Measured: docs/decisions.</summary>
    public const int StateBlobBytesMax = 4 * 1024;

    /// <summary>Bytes of a state up to which its automatic snapshot is part of the commit; a larger one is written behind it, so that no answer waits.</summary>
    public const int SnapshotInCommitBytesMax = 64 * 1024;

    /// <summary>
    /// Bytes of the fields that one patch reaches into, as they are before it: twice what may come of it, for a patch can make fields smaller.
    /// The writer builds trees of them.
    /// </summary>
    public const int PatchedBytesMax = 2 * PayloadBytesMax;

    /// <summary>
    /// Items of arrays that the operations of one patch may push aside, one place each time: an insertion at the front of a long array moves
    /// all of it. 20 million take some 20 ms.
    /// </summary>
    public const int PatchItemsMovedMax = 20_000_000;

    /// <summary>Snapshots and fold points of large states that wait to be written behind their commits: as many as drafts may wait. Beyond it one is left out.</summary>
    public const int SnapshotsWaitingMax = QueueDraftsMax;

    /// <summary>Seconds that a stop spends on automatic snapshots that are due; the rest is left out, and said.</summary>
    public const int SnapshotsAtStopSecondsMax = 10;

    /// <summary>Types and aggregates that one question for positions may name. Each aggregate is looked up.</summary>
    public const int MergeFilterMax = 10_000;

    /// <summary>Snapshots of one aggregate that are taken over by a merge: the newest. More are no marks but a history of their own.</summary>
    public const int MergeSnapshotsMax = 10_000;

    /// <summary>Appends in one batch.</summary>
    public const int BatchEventsMax = 1000;

    /// <summary>Bytes of payloads and states in one group: what one sync may carry.</summary>
    public const int GroupBytesMax = 8 * 1024 * 1024;

    /// <summary>
    /// Bytes of rows that one batch may make the store write. A batch of patches, or of very many small fields under long names, writes far
    /// more than it brings along. Above what the archive of one state at its limits takes (some 75 MiB), which is always written.
    /// </summary>
    public const int CommitBytesMax = 128 * 1024 * 1024;

    /// <summary>Commits in one group. More gains little: the sync is already shared by so many.</summary>
    public const int GroupCommitsMax = 2048;

    /// <summary>Bytes of drafts waiting for the writer. Beyond it a caller is told to come back.</summary>
    public const int QueueBytesMax = 64 * 1024 * 1024;

    /// <summary>Drafts waiting for the writer; with tiny payloads this binds before the bytes do.</summary>
    public const int QueueDraftsMax = 65_536;

    /// <summary>Full tiles of the log tree that proofs remember, with every node in them: some 16 MiB, the leaves of 262,144 entries.</summary>
    public const int LogTilesRemembered = 1024;

    /// <summary>Bytes of UTF-8 in the name of a log, without its epoch. It stands in every checkpoint and on every line of its signatures.</summary>
    public const int LogOriginBytesMax = 256;

    /// <summary>Versions of an aggregate up to which a proof is made at once. A longer one reads as many rows of the index, and waits its turn with full verifies.</summary>
    public const ulong ProofVersionsAtOnce = 10_000;

    /// <summary>Field rows of large states that the writer remembers over all heads: some 20 MiB.</summary>
    public const int FieldsRememberedMax = 200_000;

    /// <summary>Bytes of one line of an import file: a payload at its limit, escaped at its worst, and the rest of a record.</summary>
    public const int ImportLineBytesMax = PayloadBytesMax + (64 * 1024);

    /// <summary>Items on one page of any list.</summary>
    public const int PageItemsMax = 1000;

    /// <summary>Bytes on one page of any list, after which a cursor continues. One item always fits.</summary>
    public const int PageBytesMax = 4 * 1024 * 1024;

    /// <summary>Versions between two fold points: a read at an old version folds at most this many events.</summary>
    public const int FoldPointInterval = 1000;

    /// <summary>Aggregates whose heads the writer keeps in memory (config <c>cache_threshold</c>).</summary>
    public const int HeadCacheDefault = 10_000;

    /// <summary>Bytes of one document beside the log (tokens, schemas): some 100,000 tokens. It is read and replaced whole.</summary>
    public const int DocumentBytesMax = 64 * 1024 * 1024;

    /// <summary>Aggregate keys that a rotation wraps again in one commit: some milliseconds in which appends wait.</summary>
    public const int RotationKeysMax = 256;

    /// <summary>Bytes of rows that a rotation writes again in one commit; a row that is larger has one to itself. Appends wait that long.</summary>
    public const int RotationBytesMax = 2 * 1024 * 1024;

    /// <summary>Keys that a rotation leaves behind, because what has them is damaged, before it stops looking for more.</summary>
    public const int RotationLeftMax = 1000;

    /// <summary>How long a rotation waits at its end for reads that began before, and for whose sake files keep what was replaced.</summary>
    public static readonly TimeSpan RotationReadersWait = TimeSpan.FromSeconds(60);

    /// <summary>Entries of the log that a rotation looks at before it writes down how far it is.</summary>
    public const ulong RotationEntriesMax = 100_000;

    /// <summary>Aggregates walked over, because they are not to be shown, for one page of a list: then a cursor, so that no page takes long.</summary>
    public const int ListScanMax = 20_000;

    /// <summary>Aggregates a list skips at most; each is walked over. A cursor costs nothing.</summary>
    public const long SkipMax = 1_000_000;

    /// <summary>Entries of the log looked at for one page of the feed: a filter that lets little through still answers soon.</summary>
    public const int FeedScanMax = 20_000;

    /// <summary>Entries of the log looked at for one page of the audit: events are passed over unopened, a hundred thousand in a fraction of a second.</summary>
    public const int AuditScanMax = 100_000;

    /// <summary>Names of kinds that one question to the audit may have: more than there are.</summary>
    public const int AuditKindsMax = 64;

    /// <summary>Characters that say from where a control entry was made: a word, and the longest address with its zone.</summary>
    public const int OriginCharactersMax = 80;

    /// <summary>
    /// Bytes of column names in one export as CSV, with <see cref="ExportColumnCost"/> for each: they are in memory. A table with more is none.
    /// </summary>
    public const int ExportColumnsBytesMax = 64 * 1024 * 1024;

    /// <summary>Bytes that a column costs beside its name.</summary>
    public const int ExportColumnCost = 128;

    /// <summary>Characters of a file's name in an export, without its extension: with a suffix while it is written, below what file systems take.</summary>
    public const int ExportNameCharactersMax = 200;

    /// <summary>Aggregates that a verify of everything remembers at once: some 100 bytes each. With more it makes further passes, or does not resume.</summary>
    public const int VerifyAggregatesMax = 1_000_000;

    /// <summary>How often an export as CSV begins anew when fields turn up that were not there when it looked for them.</summary>
    public const int ExportAttemptsMax = 5;

    /// <summary>Schemas in one database. They are compiled and kept in memory, and their file is written whole on each change.</summary>
    public const int SchemasMax = 10_000;

    /// <summary>Event types of one schema. A type with more is several types.</summary>
    public const int SchemaEventsMax = 1024;

    /// <summary>Columns on one level of a schema, and names in any of its lists: as many as a payload may have members at its top.</summary>
    public const int SchemaColumnsMax = PayloadMembersMax;

    /// <summary>Columns of one schema over all levels: what one event can make the writer look at.</summary>
    public const int SchemaColumnsInAllMax = 4096;

    /// <summary>Levels of columns, the outermost is 1. Deeper documents are a <c>json</c> column.</summary>
    public const int SchemaDepthMax = 16;

    /// <summary>Texts in one list of a column: patterns to match, parts to contain. Each is looked for in every event.</summary>
    public const int SchemaTextsMax = 64;

    /// <summary>Characters (UTF-16) of one pattern, of one text to contain, of one bound.</summary>
    public const int SchemaTextCharactersMax = 1000;

    /// <summary>Steps of one pattern with its repetitions written out (<c>a{1,9}</c> has 17): what one character can cost at most.</summary>
    public const int SchemaPatternStepsMax = 1000;

    /// <summary>
    /// Steps that all patterns may take for one event, and for all patches of one commit: characters of a text times steps of its pattern, summed.
    /// Measured at 8 ns: some 0.2 s, in which nobody else is answered where it is a patch. A text of 1 MiB leaves room for 23 steps.
    /// </summary>
    public const long PatternStepsMax = 25_000_000;

    /// <summary>Changes of a schema made at once: each makes a whole schema, and checks it.</summary>
    public const int SchemaEditsMax = 1000;

    /// <summary>Violations listed for one event. Whoever has more of them reads the first ones.</summary>
    public const int SchemaViolationsMax = 100;

    /// <summary>Rows of each family that a quick look for rows that lead nowhere takes, each with one look-up: short enough for whoever looks every minute.</summary>
    public const long OrphanRowsLooked = 10_000;

    /// <summary>Rows that lead nowhere, counted at most: the first says what is the matter, and a store with so many is not mended by hand.</summary>
    public const long OrphansToldMax = 1_000;

    /// <summary>Characters kept of what a plugin said when it refused an event: a sentence or two for whoever looks.</summary>
    public const int DeliveryErrorCharactersMax = 512;

    /// <summary>
    /// Aggregates that wait for one plugin. Each is in memory of its courier, and is read again from the log when its time comes; a plugin that refuses
    /// events of more has a fault that is not theirs, and taking up more would only find it again.
    /// </summary>
    public const int DeliveryWaitingMax = 10_000;

    /// <summary>Dead letters of one plugin: some 100 MB at their largest. Whoever has so many does not look; no event is passed over, the plugin stands still instead.</summary>
    public const int DeliveryDeadMax = 100_000;

    /// <summary>Rows of a plugin that one commit changes: each is looked up by the writer, some milliseconds in which appends wait.</summary>
    public const int DeliveryChangesMax = 1_000;

    /// <summary>How often a checkpoint that nobody has asked for is kept for good, because mirrors get it: 1,440 rows of some 300 bytes a day.</summary>
    public static readonly TimeSpan MirrorCheckpointInterval = TimeSpan.FromMinutes(1);

    /// <summary>The highest epoch: each is a loss, a promotion or a restore, so that whoever speaks of more is wrong. Room for 16,000 restores at the largest step, and as much above it.</summary>
    public const uint MirrorEpochMax = 1 << 30;

    /// <summary>Wrapped keys of aggregates that a rebuild keeps while it reads the log, some 20 MiB; then it writes what it has read and looks them up there.</summary>
    public const int ReplayKeysMax = 65_536;

    /// <summary>By how much a restore raises the epoch at most; how much is drawn, so that two restores of one backup hardly ever share a number: cursors and checkpoints are told apart by it.</summary>
    public const uint RestoreEpochStepMax = 65_536;

    /// <summary>Plugins of which something is kept: as many as a server may have.</summary>
    public const int DeliveryPluginsMax = 1_000;

    /// <summary>How long a backup waits for another one to end before it is told to come back.</summary>
    public static readonly TimeSpan BackupTurnWait = TimeSpan.FromSeconds(1);

    /// <summary>Files of one backup. A store of 64 GB has some 1,000.</summary>
    public const int BackupFilesMax = 200_000;

    /// <summary>Bytes of all files of a backup, unpacked: above what a disk holds. What there is room for is asked first.</summary>
    public const long BackupBytesMax = 1L << 50;

    /// <summary>Which part of the free bytes of its disk a backup may fill with copies of what lies beside the store: a half. The other half is the writer's, which stops where there is none.</summary>
    public const int BackupCopiesPartOfFree = 2;

    /// <summary>Bytes of the manifest of a backup, and of its checksums: read whole, some 200 for each file.</summary>
    public const int BackupManifestBytesMax = 64 * 1024 * 1024;

    /// <summary>Bytes of UTF-8 in the path of a file in a backup.</summary>
    public const int BackupPathBytesMax = 1024;

    /// <summary>Bytes of UTF-8 in one part of it: what file systems take.</summary>
    public const int BackupNameBytesMax = 255;

    /// <summary>Parts of the path of a file in a backup.</summary>
    public const int BackupPathPartsMax = 32;

    /// <summary>Backups that an incremental one may stand on, one on the other. Each is read to restore it; begin anew long before.</summary>
    public const int BackupChainMax = 100;
}
