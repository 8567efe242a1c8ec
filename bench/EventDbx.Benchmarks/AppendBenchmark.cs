namespace EventDbx.Benchmarks;

/// <summary>
/// Durable appends through a session against the bare store, in turns: what our rules cost on top of RocksDB's own loop.
/// </summary>
internal static class AppendBenchmark
{
    const int BatchEvents = 100;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"{aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");

        using RocksDbBaseline bare = new(Path.Combine(scratch.Path, "bare"), aggregates.Length);
        using var plain = Prepare(scratch, encrypted: false, receipts, aggregates);
        using var encrypted = Prepare(scratch, encrypted: true, receipts, aggregates);
        var length = arguments.Seconds("seconds", 3);
        var rounds = arguments.Int("rounds", 3);
        var only = arguments.Text("only");

        Report report = new("what", "events/s", "× bare", "p50 µs", "p99 µs", "CPU s/1,000", "B/event", "events/group", "syncs/s");
        foreach (var writers in arguments.Ints("writers", [1, 16, 64]))
            Compare(report, $"{writers} writers", rounds, 1, only, [
                new("bare RocksDB", () => bare.Run(writers, length), null),
                new("plain", () => Append(plain, writers, length, receipts, aggregates), plain.Database),
                new("encrypted", () => Append(encrypted, writers, length, receipts, aggregates), encrypted.Database),
            ]);
        foreach (var writers in arguments.Ints("batch-writers", [1, 16]))
            Compare(report, $"{writers} writers of {BatchEvents}", rounds, BatchEvents, only, [
                new("plain", () => AppendBatches(plain, writers, length, receipts, aggregates), plain.Database),
                new("encrypted", () => AppendBatches(encrypted, writers, length, receipts, aggregates), encrypted.Database),
            ]);
    }

    static BenchStore Prepare(ScratchDirectory scratch, bool encrypted, Receipts receipts, AggregateKey[] aggregates)
    {
        var store = new BenchStore(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted).Open(Durability.Sync);
        store.Fill(receipts, aggregates, aggregates.Length);
        return store;
    }

    static Load Append(BenchStore store, int writers, TimeSpan length, Receipts receipts, AggregateKey[] aggregates)
    {
        Random[] randoms = [.. Enumerable.Range(0, writers).Select(seed => new Random(seed))];
        return Load.Run(writers, length, (writer, i) => store.Session.AppendAsync(
            receipts.Draft(aggregates[randoms[writer].Next(aggregates.Length)], i), CancellationToken.None));
    }

    static Load AppendBatches(BenchStore store, int writers, TimeSpan length, Receipts receipts, AggregateKey[] aggregates)
    {
        Random[] randoms = [.. Enumerable.Range(0, writers).Select(seed => new Random(seed))];
        return Load.Run(writers, length, (writer, _) => store.Session.AppendBatchAsync(
            receipts.Batch(aggregates, randoms[writer].Next(aggregates.Length), BatchEvents), CancellationToken.None));
    }

    /// <summary>One after the other, round by round; then the median of each figure.</summary>
    static void Compare(Report report, string title, int rounds, int events, string? only, Subject[] subjects)
    {
        if (only is not null)
            subjects = [.. subjects.Where(subject => subject.Name == only)];
        var runs = subjects.Select(_ => new List<Figures>()).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < subjects.Length; i++)
                runs[i].Add(Figures.Of(subjects[i], events, bare: i == 0 ? null : runs[0][round]));
        }

        for (var i = 0; i < subjects.Length; i++)
        {
            double Middle(Func<Figures, double> figure) => Median.Of(runs[i].Select(figure));
            report.Row(
                $"{subjects[i].Name}, {title}", $"{Middle(f => f.PerSecond):n0}", $"{Middle(f => f.Ratio):n2}", $"{Middle(f => f.P50):n0}",
                $"{Middle(f => f.P99):n0}", $"{Middle(f => f.Processor) / 1000:n3}", $"{Middle(f => f.Allocated):n0}",
                $"{Middle(f => f.PerGroup):n1}", $"{Middle(f => f.SyncsPerSecond):n0}");
        }
    }

    sealed record Subject(string Name, Func<Load> Run, Database? Database);

    sealed record Figures(
        double PerSecond, double Ratio, double P50, double P99, double Processor, double Allocated, double PerGroup, double SyncsPerSecond)
    {
        public static Figures Of(Subject subject, int events, Figures? bare)
        {
            var before = subject.Database?.Commits ?? default;
            var load = subject.Run();
            var after = subject.Database?.Commits ?? default;
            var (groups, syncs) = (after.Groups - before.Groups, after.Syncs - before.Syncs);
            var perSecond = load.PerSecond * events;
            return new(
                perSecond, bare is null ? 1 : perSecond / bare.PerSecond, load.Latencies.Microseconds(0.5), load.Latencies.Microseconds(0.99),
                load.ProcessorMicroseconds / events, load.BytesAllocated / events,
                groups == 0 ? 0 : (double)load.Operations * events / groups, syncs / load.Elapsed.TotalSeconds);
        }
    }
}
