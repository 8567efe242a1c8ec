using EventDbx.Benchmarks.Rest;

namespace EventDbx.Benchmarks;

/// <summary>Every measurement after the other; with <c>--quick</c> so small that it only shows that they work.</summary>
internal static class Everything
{
    static readonly string[] s_quickRest = ["--seconds", "0.5", "--rounds", "1", "--warm", "0.5", "--aggregates", "500", "--connections", "1,16"];

    static readonly (string Name, Action<Arguments> Run, string[] Quick)[] s_parts =
    [
        ("rocksdb-baseline", RocksDbBaseline.Run, ["--threads", "4", "--seconds", "0.5"]),
        ("append", AppendBenchmark.Run, ["--seconds", "0.5", "--rounds", "1", "--aggregates", "500", "--writers", "1,16", "--batch-writers", "2"]),
        ("long-aggregate", LongAggregate.Run, ["--events", "5000", "--appends", "100"]),
        ("reads", ReadBenchmark.Run, ["--aggregates", "1000", "--seconds", "0.3", "--rounds", "1"]),
        ("verify", VerifyBenchmark.Run, ["--events", "10000", "--rounds", "1"]),
        ("export", ExportBenchmark.Run, ["--aggregates", "2000", "--rounds", "1"]),
        ("append-schema", SchemaBenchmark.Run, ["--seconds", "0.3", "--rounds", "1", "--aggregates", "200"]),
        ("backup", BackupBenchmark.Run, ["--events", "2000", "--seconds", "0.5", "--rounds", "1"]),
        ("checkpoints", CheckpointBenchmark.Run, ["--events", "2000", "--seconds", "0.5", "--rounds", "1"]),
        ("tokens", TokenBenchmark.Run, ["--checks", "2000", "--rounds", "1"]),
        ("restore", RestoreBenchmark.Run, ["--events", "5000"]),
        ("open", OpenBenchmark.Run, ["--events", "5000", "--rounds", "1"]),
        ("rest-append", RestBenchmark.Append, s_quickRest),
        ("rest-read", RestBenchmark.Read, s_quickRest),
        ("grpc-append", GrpcBenchmark.Run, s_quickRest),
        ("feed", FeedBenchmark.Run, ["--events", "3000", "--aggregates", "500", "--rounds", "1", "--clients", "1,3", "--writers", "1", "--subscribers", "0,10", "--seconds", "0.5"]),
        ("plugins", PluginBenchmark.Run, ["--events", "2000", "--aggregates", "500", "--seconds", "0.5", "--rounds", "1", "--writers", "1"]),
        ("replication", ReplicationBenchmark.Run, ["--events", "2000", "--pushed", "1000,4000", "--rounds", "1", "--seconds", "0.5", "--writers", "1"]),
        ("port", PortBenchmark.Run, ["--seconds", "0.5", "--rounds", "1"]),
        ("start", StartBenchmark.Run, ["--rounds", "2"]),
        ("memory", MemoryBenchmark.Run, ["--seconds", "2", "--rest", "1"]),
    ];

    public static void Run(Arguments arguments)
    {
        foreach (var (name, run, _) in s_parts)
        {
            Console.WriteLine($"{Environment.NewLine}## {name}{Environment.NewLine}");
            run(Sized(name, arguments));
        }
    }

    /// <summary>With <c>--quick</c> its small sizes; what was said beside it is overruled.</summary>
    public static Arguments Sized(string verb, Arguments arguments) =>
        arguments.Flag("quick") && Array.Find(s_parts, part => part.Name == verb).Quick is { } quick ? arguments.With(quick) : arguments;
}
