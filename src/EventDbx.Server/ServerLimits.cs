namespace EventDbx.Server;

/// <summary>Every fixed bound of the server, each with its unit and its reason. Those of the data stand in <see cref="Limits"/>.</summary>
public static class ServerLimits
{
    /// <summary>TCP connections at once, waiting ones included: a descriptor and some 13 KB each, 45 KB with TLS (measured). Beyond it the one that has waited longest is closed.</summary>
    public const int ConnectionsMax = 10_000;

    /// <summary>TCP connections at once from one address: a proxy, or an office behind one address, has hundreds, and nobody needs more than a fraction of all.</summary>
    public const int ConnectionsPerAddressMax = 2_500;

    /// <summary>What one address may have of all: the n-th part at most, whatever the system allows in all. Four of them shut a port, not one.</summary>
    public const int ConnectionsAddressPart = 4;

    /// <summary>TCP connections that are taken even where the system lets this process have few descriptors.</summary>
    public const int ConnectionsLeast = 64;

    /// <summary>Connections at once by the socket in the file system: commands of one owner. Counted apart, so that no crowd outside keeps the owner out.</summary>
    public const int SocketConnectionsMax = 500;

    /// <summary>Connections that were closed for others and hand their last answer over still, at once, by one kind of door. Beyond it the longest at it is cut off.</summary>
    public const int LeavingMax = 256;

    /// <summary>How long an answer may get no further before its connection is the first to go in a crowd: some 32 KB have to be taken in that time. One of an AppendStream, on which other streams may wait, ends its stream.</summary>
    public static readonly TimeSpan AnswerStallTimeout = TimeSpan.FromSeconds(20);

    /// <summary>How long a backup waits for its client, in all, while <see cref="BackupAnswerBytes"/> of it are taken: a disk or a line that hesitates gets over it. Beyond it the backup is given up, so that it keeps neither files on disk nor other backups waiting.</summary>
    public static readonly TimeSpan BackupAnswerTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Bytes of a backup that have to be taken within <see cref="BackupAnswerTimeout"/> of waiting: 17 KB a second, a tenth of what a slow line has.</summary>
    public const int BackupAnswerBytes = 1024 * 1024;

    /// <summary>Descriptors that TCP connections leave to the rest: the store's files (1,000 at most), the connections of the socket and of the Admin API, those that leave, log and runtime.</summary>
    public const int DescriptorsKept = 1_000 + SocketConnectionsMax + AdminConnectionsMax + LeavingMax + 256;

    /// <summary>How long a connection may say nothing at first. Clients open one to use it; between requests <see cref="IdleTimeout"/> holds.</summary>
    public static readonly TimeSpan FirstByteTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long a TLS handshake may take, from its first byte: two round trips over the slowest line.</summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of a file with certificates or a key: a bundle of every public root has 250 KB.</summary>
    public const int CertificateFileBytesMax = 1024 * 1024;

    /// <summary>How long before its end a certificate is warned about: time to get another one, and short of the 30 days in which automatic renewal begins.</summary>
    public static readonly TimeSpan CertificateWarning = TimeSpan.FromDays(14);

    /// <summary>Bytes free on the disk of the data directory, below which `dbx doctor` calls it a problem: what the writer may have in memory and write-ahead log at once, twice, and the log of the server.</summary>
    public const long DiskFreeLeast = 512L * 1024 * 1024;

    /// <summary>Bytes free below which it warns, however small the store is: an hour to act in, at a thousand events a second that take 500 bytes each.</summary>
    public const long DiskFreeWarning = 2L * 1024 * 1024 * 1024;

    /// <summary>The part of the store's size that should be free, as its n-th part: compaction writes tables anew before it removes those that they replace.</summary>
    public const int DiskFreePart = 4;

    /// <summary>Files that may yet be made on that disk, below which it is a problem: the files of one round of compaction, and of the log.</summary>
    public const long FilesFreeLeast = 1_000;

    /// <summary>The same for a warning: tables of 64 MiB for some 600 GB.</summary>
    public const long FilesFreeWarning = 10_000;

    /// <summary>Bytes of memory that a server needs not to be ended by the system under load: cache and write buffers of the store, queue, connections, the runtime.</summary>
    public const long MemoryLeast = 512L * 1024 * 1024;

    /// <summary>Entries that a plugin may be behind before `dbx doctor` warns: seconds of work for one that takes its events.</summary>
    public const ulong PluginLagWarning = 10_000;

    /// <summary>Bytes of method, target and version: both names at their limit, all of it percent-encoded, and a long <c>fields</c>.</summary>
    public const int RequestLineBytesMax = 16 * 1024;

    /// <summary>Bytes of all headers of a request: a token with hundreds of resources is one of them.</summary>
    public const int HeaderBytesMax = 64 * 1024;

    /// <summary>Headers of a request. Proxies add a dozen.</summary>
    public const int HeadersMax = 100;

    /// <summary>Requests under way at once on one connection of HTTP/2: 256 calls of a busy client (gRPC has one connection for all), and subscriptions beside them. Beyond it a client waits, or opens another connection. One whose answer nobody takes costs some 10 KB.</summary>
    public const int StreamsPerConnectionMax = 320;

    /// <summary>Bytes of the payload of a frame of HTTP/2 that we take: the least there is. Larger ones only make others wait behind them.</summary>
    public const int FrameBytesMax = 16 * 1024;

    /// <summary>Bytes of the table by which HTTP/2 shortens headers that were sent before, for each connection and direction: the default of the protocol. A token and a dozen names have room.</summary>
    public const int HeaderTableBytes = 4 * 1024;

    /// <summary>Bytes of one request's body that its client may send before any of them are read: a stream of events behind one commit, or 640 KB a second over 200 ms.</summary>
    public const int StreamWindowBytes = 128 * 1024;

    /// <summary>Bytes of bodies that one connection of HTTP/2 may have sent before any of them are read: two requests that wait do not stop the third for long. Bodies of REST are read as they come, within <see cref="BodyBytesMax"/>.</summary>
    public const int ConnectionWindowBytes = 256 * 1024;

    /// <summary>How long a connection of HTTP/2 that was asked to end may keep still, with nothing under way, before it is ended: some round trips of a slow line.</summary>
    public static readonly TimeSpan QuietBeforeEnd = TimeSpan.FromSeconds(1);

    /// <summary>After that long without a byte a client of HTTP/2 is asked whether it is there: beneath the 130 s of <see cref="IdleTimeout"/>, above what a mobile radio sleeps.</summary>
    public static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(60);

    /// <summary>How long it may take to say so. A pager at the end of `curl` keeps it from answering, and is no dead peer for minutes.</summary>
    public static readonly TimeSpan PingTimeout = TimeSpan.FromMinutes(5);

    /// <summary>How long the headers may take: who sends a byte a second gives a connection back within this.</summary>
    public static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may be idle between requests: longer than the usual 60 and 120 s of proxies in front.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(130);

    /// <summary>Bytes that request bodies, and what becomes of them, may hold at once over all connections: what a crowd of large requests may cost.</summary>
    public const long BodyBytesMax = 512L * 1024 * 1024;

    /// <summary>How many times its bytes a body is counted: it is parsed, minified and sealed besides.</summary>
    public const int BodyCost = 4;

    /// <summary>Bytes up to which a body lies in pooled memory. Larger ones are rare, and a pool would keep their memory for good.</summary>
    public const int BodyPooledBytesMax = 1024 * 1024;

    /// <summary>How long a body may take: the largest at 280 KB a second. Meanwhile its token may have been revoked, and is looked at again.</summary>
    public static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of a body that is refused unread which HTTP/2 lets come all the same, and drops: one or two frames, which most clients send before they look for an answer.</summary>
    public const int BodyPassedOverBytes = 16 * 1024;

    /// <summary>How long those may take: a round trip of the slowest line.</summary>
    public static readonly TimeSpan BodyPassedOverWithin = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of a body for which memory is taken before any of them came. More is taken as it comes.</summary>
    public const int BodyFirstBytes = 16 * 1024;

    /// <summary>Appends of one gRPC stream that are read and not answered yet: twice what a fast client keeps under way. Beyond it the stream is not read, and its client waits.</summary>
    public const int AppendStreamWindow = 512;

    /// <summary>Bytes of those: what a client that takes no answers costs. One append always fits.</summary>
    public const int AppendStreamWindowBytes = 4 * 1024 * 1024;

    /// <summary>How many times its bytes an append of a stream is counted while it is under way: once sealed, once as the answer.</summary>
    public const int AppendStreamCost = 2;

    /// <summary>Bytes that the appends of all streams together hold at once, as they are counted, apart from <see cref="BodyBytesMax"/>: streams take nothing from other requests. Beyond it they wait, and are not read.</summary>
    public const long AppendStreamsBytesMax = BodyBytesMax / 4;

    /// <summary>Bytes of a message to a gRPC method that is open to everybody: a name, or a question to reflection.</summary>
    public const int OpenMessageBytesMax = 4 * 1024;

    /// <summary>Bytes of the message of a gRPC status. It stands twice in the trailers, and some clients take 8 KiB of those in all.</summary>
    public const int GrpcMessageBytesMax = 1024;

    /// <summary>Bytes of violations of a schema in the details of a gRPC status, for the same reason; REST and streams have all of them.</summary>
    public const int GrpcViolationsBytesMax = 2048;

    /// <summary>Clients that watch the health of the server over gRPC at once: they need no token.</summary>
    public const int HealthWatchesMax = 1_000;

    /// <summary>How often health is looked at for them.</summary>
    public static readonly TimeSpan HealthWatchInterval = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of an answer that are gathered before they are sent: up to this many, the answer says its length.</summary>
    public const int AnswerPieceBytes = 64 * 1024;

    /// <summary>Bytes of a GraphQL document. The introspection of an IDE has 2 KB; what is long belongs into variables.</summary>
    public const int GraphQLQueryBytesMax = 64 * 1024;

    /// <summary>Brackets of a GraphQL document within each other, counted before anything is parsed: the parser calls itself. A payload written as a literal, and the fields around it.</summary>
    public const int GraphQLNestingMax = Limits.PayloadDepthMax + 16;

    /// <summary>Fields of a GraphQL operation within each other, through its fragments: the introspection of IDEs has 15, nothing else half as many.</summary>
    public const int GraphQLDepthMax = 15;

    /// <summary>
    /// Fields of a GraphQL document, and of an operation with its fragments put in wherever they are spread: an IDE's introspection has some 240.
    /// </summary>
    public const int GraphQLFieldsMax = 300;

    /// <summary>The same over all operations of a document, those that will not run included: validation looks at them all.</summary>
    public const int GraphQLFieldsOfAllMax = 2 * GraphQLFieldsMax;

    /// <summary>
    /// Fields of one response name in what is answered as one object, fragments put in. Validation compares them in pairs, and makes an error of 2 KB of each pair that
    /// differs: 495 of one name took 1.2 s and 100 MB. As many fragments may ask for the same field.
    /// </summary>
    public const int GraphQLSameNameMax = 8;

    /// <summary>Directives, definitions, variables and arguments of a GraphQL document, all together: each is looked up and checked.</summary>
    public const int GraphQLPartsMax = 2_000;

    /// <summary>Fragments of a GraphQL document: validation compares those of one selection in pairs as well, 6 KB each. 149 of them took 0.3 s and 72 MB.</summary>
    public const int GraphQLFragmentsMax = 32;

    /// <summary>Variables of a GraphQL document: each is looked for in all of it. The most that a field takes are ten.</summary>
    public const int GraphQLVariablesMax = 100;

    /// <summary>Directives at one place of a GraphQL document: those at the same place are compared. There are two for a field, each once.</summary>
    public const int GraphQLDirectivesMax = 8;

    /// <summary>Arguments of one field or directive of a GraphQL document, which are compared as well: the most that a field takes are ten.</summary>
    public const int GraphQLArgumentsMax = 32;

    /// <summary>
    /// Fields that the answer of one GraphQL operation may have: fields times the items that their lists may have at most. A page of 1,000 events
    /// with everything takes 17,000; each costs some 250 bytes while the answer is made.
    /// </summary>
    public const long GraphQLCostMax = 50_000;

    /// <summary>Bytes of payloads and states that one GraphQL operation may gather, after which it gets no further page: four of them.</summary>
    public const long GraphQLAnswerBytesMax = 4L * Limits.PageBytesMax;

    /// <summary>The same over all operations under way: what a crowd of large answers may cost.</summary>
    public const long GraphQLGatheredBytesMax = 512L * 1024 * 1024;

    /// <summary>Errors listed in one GraphQL answer. A list with a bad argument has one for each of its items.</summary>
    public const int GraphQLErrorsMax = 100;

    /// <summary>Bytes of one message of a GraphQL WebSocket: an append at its limits, escaped; batches go by POST.</summary>
    public const int GraphQLMessageBytesMax = 2 * 1024 * 1024;

    /// <summary>Operations at once on one GraphQL WebSocket: as many as a page with lists has open.</summary>
    public const int GraphQLSocketOperationsMax = 32;

    /// <summary>How long a GraphQL WebSocket may take until its <c>connection_init</c>: clients send it at once.</summary>
    public static readonly TimeSpan GraphQLInitTimeout = TimeSpan.FromSeconds(10);

    /// <summary>GraphQL WebSockets at once: each a connection that is kept, some 30 KB (buffers of both directions).</summary>
    public const int GraphQLSocketsMax = 2_000;

    /// <summary>Subscriptions to the feed at once, over every surface: each holds a page of <see cref="FeedStreamBytes"/> at most.</summary>
    public const int SubscriptionsMax = 1_000;

    /// <summary>Events that a subscription reads ahead of its client: some milliseconds of a fast one.</summary>
    public const int FeedStreamItems = 256;

    /// <summary>Bytes that a subscription reads ahead of its client: what a slow one costs. One piece of an answer, so that little is kept while it is not taken. Batches are read in parts; one event goes beyond it.</summary>
    public const int FeedStreamBytes = AnswerPieceBytes;

    /// <summary>How long a subscription may say nothing: shorter than the 30 s after which proxies give up a silent answer.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(10);

    /// <summary>How long a client of a stream that broke is asked to wait before it comes again: a restart takes about as long.</summary>
    public static readonly TimeSpan StreamRetry = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection of HTTP/2 that the server ends may say nothing before it is closed: its client reads its last answer still, and says so a few times a second.</summary>
    public static readonly TimeSpan LingerQuiet = TimeSpan.FromSeconds(1);

    /// <summary>Bytes that it may say meanwhile: 13 tell of what was taken. Who sends more was not reading.</summary>
    public const int LingerBytes = 16 * 1024;

    /// <summary>How long it may take in all: short of the deadline of a stop.</summary>
    public static readonly TimeSpan LingerTimeout = TimeSpan.FromSeconds(8);

    /// <summary>How long the last words of a stream may take to be handed over. Who takes nothing is cut off.</summary>
    public static readonly TimeSpan LastWordsTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Series of one metric: a hundred routes with their statuses have a few hundred. More would be labels that are of no closed set.</summary>
    public const int MetricSeriesMax = 2_000;

    /// <summary>Warnings about slow requests in <see cref="SlowRequestWindow"/>; then their number is said. A disk that stands still makes every request slow.</summary>
    public const int SlowRequestLinesMax = 10;

    /// <summary>The window of <see cref="SlowRequestLinesMax"/>.</summary>
    public static readonly TimeSpan SlowRequestWindow = TimeSpan.FromMinutes(1);

    /// <summary>Between two exports of metrics to a collector: the default of OpenTelemetry.</summary>
    public static readonly TimeSpan TelemetryInterval = TimeSpan.FromSeconds(60);

    /// <summary>How long a stop lets the last metrics and traces leave.</summary>
    public static readonly TimeSpan TelemetryFlush = TimeSpan.FromSeconds(2);

    /// <summary>Bytes of an answer that a command gathers in memory: a state, or a page, at its limit has a fraction of it. Exports and streams are read as they come.</summary>
    public const int AnswerBytesMax = 128 * 1024 * 1024;

    /// <summary>Bytes of a line of an answer that is read line by line.</summary>
    public const int AnswerLineBytesMax = 16 * 1024 * 1024;

    /// <summary>Levels of a request: that of a payload, and the request, list and record around it.</summary>
    public const int RequestDepthMax = Limits.PayloadDepthMax + 4;

    /// <summary>Admin master keys checked at once in this process: each takes 19 MiB for as long as it runs, and a core.</summary>
    public const int AdminChecksMax = 2;

    /// <summary>Admin requests that wait for one of those checks: a burst of a script, not a crowd. They take no memory yet, and half a second at most. Beyond it the answer is 429.</summary>
    public const int AdminChecksWaitingMax = 32;

    /// <summary>Characters of an admin master key: longer ones are not looked at.</summary>
    public const int AdminKeyMax = 1024;

    /// <summary>How long an admin master key that was right is known without being checked again. Bound to the hash it was checked against.</summary>
    public static readonly TimeSpan AdminKeyKnownFor = TimeSpan.FromSeconds(60);

    /// <summary>Wrong admin keys that one address may send at once; then one more every <see cref="AdminFailurePause"/>, and the answer is 429.</summary>
    public const int AdminFailuresMax = 10;

    /// <summary>After that long an address that sent too many wrong admin keys may send another one, which is looked at without waiting in line.</summary>
    public static readonly TimeSpan AdminFailurePause = TimeSpan.FromSeconds(6);

    /// <summary>Admin keys of addresses that sent too many wrong ones, and are looked at one after the other: the right key may be among them. Beyond it the answer is 429. The last one waits some four seconds.</summary>
    public const int AdminLateMax = 32;

    /// <summary>Between two of those: they take a quarter of a core at most, and nobody guesses more than ten keys a second.</summary>
    public static readonly TimeSpan AdminLatePause = TimeSpan.FromMilliseconds(100);

    /// <summary>Addresses whose wrong admin keys are counted, each by itself; beyond it new ones share one count. About 100 bytes each.</summary>
    public const int AdminAddressesMax = 4_096;

    /// <summary>Connections at once on the listener of the Admin API: bursts of scripts, a quarter of it from one address. Counted apart; beyond it the one that has waited longest is closed.</summary>
    public const int AdminConnectionsMax = 1_024;

    /// <summary>How often a running server looks at its configuration, to open or close the listener of the Admin API and to note what changed.</summary>
    public static readonly TimeSpan SettingsInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Bytes of a configuration file. Thousands of remotes have room.</summary>
    public const int ConfigBytesMax = 16 * 1024 * 1024;

    /// <summary>Remotes and plugins, each: more than anybody runs. Their lists go in one answer.</summary>
    public const int PeersMax = 1_000;

    /// <summary>How long a connection to a plugin may take.</summary>
    public static readonly TimeSpan PluginReachedWithin = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of <c>plugins/registry.json</c>: thousands of versions have room.</summary>
    public const int PluginRegistryBytesMax = 4 * 1024 * 1024;

    /// <summary>Bytes of a bundle that is installed: a program with its runtime and a model has a fraction of it.</summary>
    public const long PluginBundleBytesMax = 512L * 1024 * 1024;

    /// <summary>Bytes that a bundle may have unpacked.</summary>
    public const long PluginUnpackedBytesMax = 2L * 1024 * 1024 * 1024;

    /// <summary>How many times its bytes a bundle may have unpacked, beyond <see cref="PluginUnpackedFreeBytes"/>: programs have three, logs twenty; bombs a thousand.</summary>
    public const int PluginUnpackedRatioMax = 200;

    /// <summary>Bytes that any bundle may have unpacked, however small it is: small files of zeros are no bomb.</summary>
    public const long PluginUnpackedFreeBytes = 64L * 1024 * 1024;

    /// <summary>Files and directories of a bundle: a program with all packages of an interpreter has tens of thousands.</summary>
    public const int PluginEntriesMax = 100_000;

    /// <summary>Directories within each other in a bundle.</summary>
    public const int PluginEntryDepthMax = 32;

    /// <summary>Bytes of a path in a bundle: with the data directory in front it stays beneath the 4,096 of the system.</summary>
    public const int PluginEntryNameBytesMax = 1024;

    /// <summary>How long a bundle may take to be fetched, redirects included: the largest at 900 KB a second.</summary>
    public static readonly TimeSpan PluginFetchTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Redirects that are followed to a bundle: release pages need one or two.</summary>
    public const int PluginFetchRedirectsMax = 5;

    /// <summary>How long an installation waits for another one in the same directory.</summary>
    public static readonly TimeSpan PluginInstallLockTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long a look at the address of releases may take, redirects included: whoever asks waits for it.</summary>
    public static readonly TimeSpan ReleaseLookupTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long an archive of a release may take: the largest at 450 KB a second.</summary>
    public static readonly TimeSpan ReleaseFetchTimeout = TimeSpan.FromMinutes(10);

    /// <summary>How long it may bring nothing at all.</summary>
    public static readonly TimeSpan ReleaseStallTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Bytes of an answer about releases: a hundred of them, with twenty files and long notes each.</summary>
    public const int ReleaseAnswerBytesMax = 16 * 1024 * 1024;

    /// <summary>Bytes of an archive of a release: several times what one has.</summary>
    public const long ReleaseArchiveBytesMax = 256L * 1024 * 1024;

    /// <summary>How long the program of a release may take to say its version: a slow disk, and a machine that is busy.</summary>
    public static readonly TimeSpan ReleaseTrialTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Between two looks for a newer version beside commands, failed ones too.</summary>
    public static readonly TimeSpan ReleaseCheckInterval = TimeSpan.FromHours(6);

    /// <summary>What such a look may cost the command that it is beside, in all.</summary>
    public static readonly TimeSpan ReleaseCheckTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Releases that a list shows at most.</summary>
    public const int ReleasesListedMax = 1_000;

    /// <summary>Events that a process plugin may have been handed and not acknowledged. Without acknowledgements, those that are sent again when it dies: a pipe holds some 200.</summary>
    public const int ProcessInFlightMax = 256;

    /// <summary>Bytes of those that are sent again: a pipe holds 64 KiB, and a plugin reads ahead. The newest one is kept, however large.</summary>
    public const int ProcessTailBytesMax = 1024 * 1024;

    /// <summary>Bytes that are gathered before they are written to a plugin's standard input: what a pipe takes at once.</summary>
    public const int ProcessWriteBytes = 64 * 1024;

    /// <summary>How long a plugin without acknowledgements has to live after an event was written to it, until the event counts as read.</summary>
    public static readonly TimeSpan ProcessSettledAfter = TimeSpan.FromSeconds(3);

    /// <summary>How long a plugin may take no byte, or acknowledge nothing it was handed: then it hangs, and is started anew.</summary>
    public static readonly TimeSpan ProcessAnswerTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long a plugin has to say that it acknowledges, before it counts as one that does not. One that says so later is started anew, and waited for.</summary>
    public static readonly TimeSpan ProcessHelloTimeout = TimeSpan.FromSeconds(2);

    /// <summary>For how long after its start a plugin that prints nothing may still say that it acknowledges, and gets everything again.</summary>
    public static readonly TimeSpan ProcessUnknownFor = TimeSpan.FromSeconds(60);

    /// <summary>Events that are kept for that, and their bytes: what it was written first falls out first, and stays taken.</summary>
    public const int ProcessKeptMax = 16_384;

    /// <summary>The same, in bytes.</summary>
    public const long ProcessKeptBytesMax = 64L * 1024 * 1024;

    /// <summary>Between the end of a plugin and its next start, at first; doubled each time, up to <see cref="ProcessRestartMax"/>.</summary>
    public static readonly TimeSpan ProcessRestartMin = TimeSpan.FromSeconds(1);

    public static readonly TimeSpan ProcessRestartMax = TimeSpan.FromSeconds(60);

    /// <summary>A plugin that ran this long was well: it is started again as if for the first time.</summary>
    public static readonly TimeSpan ProcessHealthyAfter = TimeSpan.FromSeconds(60);

    /// <summary>How long a plugin has to end once its standard input was closed, and again once it was asked to (SIGTERM); then it is killed.</summary>
    public static readonly TimeSpan ProcessStopTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long the output of a plugin that has ended is read: a child of its own may hold it open.</summary>
    public static readonly TimeSpan ProcessDrainTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of a line of a plugin's output in the log; the rest of it is left out.</summary>
    public const int ProcessLineBytesMax = 4096;

    /// <summary>Lines of a plugin's output in the log within <see cref="ProcessLineWindow"/>; then their number is said.</summary>
    public const int ProcessLinesMax = 500;

    /// <summary>The window of <see cref="ProcessLinesMax"/>.</summary>
    public static readonly TimeSpan ProcessLineWindow = TimeSpan.FromSeconds(10);

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

    /// <summary>Aggregates that a push or pull keeps in mind at once, about 300 bytes each: where more differ, it compares the rest again when these are through.</summary>
    public const int TransferPlanMax = 65_536;

    /// <summary>Aggregate types that a push or pull counts events of: more than anybody has, at up to 128 bytes of name each. A remote that names another type with every aggregate ends here.</summary>
    public const int TransferTypesMax = 16_384;

    /// <summary>Aggregates that one push or pull compares, those that it compares again among them: hours of comparing. A remote whose list has no end, ends here.</summary>
    public const ulong TransferComparedMax = 1_000_000_000;

    /// <summary>How long a batch of a push or pull that is under way may take after it was cancelled: so long it is answered, and counted.</summary>
    public static readonly TimeSpan TransferCancelWithin = TimeSpan.FromSeconds(5);

    /// <summary>Characters of an <c>Idempotency-Key</c>: room for a URL or two UUIDs.</summary>
    public const int IdempotencyKeyMax = 256;

    /// <summary>Bytes of the path of a socket: what the operating system has room for, less the zero at the end.</summary>
    public static int SocketPathBytesMax => OperatingSystem.IsMacOS() ? 103 : 107;

    /// <summary>How much more time a service manager is asked for while a server starts; it is asked again after a third of it. A process that stands still is ended after this.</summary>
    public static readonly TimeSpan ServiceStartExtension = TimeSpan.FromSeconds(30);

    /// <summary>How long a service manager may leave what it is told where it is; then it is not told.</summary>
    public static readonly TimeSpan ServiceNoticeWait = TimeSpan.FromSeconds(2);

    /// <summary>Between two checkpoints that nobody asks for, while the log grows: an event is in a signed one within about this.</summary>
    public static readonly TimeSpan CheckpointInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer may be kept by whoever asked, where it can never change: a tile of a log, a year.</summary>
    public static readonly TimeSpan ImmutableFor = TimeSpan.FromDays(365);

    /// <summary>Between two lines that tell how far a verify is.</summary>
    public static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>What a guess of a backup's passphrase costs, as age has it: scrypt with 2^18, a second and 256 MiB.</summary>
    public const int AgeWorkFactor = 18;

    /// <summary>The most that is done to read a backup: 2^20, 1 GiB of memory. Whoever made the file chose it.</summary>
    public const int AgeWorkFactorMax = 20;
}
