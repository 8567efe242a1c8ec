using EventDbx.Server.Checkpoints;
using EventDbx.Transfer;

namespace EventDbx.Benchmarks;

/// <summary>
/// Appends while a checkpoint is signed every second against appends without, in turns on equal stores; a third one, without as well, shows what
/// two equal stores differ by. Before that, evidence of everything.
/// </summary>
internal static class CheckpointBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var (rounds, length, events) = (arguments.Int("rounds", 5), arguments.Seconds("seconds", 4), arguments.Int("events", 100_000));
        Receipts receipts = new(seed: 1);
        var aggregates = Receipts.Aggregates(events / 10);
        using var key = SigningKey.Parse(SigningKey.NewText(SigningKey.LogName, NoteAlgorithm.Signature), NoteAlgorithm.Signature)!;
        // Both can sign; one does so by itself.
        using var silent = Built("silent", null);
        using var signing = Built("signing", TimeSpan.FromSeconds(1));
        using var control = Built("control", null);
        Console.WriteLine($"{aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes, encrypted");

        Evidence(silent, Path.Combine(scratch.Path, "evidence"));

        Report report = new("what", "events/s", "× silent", "p50 µs", "p99 µs", "CPU µs", "checkpoints");
        foreach (var writers in arguments.Ints("writers", [1, 16]))
            Compare(report, writers, rounds, length, [silent, signing, control], receipts, aggregates);

        BenchStore Built(string name, TimeSpan? interval) => BenchStore.Built(
            Path.Combine(scratch.Path, name), encrypted: true, store => store.Fill(receipts, aggregates, events),
            options => options with { Signer = () => key, CheckpointInterval = interval });
    }

    static void Compare(Report report, int writers, int rounds, TimeSpan length, BenchStore[] stores, Receipts receipts, AggregateKey[] aggregates)
    {
        var runs = stores.Select(_ => new List<(Load Load, ulong Checkpoints)>()).ToArray();
        for (var round = -1; round < rounds; round++)
        {
            for (var turn = 0; turn < stores.Length; turn++)
            {
                // Who goes first takes turns, too; the first round warms up.
                var at = (round + 1 + turn) % stores.Length;
                var load = Append(stores[at], writers, length, receipts, aggregates);
                if (round >= 0)
                    runs[at].Add(load);
            }
        }

        for (var at = 0; at < stores.Length; at++)
        {
            double Middle(Func<Load, double> figure) => Median.Of(runs[at].Select(run => figure(run.Load)));
            report.Row(
                $"{(at == 1 ? "a checkpoint a second" : at == 0 ? "nobody signs" : "nobody signs, the other store")}, {writers} writers", $"{Middle(load => load.PerSecond):n0}",
                $"{Median.Of(runs[at].Select((run, round) => run.Load.PerSecond / runs[0][round].Load.PerSecond)):n2}",
                $"{Middle(load => load.Latencies.Microseconds(0.5)):n0}", $"{Middle(load => load.Latencies.Microseconds(0.99)):n0}",
                $"{Middle(load => load.ProcessorMicroseconds):n1}", $"{runs[at].Sum(run => (double)run.Checkpoints):n0}");
        }
    }

    /// <summary>A load, and how many checkpoints were signed meanwhile.</summary>
    static (Load Load, ulong Checkpoints) Append(BenchStore store, int writers, TimeSpan length, Receipts receipts, AggregateKey[] aggregates)
    {
        Random[] randoms = [.. Enumerable.Range(0, writers).Select(seed => new Random(seed))];
        var (signed, size) = (0UL, store.Database!.FindCheckpoint()?.Checkpoint.Size ?? 0);
        using var stop = new CancellationTokenSource();
        var counting = Task.Run(async () =>
        {
            while (true)
            {
                await store.Database.WaitForCheckpointAsync(size, stop.Token).ConfigureAwait(false);
                (signed, size) = (signed + 1, store.Database.FindCheckpoint()!.Value.Checkpoint.Size);
            }
        });
        var load = Load.Run(writers, length, (writer, i) => store.Session.AppendAsync(
            receipts.Draft(aggregates[randoms[writer].Next(aggregates.Length)], i), CancellationToken.None));
        stop.Cancel();
        counting.ContinueWith(static _ => { }, TaskScheduler.Default).GetAwaiter().GetResult();
        return (load, signed);
    }

    static void Evidence(BenchStore store, string path)
    {
        Report report = new("what", "events", "events/s", "MiB/s", "CPU µs/event", "B/event", "heap MiB", "set MiB");
        foreach (var (name, request) in ((string, EvidenceRequest)[])[("aggregates", new()), ("the whole log", new() { WholeLog = true })])
        {
            var rows = 0L;
            var figures = ExportBenchmark.Figures.Of(async () =>
            {
                using var reading = await store.Session.OpenEvidenceAsync(request, CancellationToken.None).ConfigureAwait(false);
                var summary = await EvidenceExport.ToFileAsync(path, reading, null, CancellationToken.None).ConfigureAwait(false);
                rows = summary.Rows;
                return summary;
            });
            report.Row(
                $"evidence of {name}", $"{rows:n0}", $"{1_000_000 / figures.Microseconds:n0}", $"{figures.Mebibytes:n1}", $"{figures.Processor:n1}", $"{figures.BytesPerRow:n0}",
                $"{figures.Heap:n1}", $"{figures.Set:n1}");
        }
    }
}
