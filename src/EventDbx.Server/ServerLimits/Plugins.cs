namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How long a connection to a plugin may take.</summary>
    public static readonly TimeSpan PluginReachedWithin = TimeSpan.FromSeconds(5);

    /// <summary>Entries of the log that a plugin's courier reads and hands over between two commits of its cursor: some tens of milliseconds of a quick plugin.</summary>
    public const int PluginPageEvents = 512;

    /// <summary>Bytes of them, as they are stored. Each enabled plugin holds one such page at most, however long it is down.</summary>
    public const int PluginPageBytes = 1024 * 1024;

    /// <summary>Events that a plugin may get twice after a crash: the page whose commit is under way, and the one that is handed over meanwhile. What a channel cannot know to have arrived (TCP) comes on top.</summary>
    public const int PluginWindowEvents = 2 * PluginPageEvents;

    /// <summary>Before the second try of an event that a plugin refused; doubles with each further one.</summary>
    public static readonly TimeSpan PluginRetryFirst = TimeSpan.FromSeconds(1);

    /// <summary>Between two tries of it at most.</summary>
    public static readonly TimeSpan PluginRetryMax = TimeSpan.FromMinutes(5);

    /// <summary>Between two tries to reach a plugin that is down, at most; from <see cref="PluginRetryFirst"/> on, doubling: it is back within a minute of its return.</summary>
    public static readonly TimeSpan PluginProbeMax = TimeSpan.FromMinutes(1);

    /// <summary>How long a plugin may ask to be left alone (<c>Retry-After</c>); longer is taken for this.</summary>
    public static readonly TimeSpan PluginRetryAfterMax = TimeSpan.FromMinutes(5);

    /// <summary>By how much of itself each of those pauses is scattered, both ways: couriers that failed together do not come back together.</summary>
    public const double PluginJitter = 0.2;

    /// <summary>How often one event fails before another one is tried, to see whether it is the plugin that is down, or the event that it cannot take.</summary>
    public const int PluginSuspectFailures = 3;

    /// <summary>
    /// Hand-overs of other events that have to be taken in a row, without one that fails in between, before another failure of an event that waits counts against it.
    /// Of a receiver that fails at random, however often, at most one try in twelve counts, and ten in a row practically never do.
    /// </summary>
    public const int PluginWitnesses = 5;

    /// <summary>Pages that are read at once to find that other event, where the page has none.</summary>
    public const int PluginLookAheadPages = 64;

    /// <summary>Aggregates that wait and are tried between two pages: neither they nor the feed keep the other from going on.</summary>
    public const int PluginTriesPerRound = 16;

    /// <summary>Events of an aggregate that was released, handed over before others have their turn.</summary>
    public const int PluginCatchUpEvents = 256;

    /// <summary>Between two commits of a cursor that moved by less than half a <see cref="PluginPageEvents"/>: many plugins cost the writer few commits. What was refused or is dead is kept at once.</summary>
    public static readonly TimeSpan PluginCursorInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>Before a commit that the writer was too busy for is asked for again; doubles up to <see cref="PluginBusyMax"/>.</summary>
    public static readonly TimeSpan PluginBusyFirst = TimeSpan.FromMilliseconds(20);

    /// <summary>The longest of those.</summary>
    public static readonly TimeSpan PluginBusyMax = TimeSpan.FromSeconds(1);

    /// <summary>How long a stop, or a change of a plugin, lets it finish what is under way. What is not known to be taken then goes again.</summary>
    public static readonly TimeSpan PluginStopWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long a test, a retry or a batch of a replay waits for the plugin: longer than any channel waits by itself (30 s).</summary>
    public static readonly TimeSpan PluginAskedWithin = TimeSpan.FromSeconds(60);

    /// <summary>How long a retry or a test waits to know that the other end has what it was handed.</summary>
    public static readonly TimeSpan PluginSettledWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long an HTTP plugin may take to answer, connection and redirects included; as in the reference.</summary>
    public static readonly TimeSpan PluginAnswerWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long a TCP plugin may take nothing of what is written: its buffer and ours are full then.</summary>
    public static readonly TimeSpan PluginWriteWithin = TimeSpan.FromSeconds(30);

    /// <summary>How long a TCP plugin may take to end its side after the end of what was sent: it reads the rest meanwhile.</summary>
    public static readonly TimeSpan PluginEndWithin = TimeSpan.FromSeconds(5);

    /// <summary>How long a TCP plugin is watched after the first event on a connection: one that reads a line and closes has done so by then.</summary>
    public static readonly TimeSpan PluginProbeWithin = TimeSpan.FromSeconds(1);

    /// <summary>How long it is left alone with several events before their connection is ended: one that fails at an event closes meanwhile, and gets all of them again. A window each 100 ms is 10,000 events a second.</summary>
    public static readonly TimeSpan PluginQuietFor = TimeSpan.FromMilliseconds(100);

    /// <summary>Events that a TCP plugin may see again after its connection broke: what is kept in memory of it.</summary>
    public const int PluginUnsettledEvents = 1_024;

    /// <summary>Bytes of those. One event goes beyond it.</summary>
    public const int PluginUnsettledBytes = 1024 * 1024;

    /// <summary>Between two tries to write again what a TCP plugin may not have read, where no event comes; twice as long each time.</summary>
    public static readonly TimeSpan PluginRepairFirst = TimeSpan.FromSeconds(1);

    /// <summary>The longest of those.</summary>
    public static readonly TimeSpan PluginRepairMax = TimeSpan.FromSeconds(60);

    /// <summary>Events handed to a plugin at once that takes several: one send, one batch.</summary>
    public const int PluginBatchMax = 256;

    /// <summary>Bytes of one batch to a gRPC plugin: a quarter of what receivers take by default. One event goes beyond it.</summary>
    public const int GrpcPluginBatchBytes = 1024 * 1024;

    /// <summary>How long a gRPC plugin may take to acknowledge a batch: it writes all of it to its disk meanwhile.</summary>
    public static readonly TimeSpan GrpcPluginAnswerWithin = TimeSpan.FromSeconds(30);

    /// <summary>How long the connection to a gRPC plugin is silent before it is asked whether it is still there.</summary>
    public static readonly TimeSpan GrpcPluginPingAfter = TimeSpan.FromSeconds(60);

    /// <summary>Requests to one HTTP plugin at once, and connections to it.</summary>
    public const int PluginRequestsMax = 8;

    /// <summary>Redirects that one request to an HTTP plugin follows, where it may: who has more goes in circles.</summary>
    public const int PluginRedirectsMax = 5;

    /// <summary>How long a connection to a plugin is used by HTTP and gRPC: after that its name is looked up again.</summary>
    public static readonly TimeSpan PluginConnectionLifetime = TimeSpan.FromMinutes(2);

    /// <summary>Bytes of an answer of an HTTP plugin that are read so that its connection can be kept; beyond them it is closed.</summary>
    public const int PluginAnswerBytesMax = 64 * 1024;

    /// <summary>Bytes of it that are looked at for the reason of a failure.</summary>
    public const int PluginAnswerBytesTold = 4 * 1024;

    /// <summary>Characters of what a plugin says that a failure repeats; as in the reference.</summary>
    public const int PluginTextMax = 256;

    /// <summary>Entries of each list of a plugin (types, events, headers, arguments, variables): more than anybody writes by hand.</summary>
    public const int PluginListMax = 256;

    /// <summary>Characters of a text of a plugin (a value of a header, an argument, a template): room for a token.</summary>
    public const int PluginValueMax = 16 * 1024;

    /// <summary>Characters of a signing secret at least: fewer are guessed from one signature.</summary>
    public const int PluginSecretMin = 8;
}
