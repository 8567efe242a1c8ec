namespace EventDbx.Benchmarks.Rest;

/// <summary>What the server holds in memory: idle, and behind a load of appends.</summary>
internal static class MemoryBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var length = arguments.Seconds("seconds", 60);
        var connections = arguments.Int("connections", 16);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"Appends of {connections} connections for {length.TotalSeconds:n0} s, to {aggregates.Length:n0} aggregates");

        Report report = new("what", "events", "RSS MiB", "of it anonymous", "peak MiB", "threads");
        Measure(".NET", DbxPrograms.Managed);
        if (DbxPrograms.Native(arguments) is { } native)
            Measure("native", native);

        void Measure(string form, string program)
        {
            using var server = DbxServer.Start(program, Path.Combine(scratch.Path, form));
            Thread.Sleep(TimeSpan.FromSeconds(2));
            Row("idle after its start", 0);
            var token = server.IssueToken();
            var load = Load.RunThreads(connections, length, worker =>
            {
                HttpAppender appender = new(server.Port, token, receipts);
                Random random = new(worker);
                return number => appender.Call(aggregates[random.Next(aggregates.Length)], number);
            });
            Row($"at the end of its load of {load.PerSecond:n0} events/s", load.Operations);
            Thread.Sleep(arguments.Seconds("rest", 10));
            Row("at rest after it", load.Operations);

            void Row(string what, int appended) => report.Row(
                $"{form}, {what}", $"{appended:n0}", $"{ProcessUsage.MiB(server.Id, "VmRSS"):n0}", $"{ProcessUsage.MiB(server.Id, "RssAnon"):n0}",
                $"{ProcessUsage.MiB(server.Id, "VmHWM"):n0}", $"{ProcessUsage.Threads(server.Id)}");
        }
    }
}
