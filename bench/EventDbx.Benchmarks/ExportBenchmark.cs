using EventDbx.Transfer;

namespace EventDbx.Benchmarks;

/// <summary>How fast everything is exported, and what that takes of memory while it is.</summary>
internal static class ExportBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 100_000));
        var rounds = arguments.Int("rounds", 3);
        BenchStore[] stores = [Build(false), Build(true)];
        Console.WriteLine($"{aggregates.Length:n0} aggregates of two events, eight fields; two walks over them, but one for events");

        Report report = new("what", "rows/s", "MiB/s", "µs/row", "CPU µs/row", "B/row", "heap MiB", "set MiB");
        Measure("CSV", Of(new() { Output = "" }));
        Measure("JSON", Of(new() { Output = "", Format = ExportFormat.Json }));
        Measure("CSV in a ZIP archive", Of(new() { Output = "", Zip = true }));
        Measure("events with their salts", (session, path) => new EventExporter(session, null).ToFileAsync(path, null, CancellationToken.None));
        foreach (var store in stores)
            store.Dispose();

        BenchStore Build(bool encrypted) => BenchStore.Built(
            Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted, store => store.Fill(new(seed: 1), aggregates, 2 * aggregates.Length));

        static Func<Session, string, Task<ExportSummary>> Of(ExportRequest request) => (session, path) =>
            new Exporter(session, TimeProvider.System, null).RunAsync(
                request with { Output = path + (request.Zip ? ".zip" : request.Format == ExportFormat.Csv ? ".csv" : ".json") }, CancellationToken.None);

        void Measure(string what, Func<Session, string, Task<ExportSummary>> export)
        {
            var runs = stores.ToDictionary(store => store, _ => new List<Figures>());
            for (var round = 0; round < rounds; round++)
            {
                foreach (var store in stores)
                    runs[store].Add(Figures.Of(() => export(store.Session, Path.Combine(scratch.Path, "export"))));
            }

            foreach (var store in stores)
            {
                double Middle(Func<Figures, double> figure) => Median.Of(runs[store].Select(figure));
                report.Row(
                    $"{store.Name}, {what}", $"{1_000_000 / Middle(f => f.Microseconds):n0}", $"{Middle(f => f.Mebibytes):n1}", $"{Middle(f => f.Microseconds):n2}",
                    $"{Middle(f => f.Processor):n2}", $"{Middle(f => f.BytesPerRow):n0}", $"{Middle(f => f.Heap):n1}", $"{Middle(f => f.Set):n1}");
            }
        }
    }

    /// <summary>Of one export; memory as its highest above what was there before.</summary>
    internal sealed record Figures(double Microseconds, double Mebibytes, double Processor, double BytesPerRow, double Heap, double Set)
    {
        public static Figures Of(Func<Task<ExportSummary>> export)
        {
            var heap = GC.GetTotalMemory(forceFullCollection: true);
            var set = Environment.WorkingSet;
            var (used, startedAt) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp());
            var running = Task.Run(export);
            long heapMost = heap, setMost = set;
            while (!running.Wait(TimeSpan.FromMilliseconds(10)))
            {
                heapMost = Math.Max(heapMost, GC.GetTotalMemory(forceFullCollection: false));
                setMost = Math.Max(setMost, Environment.WorkingSet);
            }

            var summary = running.GetAwaiter().GetResult();
            var elapsed = Stopwatch.GetElapsedTime(startedAt);
            return new(
                elapsed.TotalMicroseconds / summary.Rows, summary.Bytes / elapsed.TotalSeconds / (1 << 20),
                (Environment.CpuUsage.TotalTime - used).TotalMicroseconds / summary.Rows, (double)summary.Bytes / summary.Rows,
                (heapMost - heap) / (double)(1 << 20), (setMost - set) / (double)(1 << 20));
        }
    }
}
