namespace EventDbx.Benchmarks;

/// <summary>Every measurement after the other; with <c>--quick</c> so small that it only shows that they work.</summary>
internal static class Everything
{
    static readonly (string Name, Action<Arguments> Run, string[] Quick)[] s_parts =
    [
        ("rocksdb-baseline", RocksDbBaseline.Run, ["--threads", "4", "--seconds", "0.5"]),
        ("append", AppendBenchmark.Run, ["--seconds", "0.5", "--rounds", "1", "--aggregates", "500", "--writers", "1,16", "--batch-writers", "2"]),
        ("long-aggregate", LongAggregate.Run, ["--events", "5000", "--appends", "100"]),
        ("reads", ReadBenchmark.Run, ["--aggregates", "1000", "--seconds", "0.3", "--rounds", "1"]),
        ("verify", VerifyBenchmark.Run, ["--events", "10000", "--rounds", "1"]),
        ("open", OpenBenchmark.Run, ["--events", "5000", "--rounds", "1"]),
    ];

    public static void Run(Arguments arguments)
    {
        foreach (var (name, run, quick) in s_parts)
        {
            Console.WriteLine($"{Environment.NewLine}## {name}{Environment.NewLine}");
            run(arguments.Flag("quick") ? arguments.With(quick) : arguments);
        }
    }
}
