using EventDbx.Schemas;

namespace EventDbx.Benchmarks;

/// <summary>Appends under a schema of twenty columns with rules against the same appends without one, in turns in one store.</summary>
internal static class SchemaBenchmark
{
    const string Free = "free", Ruled = "ruled";

    const string Schema = """
        {"aggregate":"ruled","events":{"changed":{}},"column_types":{
         "id":{"type":"integer","required":true,"range":{"min":"1"}},"number":{"type":"text","required":true,"regex":["^R-[0-9]{6}$"]},
         "email":{"type":"text","format":"email"},"site":{"type":"text","format":"url"},"total":{"type":"decimal(12,2)","range":{"min":"0.00","max":"99999.99"}},
         "net":{"type":"decimal(12,2)"},"rate":"float","paid":"boolean","open":"boolean","due":"date","placed":"timestamp","changed":"timestamp",
         "name":{"type":"text","length":{"min":1,"max":80}},"street":{"type":"text","length":{"max":80}},"city":{"type":"text","does_not_contain":["<",">"]},
         "zip":{"type":"text","regex":["^[0-9]{5}(-[0-9]{4})?$"]},"note":{"type":"text","contains":["order"]},"count":{"type":"integer","range":{"min":"0","max":"1000"}},
         "weight":"float","again":{"type":"text","must_match":"number"}}}
        """;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var (rounds, length, count) = (arguments.Int("rounds", 5), arguments.Seconds("seconds", 2), arguments.Int("aggregates", 5_000));
        var payloads = Payloads(new(1));
        Console.WriteLine($"20 fields, {payloads.Average(payload => payload.Length):n0} bytes, {count:n0} aggregates of each type at random, encrypted");
        using var store = new BenchStore(Path.Combine(scratch.Path, "store"), encrypted: true, headCacheEntries: 4 * count).Open(Durability.Sync);
        store.Session.ChangeSchemaAsync(Ruled, _ => SchemaJson.ReadDeclaredSchema(Encoding.UTF8.GetBytes(Schema), default), CancellationToken.None).GetAwaiter().GetResult();
        if (store.Session.ValidateAgainstSchema(Ruled, "changed", payloads[0]) is { } refused)
            throw new InvalidOperationException(refused.Message);

        Report report = new("what", "events/s", "× free", "p50 µs", "p99 µs", "CPU µs", "B/event");
        foreach (var writers in arguments.Ints("writers", [1, 16]))
        {
            string[] types = [Free, Ruled];
            var keys = types.Select(type => Enumerable.Range(0, count).Select(i => AggregateKey.Create(type, $"{writers}-{i:d5}")).ToArray()).ToArray();
            var runs = types.Select(_ => new List<Load>()).ToArray();
            for (var round = -1; round < rounds; round++)
            {
                for (var turn = 0; turn < types.Length; turn++)
                {
                    // Who goes first takes turns, too; the first round warms up.
                    var at = round % 2 == 0 ? turn : 1 - turn;
                    var load = Append(store, writers, length, keys[at], payloads);
                    if (round >= 0)
                        runs[at].Add(load);
                }
            }

            for (var at = 0; at < types.Length; at++)
            {
                double Middle(Func<Load, double> figure) => Median.Of(runs[at].Select(figure));
                report.Row(
                    $"{(at == 0 ? "no schema" : "20 columns with rules")}, {writers} writers", $"{Middle(load => load.PerSecond):n0}",
                    $"{Median.Of(runs[at].Select((load, round) => load.PerSecond / runs[0][round].PerSecond)):n2}",
                    $"{Middle(load => load.Latencies.Microseconds(0.5)):n0}", $"{Middle(load => load.Latencies.Microseconds(0.99)):n0}",
                    $"{Middle(load => load.ProcessorMicroseconds):n1}", $"{Middle(load => load.BytesAllocated):n0}");
            }
        }

        var checks = Enumerable.Range(0, rounds).Select(_ => Check(store, payloads)).ToArray();
        Console.WriteLine($"parse and check alone, one thread: {Median.Of(checks):n2} µs");
    }

    static Load Append(BenchStore store, int writers, TimeSpan length, AggregateKey[] aggregates, byte[][] payloads)
    {
        Random[] randoms = [.. Enumerable.Range(0, writers).Select(seed => new Random(seed))];
        return Load.Run(writers, length, (writer, i) => store.Session.AppendAsync(
            new()
            {
                Aggregate = aggregates[randoms[writer].Next(aggregates.Length)], EventType = "changed", Payload = payloads[((writer * 97) + i) % payloads.Length],
            },
            CancellationToken.None));
    }

    static double Check(BenchStore store, byte[][] payloads)
    {
        const int Checks = 100_000;
        var startedAt = Stopwatch.GetTimestamp();
        for (var i = 0; i < Checks; i++)
        {
            if (store.Session.ValidateAgainstSchema(Ruled, "changed", payloads[i % payloads.Length]) is { } refused)
                throw new InvalidOperationException(refused.Message);
        }

        return Stopwatch.GetElapsedTime(startedAt).TotalMicroseconds / Checks;
    }

    static byte[][] Payloads(Random random) => [.. Enumerable.Range(0, 1024).Select(_ =>
    {
        var number = $"R-{random.Next(1_000_000):d6}";
        return Encoding.UTF8.GetBytes(
            $$"""
            {"id":{{random.Next(1, 1_000_000)}},"number":"{{number}}","email":"jane{{random.Next(1000)}}@example.com","site":"https://example.com/{{number}}",
            """ + $$"""
            "total":{{random.Next(99_999)}}.{{random.Next(100):d2}},"net":{{random.Next(9_999)}}.50,"rate":0.{{random.Next(1, 100):d2}},"paid":true,"open":false,
            """ + $$"""
            "due":"2025-11-{{random.Next(1, 29):d2}}","placed":"2025-10-20T08:00:{{random.Next(60):d2}}Z","changed":"2025-10-21T09:30:00.5Z","name":"Jane Doe {{random.Next(100)}}",
            """ + $$"""
            "street":"Main Street {{random.Next(300)}}","city":"Portland","zip":"97{{random.Next(1000):d3}}","note":"an order by phone","count":{{random.Next(1000)}},"weight":12.{{random.Next(10)}},"again":"{{number}}"}
            """);
    })];
}
