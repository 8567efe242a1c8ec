namespace EventDbx.Benchmarks;

/// <summary>What an append to a very long aggregate costs beside one to a new aggregate: no more than 1.25 times.</summary>
/// <remarks>Event by event in turns, so that whatever else the machine does falls on all of them alike.</remarks>
internal static class LongAggregate
{
    static readonly AggregateKey s_oneField = AggregateKey.Create("permit", "long-one-field");
    static readonly AggregateKey s_eightFields = AggregateKey.Create("permit", "long-eight-fields");

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var events = arguments.Int("events", 1_000_000);
        var appends = arguments.Int("appends", 2000);
        Report report = new("append to", "p50 µs", "p99 µs", "× young", "× brand-new");
        foreach (var encrypted in new[] { false, true })
        {
            using var store = BenchStore.Built(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted, store =>
            {
                store.Fill(new(seed: 1, fields: 1), [s_oneField], events);
                store.Fill(new(seed: 1), [s_eightFields], events);
            });
            Compare(report, store, events, appends, "synced");
            store.Close();
            // Without the sync, which hides most of what the processor does.
            Compare(report, store.Open(Durability.Relaxed), events, appends * 5, "relaxed");
        }
    }

    static void Compare(Report report, BenchStore store, int events, int appends, string durability)
    {
        foreach (var (aggregate, fields) in new[] { (s_oneField, 1), (s_eightFields, 8) })
        {
            Receipts receipts = new(seed: 2, fields);
            var name = $"{store.Name}-{durability}-{fields}";
            var young = Receipts.Aggregates(1, $"young-{name}")[0];
            var unborn = Receipts.Aggregates(appends, $"new-{name}");
            var (onLong, onYoung, onNew) = (new Latencies(), new Latencies(), new Latencies());
            for (var i = 0; i < appends; i++)
            {
                Append(store, receipts.Draft(aggregate, i), onLong);
                Append(store, receipts.Draft(young, i), onYoung);
                Append(store, receipts.Draft(unborn[i], i), onNew);
            }

            var what = $"{store.Name}, {durability}, state of {fields} field{(fields == 1 ? "" : "s")}";
            Row(report, $"{events:n0} events: {what}", onLong, onYoung, onNew);
            Row(report, $"young, to {appends:n0} events", onYoung, onYoung, onNew);
            Row(report, "brand-new: its first event", onNew, onYoung, onNew);
        }
    }

    static void Append(BenchStore store, EventDraft draft, Latencies latencies)
    {
        var startedAt = Stopwatch.GetTimestamp();
        store.Session.AppendAsync(draft, CancellationToken.None).GetAwaiter().GetResult();
        latencies.Add(startedAt);
    }

    static void Row(Report report, string what, Latencies these, Latencies young, Latencies unborn) => report.Row(
        what, $"{these.Microseconds(0.5):n0}", $"{these.Microseconds(0.99):n0}",
        $"{these.Microseconds(0.5) / young.Microseconds(0.5):n2}", $"{these.Microseconds(0.5) / unborn.Microseconds(0.5):n2}");
}
