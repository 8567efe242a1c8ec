namespace EventDbx.Benchmarks;

/// <summary>How long an open takes after a clean stop and after none, and what an event takes on disk.</summary>
internal static class OpenBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 200);
        var events = arguments.Int("events", 1_000_000);
        var rounds = arguments.Int("rounds", 3);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", Math.Min(10_000, events / 10)));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"{events:n0} events of {aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");
        Report report = new("what", "median", "WAL MiB", "MiB", "B/event");
        foreach (var encrypted in new[] { false, true })
        {
            using var store = new BenchStore(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted).Open(Durability.Relaxed);
            var building = store.Fill(receipts, aggregates, events);
            Row(report, $"{store.Name}, batches of 1,000, as built", $"{events / building.TotalSeconds:n0}/s", store.Directory, events);

            var left = Path.Combine(scratch.Path, "left");
            List<double> unclean = [];
            for (var round = 0; round < rounds; round++)
            {
                // A group that has been answered is synced within the interval; a sync is all that a kill leaves out.
                store.Database!.Engine.Sync();
                Copy(store.Directory, left);
                unclean.Add(TimeOpen(store, left));
            }

            Row(report, $"{store.Name}, open after no stop", $"{Median.Of(unclean):n0} ms", left, events);
            Directory.Delete(left, recursive: true);

            var closing = Stopwatch.GetTimestamp();
            store.Close();
            Row(report, $"{store.Name}, close", $"{Stopwatch.GetElapsedTime(closing).TotalMilliseconds:n0} ms", store.Directory, events);
            var clean = Enumerable.Range(0, rounds).Select(_ => TimeOpen(store, store.Directory)).ToArray();
            Row(report, $"{store.Name}, open after a clean stop", $"{Median.Of(clean):n0} ms", store.Directory, events);

            var engine = (RocksDbEngine)store.Open(Durability.Sync).Database!.Engine;
            engine.FlushMemtables();
            foreach (var family in Families.All)
                engine.Compact(family);
            store.Close();
            Row(report, $"{store.Name}, flushed and compacted", "", store.Directory, events);
            Directory.Delete(store.Directory, recursive: true);
        }
    }

    static double TimeOpen(BenchStore store, string directory)
    {
        var startedAt = Stopwatch.GetTimestamp();
        var database = Database.Open(store.OptionsFor(directory, Durability.Sync));
        var milliseconds = Stopwatch.GetElapsedTime(startedAt).TotalMilliseconds;
        database.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return milliseconds;
    }

    /// <summary>
    /// The directory as a kill would leave it: nothing is told to finish first. Copied again when a compaction has changed
    /// the files meanwhile, which a kill would not have let happen.
    /// </summary>
    static void Copy(string from, string to)
    {
        while (true)
        {
            if (Directory.Exists(to))
                Directory.Delete(to, recursive: true);
            var paths = FilesOf(from);
            try
            {
                foreach (var path in paths)
                {
                    var copy = Path.Combine(to, Path.GetRelativePath(from, path));
                    Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                    File.Copy(path, copy);
                }

                if (paths.SequenceEqual(FilesOf(from)))
                    return;
            }
            catch (FileNotFoundException)
            {
            }
        }
    }

    static string[] FilesOf(string directory) =>
        [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(path => Path.GetFileName(path) != DirectoryLock.FileName).Order()];

    static void Row(Report report, string what, string median, string directory, int events)
    {
        var files = new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).ToArray();
        var wal = files.Where(file => file.Extension == ".log").Sum(file => file.Length);
        var bytes = files.Sum(file => file.Length);
        report.Row(what, median, $"{wal / 1048576.0:n1}", $"{bytes / 1048576.0:n1}", $"{(double)bytes / events:n0}");
    }
}
