namespace EventDbx.Verifier.CommandLine;

/// <summary>What <c>--help</c> shows.</summary>
internal static class HelpText
{
    const string Trust = """
          --key VKEY|@FILE      a key that you trust to sign for its log; several times for several. Without one the result is
                                incomplete: everything else is checked, and nobody vouches for the checkpoint.
          --witness VKEY|@FILE  a witness that you trust; several times for several
          --quorum N            how many of them must have cosigned; without it: all of them

        """;

    const string Common = """
          --json                one JSON object instead of sentences
          -h, --help            this

        A file may be - for standard input. @FILE is a file with one key a line.
        Exit codes: 0 proven, 1 not readable, 2 usage, 3 refuted, 5 incomplete.

        """;

    const string Program = """
        dbx-verify: checks what EventDBX gives to outsiders. It needs no server, no network and nothing of EventDBX.

        Usage: dbx-verify COMMAND …

          event RECEIPT              one event: unchanged, in its aggregate, in the log
          aggregate PROOF            two roots of one aggregate: one history begins the other
          consistency OLD NEW PROOF  two checkpoints: the log has only grown
          log PATH                   a checkpoint, a mirror of the tiles, or a directory of checkpoints
          bundle FILE                evidence: whole aggregates, or the whole log

          -h, --help     this; behind a command: what it takes
          -V, --version  which version this is

        Exit codes: 0 proven, 1 not readable, 2 usage, 3 refuted, 5 incomplete.

        Examples:
          dbx-verify event receipt.json --key @log.vkey
          dbx-verify bundle evidence.ndjson --key @log.vkey --since last-year.checkpoint

        """;

    const string Event = """
        Checks a receipt: that the event is, to the byte, in the log.

        Usage: dbx-verify event RECEIPT [options]

        RECEIPT is a receipt, or a bare tlog-proof together with --hash.

        """;

    const string EventOptions = """
          --hash HASH           of a bare tlog-proof: the leaf hash that it is about, 64 hex digits

        """;

    const string EventExamples = """

        Examples:
          dbx-verify event receipt.json --key @log.vkey
          dbx-verify event receipt.json --key @log.vkey --witness @witnesses.vkey --quorum 2
          dbx-verify event - --key @log.vkey --json < receipt.json

        """;

    const string Aggregate = """
        Checks that one root of an aggregate is of a history that begins the other's.

        Usage: dbx-verify aggregate PROOF [options]

          --from-root HASH      the root that you know at the older version
          --to-root HASH        the root that you know at the newer version; without either the result is incomplete

        """;

    const string AggregateExamples = """

        Examples:
          dbx-verify aggregate proof.json --from-root 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d

        """;

    const string Consistency = """
        Checks that the log of an older checkpoint is the beginning of the log of a newer one.

        Usage: dbx-verify consistency OLD NEW PROOF [options]

        OLD and NEW are files with checkpoints.

        """;

    const string ConsistencyExamples = """

        Examples:
          dbx-verify consistency january.checkpoint july.checkpoint proof.json --key @log.vkey

        """;

    const string Log = """
        Checks a checkpoint's signature; a mirror of the log's tiles; or that checkpoints do not contradict each other.

        Usage: dbx-verify log PATH [options]

        PATH is a file with a checkpoint; a directory with `checkpoint` and `tile/`: a mirror, hashed whole; or one with files
        *.checkpoint: within an epoch no two of one size may differ.

        """;

    const string LogExamples = """

        Examples:
          dbx-verify log latest.checkpoint --key @log.vkey
          dbx-verify log mirror --key @log.vkey --since january.checkpoint
          dbx-verify log anchors --key @log.vkey

        """;

    const string Since = """
          --since FILE          an older checkpoint that you kept: its log must be the beginning of this one

        """;

    const string Bundle = """
        Checks evidence: every event of some aggregates, or of the whole log, as one stream.

        Usage: dbx-verify bundle FILE [options]

        """;

    const string BundleExamples = """

        Examples:
          dbx-verify bundle evidence.ndjson --key @log.vkey
          dbx-verify bundle evidence.ndjson --key @log.vkey --since january.checkpoint

        """;

    public static string Of(Command? command) => command?.Name switch
    {
        "event" => Event + Trust + EventOptions + Common + EventExamples,
        "aggregate" => Aggregate + Common + AggregateExamples,
        "consistency" => Consistency + Trust + Common + ConsistencyExamples,
        "log" => Log + Trust + Since + Common + LogExamples,
        "bundle" => Bundle + Trust + Since + Common + BundleExamples,
        _ => Program,
    };
}
