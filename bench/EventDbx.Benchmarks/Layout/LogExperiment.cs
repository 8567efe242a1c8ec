namespace EventDbx.Benchmarks.Layout;

/// <summary>Question (b): events in commit order with an index by aggregate, or by aggregate with an index by position.</summary>
/// <remarks>
/// Every event has a 300-byte row, an index row and a head; aggregates are drawn at random, so their events interleave.
/// 64 events are one unsynced group. "Cold" is the first read after an open with the tables out of the page cache.
/// </remarks>
internal static class LogExperiment
{
    const int GroupEvents = 64;
    const int PageEvents = 100;
    const int FeedEvents = 1000;
    const int Reads = 300;

    sealed record Measured(
        double Append, double Written, double ColdRead, double WarmRead, double ColdFeed, double WarmFeed, double LogBytes,
        double IndexBytes);

    public static void Run(string directory, int events, int repeat)
    {
        Console.WriteLine();
        Console.WriteLine("| events per aggregate | layout | append µs | written B/event | 100 events cold µs | warm µs "
            + "| feed cold events/s | warm | log B/event | index B/event |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (var perAggregate in (int[])[1, 100, 10_000])
        {
            // In turn, so that what else the machine does hits both. The first round warms up the code and is not counted.
            List<Measured> ordered = [], grouped = [];
            for (var round = 0; round <= repeat; round++)
            {
                var count = round == 0 ? events / 10 : events;
                ordered.Add(Round(Path.Combine(directory, "log"), new CommitOrder(), perAggregate, count));
                grouped.Add(Round(Path.Combine(directory, "log"), new ByAggregate(), perAggregate, count));
            }
            Print("commit order", ordered[1..]);
            Print("by aggregate", grouped[1..]);

            void Print(string layout, List<Measured> rounds)
            {
                double Of(Func<Measured, double> what) => Median.Of(rounds.Select(what));
                Console.WriteLine(
                    $"| {perAggregate} | {layout} | {Of(m => m.Append):n1} | {Of(m => m.Written):n0} "
                    + $"| {Of(m => m.ColdRead):n0} | {Of(m => m.WarmRead):n0} | {Of(m => m.ColdFeed):n0} | {Of(m => m.WarmFeed):n0} "
                    + $"| {Of(m => m.LogBytes):n0} | {Of(m => m.IndexBytes):n0} |");
            }
        }
    }

    static Measured Round(string directory, ILogLayout layout, int perAggregate, int events)
    {
        var options = new RocksDbOptions { CreateIfMissing = true, EnableStatistics = true };
        var versions = new int[Math.Max(1, events / perAggregate)];
        double append, written, logBytes, indexBytes;
        using (var engine = RocksDbEngine.Open(directory, options))
        {
            append = Append(engine, layout, versions, events);
            engine.FlushMemtables();
            written = (double)Written(engine) / events;
            foreach (var family in Families.All)
                engine.Compact(family);
            logBytes = (double)engine.TableBytes(Family.Log) / events;
            indexBytes = (double)engine.TableBytes(Family.Index) / events;
        }

        PageCache.Forget(directory);
        double coldRead, warmRead;
        using (var engine = RocksDbEngine.Open(directory, options))
        {
            coldRead = ReadAggregates(engine, layout, versions);
            warmRead = ReadAggregates(engine, layout, versions);
        }
        PageCache.Forget(directory);
        double coldFeed, warmFeed;
        using (var engine = RocksDbEngine.Open(directory, options))
            (coldFeed, warmFeed) = (ReadFeed(engine, layout, events), ReadFeed(engine, layout, events));
        Directory.Delete(directory, recursive: true);
        return new Measured(append, written, coldRead, warmRead, coldFeed, warmFeed, logBytes, indexBytes);
    }

    /// <param name="versions">The version of each aggregate: all zero at first, what was appended afterwards.</param>
    /// <returns>Microseconds an event.</returns>
    static double Append(RocksDbEngine engine, ILogLayout layout, int[] versions, int events)
    {
        Group group = new(engine);
        Random random = new(1);
        var head = new byte[200];
        random.NextBytes(head);
        // Drawing 300 random bytes costs more than storing them: draw some, and make each row differ in its first 16.
        var rows = Enumerable.Range(0, 4096).Select(_ => Payload.Event(random)).ToArray();
        var elapsed = TimeSpan.Zero;
        for (var first = 0; first < events; first += GroupEvents)
        {
            var logged = new LoggedEvent[Math.Min(GroupEvents, events - first)];
            for (var i = 0; i < logged.Length; i++)
            {
                var position = first + i;
                // One event each: every aggregate once, in an order of no meaning (7919 is prime).
                var aggregate = versions.Length == events
                    ? (int)((long)position * 7919 % events)
                    : random.Next(versions.Length);
                byte[] row = [.. rows[random.Next(rows.Length)]];
                random.NextBytes(row.AsSpan(0, 48));
                logged[i] = new LoggedEvent((ulong)position, Keys.Aggregate(aggregate), ++versions[aggregate], row);
            }
            var startedAt = Stopwatch.GetTimestamp();
            group.Commit(sync: false, (_, plan) =>
            {
                foreach (ref readonly var each in logged.AsSpan())
                {
                    layout.Append(plan, each);
                    plan.Put(Family.Heads, each.Aggregate, head);
                }
            });
            elapsed += Stopwatch.GetElapsedTime(startedAt);
        }
        return elapsed.TotalMicroseconds / events;
    }

    /// <returns>Microseconds a page of up to 100 events.</returns>
    static double ReadAggregates(RocksDbEngine engine, ILogLayout layout, int[] versions)
    {
        Random random = new(2);
        using var view = engine.OpenView();
        var startedAt = Stopwatch.GetTimestamp();
        for (var i = 0; i < Reads; i++)
        {
            var aggregate = random.Next(versions.Length);
            var from = 1 + random.Next(Math.Max(1, versions[aggregate] - PageEvents));
            var expected = Math.Min(PageEvents, versions[aggregate] - from + 1);
            var read = layout.ReadAggregate(view, Keys.Aggregate(aggregate), from, PageEvents);
            if (read != expected)
                throw new InvalidOperationException($"Aggregate {aggregate} from {from}: {read} events instead of {expected}.");
        }
        return Stopwatch.GetElapsedTime(startedAt).TotalMicroseconds / Reads;
    }

    /// <returns>Events a second.</returns>
    static double ReadFeed(RocksDbEngine engine, ILogLayout layout, int events)
    {
        using var view = engine.OpenView();
        var at = 0;
        var startedAt = Stopwatch.GetTimestamp();
        while (layout.ReadFeed(view, (ulong)at, FeedEvents) is > 0 and var read)
            at += read;
        if (at != events)
            throw new InvalidOperationException($"The feed has {at} events instead of {events}.");
        return events / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    static ulong Written(RocksDbEngine engine) =>
        engine.Ticker("rocksdb.wal.bytes")
        + engine.Ticker("rocksdb.flush.write.bytes")
        + engine.Ticker("rocksdb.compact.write.bytes");
}
