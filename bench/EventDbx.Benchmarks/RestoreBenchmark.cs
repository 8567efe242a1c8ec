using EventDbx.Integrity;
using EventDbx.Recovery;

namespace EventDbx.Benchmarks;

/// <summary>How fast a store is restored, whole and cut, and how fast its indexes are rebuilt; without the unpacking of an archive.</summary>
internal static class RestoreBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 200);
        var events = arguments.Int("events", 500_000);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", Math.Min(10_000, events / 10)));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"{events:n0} events of {aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");
        Report report = new("what", "seconds", "entries/s", "MiB/s", "peak MiB");
        foreach (var encrypted in new[] { false, true })
        {
            using var store = new BenchStore(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted).Open(Durability.Relaxed);
            store.Fill(receipts, aggregates, events);
            store.Close();
            store.Open(Durability.Sync);
            var (id, size, root) = (store.Database!.DatabaseId, store.Database.LogSize, store.Database.LogRoot);
            store.Close();
            var bytes = new DirectoryInfo(store.Directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length);
            foreach (var kept in (ulong?[])[null, size / 2 / 1000 * 1000])
            {
                var target = Path.Combine(scratch.Path, "restored");
                var seconds = Restore(store, target, id, size, root, kept);
                Row(report, $"{store.Name}, {(kept is null ? "restore" : "restore of half")}", seconds, kept ?? size, bytes);
                Directory.Delete(target, recursive: true);
            }

            var startedAt = Stopwatch.GetTimestamp();
            IndexRebuild.RunAsync(store.OptionsFor(store.Directory, Durability.Sync), keepOld: false, null, CancellationToken.None).GetAwaiter().GetResult();
            Row(report, $"{store.Name}, rebuild of indexes", Stopwatch.GetElapsedTime(startedAt).TotalSeconds, size, bytes);
            Directory.Delete(store.Directory, recursive: true);
        }
    }

    static double Restore(BenchStore store, string target, Guid id, ulong size, Hash32 root, ulong? kept)
    {
        var options = store.OptionsFor(target, Durability.Sync);
        using var restore = StoreRestore.Begin(options);
        foreach (var path in Directory.EnumerateFiles(store.Directory, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(restore.Unpacked, Path.GetRelativePath(store.Directory, path));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(path, copy);
        }

        var startedAt = Stopwatch.GetTimestamp();
        restore.Prepare(new() { From = restore.Unpacked, DatabaseId = id, Epoch = 1, LogSize = size, LogRoot = root, Pieces = [], ToPosition = kept }, options, null, CancellationToken.None);
        restore.Commit([], null, keepOld: false);
        restore.OpenAsync(options).GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    static void Row(Report report, string what, double seconds, ulong entries, long bytes)
    {
        using var process = Process.GetCurrentProcess();
        report.Row(what, $"{seconds:n1}", $"{entries / seconds:n0}", $"{bytes / 1048576.0 / seconds:n0}", $"{process.PeakWorkingSet64 / 1048576.0:n0}");
    }
}
