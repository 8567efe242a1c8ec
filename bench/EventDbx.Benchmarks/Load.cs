namespace EventDbx.Benchmarks;

/// <summary>What many workers did in a while, and what it cost the process.</summary>
internal sealed record Load
{
    public required int Operations { get; init; }

    public required TimeSpan Elapsed { get; init; }

    public required Latencies Latencies { get; init; }

    public required TimeSpan Processor { get; init; }

    public required long Allocated { get; init; }

    public double PerSecond => Operations / Elapsed.TotalSeconds;

    /// <summary>Processor time of all threads, the store's own included.</summary>
    public double ProcessorMicroseconds => Processor.TotalMicroseconds / Operations;

    public double BytesAllocated => (double)Allocated / Operations;

    /// <summary>Runs workers for a while, each one operation after the other.</summary>
    /// <param name="work">One operation of one worker: (worker, number of the operation).</param>
    public static Load Run(int workers, TimeSpan length, Func<int, int, Task> work) => Measure(
        length, stop => [.. Enumerable.Range(0, workers).Select(worker => Task.Run(() => RepeatAsync(worker, work, stop), CancellationToken.None))]);

    /// <summary>The same on threads, for operations that block.</summary>
    public static Load RunThreads(int workers, TimeSpan length, Func<int, Action<int>> open) => Measure(
        length, stop => [.. Enumerable.Range(0, workers).Select(worker => Task.Factory.StartNew(
            () => Repeat(open(worker), stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);

    static Load Measure(TimeSpan length, Func<CancellationToken, Task<Latencies>[]> start)
    {
        GC.Collect();
        using CancellationTokenSource stop = new();
        var (processor, allocated, startedAt) = (Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
        var workers = start(stop.Token);
        stop.CancelAfter(length);
        Latencies all = new();
        foreach (var worker in workers)
            all.Add(worker.GetAwaiter().GetResult());
        return new()
        {
            Operations = all.Count, Elapsed = Stopwatch.GetElapsedTime(startedAt), Latencies = all,
            Processor = Environment.CpuUsage.TotalTime - processor, Allocated = GC.GetTotalAllocatedBytes() - allocated,
        };
    }

    static async Task<Latencies> RepeatAsync(int worker, Func<int, int, Task> work, CancellationToken stop)
    {
        Latencies latencies = new();
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var startedAt = Stopwatch.GetTimestamp();
            await work(worker, i).ConfigureAwait(false);
            latencies.Add(startedAt);
        }

        return latencies;
    }

    static Latencies Repeat(Action<int> work, CancellationToken stop)
    {
        Latencies latencies = new();
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var startedAt = Stopwatch.GetTimestamp();
            work(i);
            latencies.Add(startedAt);
        }

        return latencies;
    }
}
