namespace EventDbx.Tests.Verification;

/// <summary>Why a cell is harmless, or has nothing to change. What is not listed here and not found fails the test.</summary>
internal static class TamperReasons
{
    const string Unbound = "It says in which commit an entry came, or under which schema; no hash covers it, and no read of a record shows it. `verify` holds it against its neighbours and the schemas in force, and a value that fits them passes.";
    const string NoHistory = "What a token has spent, until when it lives and whether it was revoked is no history, and the log does not bind it: whoever writes to the store can give a token more than it had.";
    const string Archived = "Form and digest of a state that is not in rows while the aggregate is archived: nobody reads them, and a restore writes them anew.";
    const string MadeAt = "When the store was made: nobody reads it.";
    const string Derived = "It was made from its event by itself, and the state at its version answers the same without it: a list of snapshots is shorter, no history is.";
    const string Remembered = "The engine's own memory of a state. Without it a read at an old version folds more events and answers the same.";
    const string Retry = "No answer about history changes. A request that is repeated under that id is not known any more: it is appended once more, or refused as another one.";
    const string Counted = "A snapshot that repeats another one of its version, under the next number, with the same time, state and comment as its event gives it.";
    const string WhenSigned = "When it was signed, and whether it was handed out: its text and signature stay what they are.";

    /// <summary>Why a change that nobody found does no harm; null when nothing says so, and it is a hole.</summary>
    public static string? Harmless(string place, string operation) => (place, operation) switch
    {
        ("token row", _) => NoHistory,
        ("archive record", "flip a bit") => Archived,
        ("what the store is", "flip a bit") => MadeAt,
        ("automatic snapshot", "delete") => Derived,
        ("automatic snapshot", "duplicate") => Counted,
        ("fold point", "delete") => Remembered,
        ("id row" or "event: request fingerprint", "recompute everything") => Retry,
        ("checkpoint", "flip a bit" or "delete" or "put back an old value") => operation == "delete"
            ? "A log signs many checkpoints and keeps some of them. One that is missing says nothing; whoever got it still has it."
            : WhenSigned,
        ("event: place in its batch" or "event: schema revision", _) => Unbound,
        _ => null,
    };

    /// <summary>What a document is that was put back.</summary>
    public const string CopiedDocument = "A copy under another name is no document that anybody asks for, and opens under no other name.";

    /// <summary>What a document is that nothing seals.</summary>
    public const string PlainDocument = "A plain store seals nothing: whoever can write there can write another ledger of tokens. It is no history; the store remembers which tokens are dead and what was spent.";

    /// <summary>The same for files.</summary>
    public static string? HarmlessFile(string place, string operation) => (place, operation) switch
    {
        ("watermark", _) => "It has three slots, and any valid one of them holds: it may say less than was synced, and what it says is still held against the log.",
        ("schemas.json", _) => "It shows the schemas in force, which the store holds. A file that says otherwise is set aside at the next open and written anew.",
        ("inventory", "delete" or "truncate") => "Without an inventory the store is checked as after a crash.",
        (_, "duplicate") => "A file under a name of nobody: RocksDB does not read it, or takes it away.",
        ("file IDENTITY" or "file OPTIONS", _) => "RocksDB reads it no more once the store is there: the options come from the program, the identity from the rows.",
        ("files of tables (SST)", "flip a bit") => "Bytes of a table that nobody reads.",
        _ => null,
    };

    /// <summary>Why there is no such change; null when there ought to be one.</summary>
    public static string? None(string place, string operation) => (place, operation) switch
    {
        ("everything", _) => "See the rows of what it is made of.",
        (_, "re-type JSON") => "No JSON stands there.",
        ("event: wrapped key", "recompute everything") => "Whoever has the data key can wrap the same key once more, in the entry and the head; nothing changes by it.",
        ("files of tables (SST)" or "files of the write-ahead log", "recompute everything") => "Written through RocksDB itself: that is what the rows above are.",
        ("watermark" or "inventory" or "tokens.json" or "tokens.json of a plain store" or "schemas.json", "recompute everything") => "See `everything`: with the rows that go with it.",
        (_, "put back an old value") => "It is written once, or never changed: there is no old value.",
        ("how far a family reflects the log" or "size and frontier of the log" or "what the store is", "swap two" or "reorder") => "There is one of it.",
        (_, "move to another aggregate") => "It belongs to no aggregate.",
        (_, "recompute everything") => "It follows from entries: computed anew from them, it is what it was; from changed ones, see there.",
        (_, "swap two") => "There is one of it.",
        (_, "reorder") => "There are not three of them.",
        (_, "duplicate") => "Of a fixed width: there is no room for it twice.",
        (_, "delete") => "Of a fixed width, or never empty: leaving it out is a truncation.",
        _ => null,
    };
}
