using EventDbx.Reading;

namespace EventDbx.Benchmarks;

/// <summary>Reads of a store that was built, closed and opened again: states, pages of events, lists, the feed.</summary>
internal static class ReadBenchmark
{
    const int EventsOfMany = 200;
    const int PageEvents = 100;
    const int PageAggregates = 100;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 100_000));
        var long200 = Receipts.Aggregates(aggregates.Length / 500, "long");
        var length = arguments.Seconds("seconds", 3);
        var rounds = arguments.Int("rounds", 3);
        using var plain = Build(scratch, encrypted: false, aggregates, long200);
        using var encrypted = Build(scratch, encrypted: true, aggregates, long200);
        Console.WriteLine($"{aggregates.Length:n0} aggregates of 2 events, {long200.Length:n0} of {EventsOfMany}; {plain.Database!.LogSize:n0} entries");

        Report report = new("what", "reads/s", "items/s", "p50 µs", "p99 µs", "CPU µs", "B/read");
        var few = aggregates[..(aggregates.Length / 20)];
        foreach (var threads in new[] { 1, 2 })
        {
            Measure($"state of {aggregates.Length:n0}, {threads} threads", threads, 1, store => random => State(store, aggregates, random));
            Measure($"state of {few.Length:n0}, {threads} threads", threads, 1, store => random => State(store, few, random));
        }

        Measure($"page of {PageEvents} events", 1, PageEvents, store => random => Events(store, long200, random));
        Measure($"page of {PageAggregates} aggregates", 1, PageAggregates, store => random => List(store, aggregates, random));
        Measure($"feed, pages of {Limits.PageItemsMax}", 1, Limits.PageItemsMax, store => Feed(store));

        void Measure(string what, int threads, int items, Func<BenchStore, Action<Random>> read)
        {
            List<Load>[] loads = [[], []];
            for (var round = 0; round < rounds; round++)
            {
                loads[0].Add(Load.RunThreads(threads, length, seed => On(plain, seed)));
                loads[1].Add(Load.RunThreads(threads, length, seed => On(encrypted, seed)));
            }

            Action<int> On(BenchStore store, int seed)
            {
                var (random, one) = (new Random(seed), read(store));
                return _ => one(random);
            }

            foreach (var (store, runs) in new[] { (plain, loads[0]), (encrypted, loads[1]) })
            {
                double Middle(Func<Load, double> figure) => Median.Of(runs.Select(figure));
                report.Row(
                    $"{store.Name}, {what}", $"{Middle(l => l.PerSecond):n0}", $"{Middle(l => l.PerSecond) * items:n0}",
                    $"{Middle(l => l.Latencies.Microseconds(0.5)):n1}", $"{Middle(l => l.Latencies.Microseconds(0.99)):n1}",
                    $"{Middle(l => l.ProcessorMicroseconds):n1}", $"{Middle(l => l.BytesAllocated):n0}");
            }
        }
    }

    static BenchStore Build(ScratchDirectory scratch, bool encrypted, AggregateKey[] aggregates, AggregateKey[] long200) =>
        BenchStore.Built(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted, store =>
        {
            Receipts receipts = new(seed: 1);
            store.Fill(receipts, aggregates, aggregates.Length);
            store.Fill(receipts, long200, long200.Length * EventsOfMany);
            store.Fill(receipts, aggregates, aggregates.Length);
        });

    static void State(BenchStore store, AggregateKey[] aggregates, Random random) =>
        store.Session.GetAggregate(aggregates[random.Next(aggregates.Length)]);

    static void Events(BenchStore store, AggregateKey[] aggregates, Random random) =>
        Expect(store.Session.GetEvents(aggregates[random.Next(aggregates.Length)], (ulong)random.Next(1, PageEvents + 1), PageEvents).Items.Count, PageEvents);

    static void List(BenchStore store, AggregateKey[] aggregates, Random random)
    {
        var after = aggregates[random.Next(aggregates.Length - PageAggregates)].Row.ToArray();
        Expect(store.Session.GetAggregates(new AggregateFilter(), after, skip: 0, PageAggregates).Items.Count, PageAggregates);
    }

    /// <summary>From the beginning to the end, then again.</summary>
    static Action<Random> Feed(BenchStore store)
    {
        var (after, end) = (0UL, store.Database!.LogSize - Limits.PageItemsMax);
        return _ =>
        {
            var page = store.Session.ReadFeed(after, Limits.PageItemsMax, includeControl: false);
            Expect(page.Items.Count, Limits.PageItemsMax);
            after = page.ReachedPosition > end ? 0 : page.ReachedPosition;
        };
    }

    static void Expect(int items, int wanted)
    {
        if (items < wanted)
            throw new InvalidOperationException($"A page has {items} items; {wanted} or more were expected.");
    }
}
