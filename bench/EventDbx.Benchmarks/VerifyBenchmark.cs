using EventDbx.Verification;

namespace EventDbx.Benchmarks;

/// <summary>How fast a store, and one aggregate, is verified.</summary>
internal static class VerifyBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var events = arguments.Int("events", 200_000);
        var rounds = arguments.Int("rounds", 3);
        var aggregates = Receipts.Aggregates(Math.Max(1, events / 100));
        var longest = Receipts.Aggregates(1, "long");
        BenchStore[] stores = [Build(false), Build(true)];
        Console.WriteLine($"{events:n0} events of {aggregates.Length:n0} aggregates, {events / 10:n0} of one; caches of the operating system are warm");

        Report report = new("what", "events/s", "µs/event", "CPU µs");
        Measure("everything", session => session.VerifyAll(null, CancellationToken.None).Events);
        Measure($"one of {events / 10:n0} events", session => session.Verify(longest[0], VerifyLevel.Full, CancellationToken.None).EventsChecked);
        Measure("1,000 of 100 events", session => Each(session, VerifyLevel.Full));
        Measure("1,000 quickly, the newest event of each", session => Each(session, VerifyLevel.Quick));
        foreach (var store in stores)
            store.Dispose();

        BenchStore Build(bool encrypted) =>
            BenchStore.Built(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted, store =>
            {
                store.Fill(new(seed: 1), aggregates, events);
                store.Fill(new(seed: 1), longest, events / 10);
            });

        ulong Each(Session session, VerifyLevel level)
        {
            var checkedEvents = 0UL;
            for (var i = 0; i < 1000; i++)
                checkedEvents += session.Verify(aggregates[i % aggregates.Length], level, CancellationToken.None).EventsChecked;
            return checkedEvents;
        }

        void Measure(string what, Func<Session, ulong> verify)
        {
            var wall = stores.ToDictionary(store => store, _ => new List<double>());
            var processor = stores.ToDictionary(store => store, _ => new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                foreach (var store in stores)
                {
                    var (used, startedAt) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
                    var done = verify(store.Session);
                    wall[store].Add(Stopwatch.GetElapsedTime(startedAt).TotalMicroseconds / done);
                    processor[store].Add((Environment.CpuUsage.TotalTime - used).TotalMicroseconds / done);
                }
            }

            foreach (var store in stores)
            {
                var microseconds = Median.Of(wall[store]);
                report.Row($"{store.Name}, {what}", $"{1_000_000 / microseconds:n0}", $"{microseconds:n2}", $"{Median.Of(processor[store]):n2}");
            }
        }
    }
}
