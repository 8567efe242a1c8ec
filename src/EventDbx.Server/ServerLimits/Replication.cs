namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How long a mirror's question for more of the log waits at its leader for an entry that is not there yet: half of what a quiet session is left alone for.</summary>
    public static readonly TimeSpan ReplicaLogWaitMax = TimeSpan.FromSeconds(15);

    /// <summary>Sessions with peers at once. A node has a handful of them; each may hold a few messages of <see cref="Limits.PageBytesMax"/>.</summary>
    public const int SessionsMax = 64;

    /// <summary>Connections to the port of replication at once, those that have not proven yet who they are among them: what a crowd of strangers may cost, a key pair and two signatures each.</summary>
    public const int SessionConnectionsMax = 2 * SessionsMax;

    /// <summary>Of those from one address.</summary>
    public const int SessionConnectionsPerAddressMax = SessionConnectionsMax / 4;

    /// <summary>From the connection to the first answer, TLS included: five round trips over the slowest line.</summary>
    public static readonly TimeSpan SessionHandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection with commands may be without the next one, or take nothing of an answer.</summary>
    public static readonly TimeSpan SessionIdleTimeout = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long a session may be without a request, or a part of one: a peer that pushes goes through all its own aggregates, tens of millions of them, between two requests. Only peers that have proven their key have that
    /// long, in a place of <see cref="SessionsMax"/>.
    /// </summary>
    public static readonly TimeSpan SessionQuietTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Characters of a peer's refusal that are kept: ours have a few hundred.</summary>
    public const int SessionRefusalCharactersMax = 2_000;

    /// <summary>How long a peer may take to take a connection.</summary>
    public static readonly TimeSpan SessionConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a peer may let nothing come of an answer, beyond what it was told to wait.</summary>
    public static readonly TimeSpan SessionAnswerTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of the first message each way, which strangers send: keys, a signature, a sentence.</summary>
    public const int SessionHelloBytesMax = 4 * 1024;

    /// <summary>Bytes of a message between peers: a page of a log and a batch behind it, which is never cut, with the words around them. Half of what a frame may have.</summary>
    public const int SessionMessageBytesMax = 32 * 1024 * 1024;

    /// <summary>Bytes of an event's metadata on its way: a note and an actor at their limits, every character escaped.</summary>
    public const int SessionMetadataBytesMax = 64 * 1024;

    /// <summary>Names in a question for positions, types and aggregates together: it is asked again for every page.</summary>
    public const int SessionFilterMax = 10_000;

    /// <summary>Lines of the log about who was refused, a minute: whoever can reach the port can make as many as there may be.</summary>
    public const int SessionRefusalLinesMax = 20;

    /// <summary>Bytes of a command by the port of replication: a payload at its limit, every character escaped, and the words around it.</summary>
    public const int SessionCommandBytesMax = 3 * Limits.PayloadBytesMax;

    /// <summary>Arguments of one.</summary>
    public const int SessionCommandArgumentsMax = 4_096;

    /// <summary>Bytes of what one prints, to standard output and standard error each; more ends it.</summary>
    public const int SessionCommandOutputBytesMax = 8 * 1024 * 1024;

    /// <summary>How long one may take.</summary>
    public static readonly TimeSpan SessionCommandTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Commands at once; others wait their turn.</summary>
    public const int SessionCommandsMax = 2;

    /// <summary>After a leader was lost, or refused this node, before it is dialled again; doubles up to <see cref="FollowerRetryMax"/>.</summary>
    public static readonly TimeSpan FollowerRetryFirst = TimeSpan.FromSeconds(1);

    /// <summary>Between two tries to reach a leader, at most: a mirror goes on within a minute of its return.</summary>
    public static readonly TimeSpan FollowerRetryMax = TimeSpan.FromSeconds(60);

    /// <summary>How long a stop, a promotion or a change of leader lets the page finish that is being applied.</summary>
    public static readonly TimeSpan FollowerStopWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long a question to the leader may take beyond the time that it may wait there: one that has been cut off without a word is noticed.</summary>
    public static readonly TimeSpan FollowerAnswerWithin = TimeSpan.FromSeconds(30);

    /// <summary>Aggregates that a push or pull keeps in mind at once, about 300 bytes each: where more differ, it compares the rest again when these are through.</summary>
    public const int TransferPlanMax = 65_536;

    /// <summary>Aggregate types that a push or pull counts events of: more than anybody has, at up to 128 bytes of name each. A remote that names another type with every aggregate ends here.</summary>
    public const int TransferTypesMax = 16_384;

    /// <summary>Aggregates that one push or pull compares, those that it compares again among them: hours of comparing. A remote whose list has no end, ends here.</summary>
    public const ulong TransferComparedMax = 1_000_000_000;

    /// <summary>How long a batch of a push or pull that is under way may take after it was cancelled: so long it is answered, and counted.</summary>
    public static readonly TimeSpan TransferCancelWithin = TimeSpan.FromSeconds(5);
}
