using EventDbx.Benchmarks;
using EventDbx.Benchmarks.Layout;
using EventDbx.Benchmarks.Rest;

Verb[] verbs =
[
    new("probe", "--dir DIR [--count 2000]", "what one sync of this disk costs", MachineProbe.Run),
    new("rocksdb-baseline", "--dir DIR [--threads 16] [--seconds 10]", "the bare store: a get and a synced batch of three", RocksDbBaseline.Run),
    new("append", "--dir DIR [--seconds 3] [--rounds 3] [--writers 1,16,64] [--only encrypted]", "durable appends against the bare store", AppendBenchmark.Run),
    new("long-aggregate", "--dir DIR [--events 1000000] [--appends 2000]", "an append to a long aggregate beside one to a new one", LongAggregate.Run),
    new("reads", "--dir DIR [--aggregates 100000] [--seconds 3] [--rounds 3]", "states, pages, lists, the feed", ReadBenchmark.Run),
    new("verify", "--dir DIR [--events 200000] [--rounds 3]", "verifying everything, and one aggregate", VerifyBenchmark.Run),
    new("export", "--dir DIR [--aggregates 100000] [--rounds 3]", "everything as CSV, as JSON, as events: rate and memory", ExportBenchmark.Run),
    new("append-schema", "--dir DIR [--seconds 2] [--rounds 5] [--writers 1,16] [--aggregates 5000]", "appends under a schema of 20 columns, and without", SchemaBenchmark.Run),
    new("checkpoints", "--dir DIR [--events 100000] [--seconds 4] [--rounds 5] [--writers 1,16]", "appends with a checkpoint a second and without; evidence of everything", CheckpointBenchmark.Run),
    new("backup", "--dir DIR [--events 500000] [--seconds 4] [--rounds 5] [--writers 1,16]", "a backup against tar | zstd -1, its memory; appends beside backups", BackupBenchmark.Run),
    new("tokens", "--dir DIR [--checks 200000] [--rounds 5]", "what a request pays for its token", TokenBenchmark.Run),
    new("restore", "--dir DIR [--events 500000]", "restoring, whole and cut, and rebuilding indexes", RestoreBenchmark.Run),
    new("open", "--dir DIR [--events 1000000] [--rounds 3]", "opening, and bytes per event", OpenBenchmark.Run),
    new("layout", "--dir DIR [--part state|log] [--events 20000] [--log-events 500000] [--repeat 3]", "how to lay out states and events", LayoutExperiment.Run),
    new("rest-append", "--dir DIR [--connections 1,16,64] [--seconds 10] [--rounds 3] [--native DIR] [--only PART,…] [--no-postgres] [--tls] [--server-env NAME=VALUE,…]", "appends over REST against an empty endpoint and PostgreSQL", RestBenchmark.Append),
    new("rest-read", "as rest-append", "states over REST, likewise", RestBenchmark.Read),
    new("grpc-append", "--dir DIR [--connections 1,16,64] [--seconds 10] [--rounds 3] [--native DIR] [--only PART,…]", "appends over gRPC against an empty call, and as a stream", GrpcBenchmark.Run),
    new("feed", "--dir DIR [--events 200000] [--rounds 3] [--clients 1,10] [--writers 1,16] [--subscribers 0,1,10,100,1000] [--seconds 5]", "the feed as server-sent events, against reading it in process; appends while others follow", FeedBenchmark.Run),
    new("plugins", "--dir DIR [--events 50000] [--rounds 5] [--seconds 4] [--writers 1,16] [--aggregates 10000]", "appends beside plugins that are well, and that are down; deliveries by kind against the bare transport", PluginBenchmark.Run),
    new("replication", "--dir DIR [--events 100000] [--pushed 10000,1000000] [--rounds 5] [--seconds 4] [--writers 1,16]", "push against batches in process, its memory; how fast a mirror catches up, and how far behind it is", ReplicationBenchmark.Run),
    new("port", "--dir DIR [--seconds 10] [--rounds 3]", "every protocol on one port, alone and at once", PortBenchmark.Run),
    new("start", "--dir DIR [--rounds 20] [--native DIR]", "help, and a server's first answer", StartBenchmark.Run),
    new("memory", "--dir DIR [--seconds 60] [--connections 16] [--native DIR]", "of the server, idle and behind appends", MemoryBenchmark.Run),
    new("serve-json", "[--postgres CONNECTION [--state]]", "what rest-append and rest-read measure against; they start it", JsonEndpoint.Serve),
    new("take-frames", "", "the program that plugins delivers to; it starts it", _ => PluginProgram.TakeFrames()),
    new("all", "--dir DIR [--quick]", "all of them; --quick: in a minute or two, to see that they work", Everything.Run),
];

var verb = verbs.FirstOrDefault(verb => verb.Name == args.FirstOrDefault());
if (verb is null)
{
    foreach (var known in verbs)
        Console.WriteLine($"{known.Name,-18} {known.Summary}: {known.Usage}");
    return 2;
}
verb.Run(Everything.Sized(verb.Name, new(args[1..])));
return 0;

internal sealed record Verb(string Name, string Usage, string Summary, Action<Arguments> Run);
