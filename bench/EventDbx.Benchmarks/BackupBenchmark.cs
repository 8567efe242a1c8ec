using System.Diagnostics.CodeAnalysis;
using EventDbx.Backups;

namespace EventDbx.Benchmarks;

/// <summary>A backup of a store against <c>tar | zstd -1</c> of the same directory, its memory, a verify of it; and appends beside backups against appends without, in turns.</summary>
internal static class BackupBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var (rounds, length, events) = (arguments.Int("rounds", 5), arguments.Seconds("seconds", 4), arguments.Int("events", 500_000));
        Receipts receipts = new(seed: 1);
        var aggregates = Receipts.Aggregates(events / 10);
        using var store = BenchStore.Built(Path.Combine(scratch.Path, "store"), encrypted: true, built => built.Fill(receipts, aggregates, events));
        var archive = Path.Combine(scratch.Path, "archive.tar.zst");
        Console.WriteLine($"{events:n0} events, payloads of {receipts.PayloadBytes:n0} bytes, encrypted");
        Rates(store, archive, rounds);

        Report report = new("what", "events/s", "p50 µs", "p99 µs", "backups");
        foreach (var writers in arguments.Ints("writers", [1, 16]))
            Beside(report, store, archive, writers, rounds, length, receipts, aggregates);
    }

    static void Rates(BenchStore store, string archive, int rounds)
    {
        Report report = new("what", "MiB", "seconds", "MiB/s", "archive MiB", "heap MiB", "set MiB");
        List<(double Seconds, double Heap, double Set)> ours = [];
        List<double> tars = [], reads = [];
        var (bytes, written) = (0L, 0L);
        for (var round = -1; round < rounds; round++)
        {
            using Peak peak = new();
            var startedAt = Stopwatch.GetTimestamp();
            (bytes, written) = BackUp(store, archive);
            var seconds = Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
            var read = ReadSeconds(archive);
            var tar = Tar(store.Directory, archive + ".other");
            if (round < 0)
                continue;
            ours.Add((seconds, peak.Heap, peak.Set));
            reads.Add(read);
            if (tar is { } other)
                tars.Add(other);
        }

        var mebibytes = bytes / 1048576.0;
        var ourSeconds = Median.Of(ours.Select(static run => run.Seconds));
        report.Row("backup", $"{mebibytes:n0}", $"{ourSeconds:n2}", $"{mebibytes / ourSeconds:n0}", $"{written / 1048576.0:n0}", $"{Median.Of(ours.Select(static run => run.Heap)):n0}", $"{Median.Of(ours.Select(static run => run.Set)):n0}");
        report.Row("reading it with every checksum", $"{mebibytes:n0}", $"{Median.Of(reads):n2}", $"{mebibytes / Median.Of(reads):n0}", $"{written / 1048576.0:n0}", "", "");
        if (tars.Count > 0)
            report.Row("tar | zstd -1, synced", $"{mebibytes:n0}", $"{Median.Of(tars):n2}", $"{mebibytes / Median.Of(tars):n0}", $"{new FileInfo(archive + ".other").Length / 1048576.0:n0}", "", "");
        else
            Console.WriteLine("tar or zstd is not here, or did not do it.");
    }

    static (long Bytes, long Written) BackUp(BenchStore store, string archive)
    {
        using var staged = store.Session.BackUpAsync(new() { CreatedBy = "a benchmark" }, CancellationToken.None).GetAwaiter().GetResult();
        using FileStream file = new(archive, FileMode.Create);
        staged.Write(file, null, CancellationToken.None);
        file.Flush(flushToDisk: true);
        return (staged.BytesToWrite, file.Length);
    }

    static double ReadSeconds(string archive)
    {
        using var file = File.OpenRead(archive);
        var startedAt = Stopwatch.GetTimestamp();
        BackupReader.Read(file, new(), CancellationToken.None);
        return Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    /// <summary>Nobody writes meanwhile, so that tar has nothing to complain of.</summary>
    static double? Tar(string directory, string archive)
    {
        if (OperatingSystem.IsWindows())
            return null;
        var startedAt = Stopwatch.GetTimestamp();
        using var bash = Process.Start("bash", ["-o", "pipefail", "-c", "tar -C \"$0\" -cf - . | zstd -1 -T1 -q -f -o \"$1\" && sync \"$1\"", directory, archive]);
        bash.WaitForExit();
        return bash.ExitCode == 0 ? Stopwatch.GetElapsedTime(startedAt).TotalSeconds : null;
    }

    static void Beside(Report report, BenchStore store, string archive, int writers, int rounds, TimeSpan length, Receipts receipts, AggregateKey[] aggregates)
    {
        List<Load> alone = [], beside = [];
        var backups = 0;
        for (var round = -1; round < rounds; round++)
        {
            foreach (var with in round % 2 == 0 ? (bool[])[false, true] : [true, false])
            {
                using var stop = new CancellationTokenSource();
                var backing = !with ? Task.FromResult(0) : Task.Run(() =>
                {
                    var made = 0;
                    for (; !stop.IsCancellationRequested; made++)
                        BackUp(store, archive);
                    return made;
                });
                Random[] randoms = [.. Enumerable.Range(0, writers).Select(static seed => new Random(seed))];
                var load = Load.Run(writers, length, (writer, i) => store.Session.AppendAsync(receipts.Draft(aggregates[randoms[writer].Next(aggregates.Length)], i), CancellationToken.None));
                stop.Cancel();
                var made = backing.GetAwaiter().GetResult();
                if (round < 0)
                    continue;
                (with ? beside : alone).Add(load);
                backups += made;
            }
        }

        Row(alone, "alone", "");
        Row(beside, "beside backups, one after the other", $"{backups:n0}");

        void Row(List<Load> loads, string name, string made) => report.Row(
            $"appends {name}, {writers} writers", $"{Median.Of(loads.Select(static load => load.PerSecond)):n0}",
            $"{Median.Of(loads.Select(static load => load.Latencies.Microseconds(0.5))):n0}", $"{Median.Of(loads.Select(static load => load.Latencies.Microseconds(0.99))):n0}", made);
    }

    /// <summary>The most memory that was seen, every few milliseconds, above what there was.</summary>
    [SuppressMessage("Reliability", "CA1001", Justification = "The timer is disposed of.")]
    sealed class Peak : IDisposable
    {
        readonly long _heap = GC.GetTotalMemory(forceFullCollection: true);
        readonly long _set = Environment.WorkingSet;
        readonly Timer _timer;
        long _heapMost, _setMost;

        public Peak() => _timer = new(_ => Look(), null, 0, 20);

        public double Heap => Math.Max(0, _heapMost - _heap) / 1048576.0;

        public double Set => Math.Max(0, _setMost - _set) / 1048576.0;

        public void Dispose() => _timer.Dispose();

        void Look()
        {
            _heapMost = Math.Max(_heapMost, GC.GetTotalMemory(forceFullCollection: false));
            _setMost = Math.Max(_setMost, Environment.WorkingSet);
        }
    }
}
