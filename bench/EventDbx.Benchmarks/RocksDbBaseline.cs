using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Benchmarks;

/// <summary>
/// The floor: threads that share nothing but RocksDB read a head and write log, index and head in one synced batch.
/// What our commit loop takes longer than this is what our rules cost.
/// </summary>
internal static unsafe class RocksDbBaseline
{
    const int Aggregates = 10_000;
    const int HeadBytes = 200;
    const int EventBytes = 300;
    const int IndexBytes = 48;

    static long s_position;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var threads = arguments.Int("threads", 16);
        var seconds = arguments.Int("seconds", 10);
        MachineProbe.Measure(scratch.Path, count: 500);
        var options = new RocksDbOptions { CreateIfMissing = true, EnableStatistics = true };
        using var db = DatabaseHandle.Open(Path.Combine(scratch.Path, "store"), options, readOnly: false);

        using CancellationTokenSource stop = new();
        Task<Latencies>[] workers =
        [
            .. Enumerable.Range(0, threads).Select(seed => Task.Factory.StartNew(
                () => Work(db, seed, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)),
        ];
        var startedAt = Stopwatch.GetTimestamp();
        stop.CancelAfter(TimeSpan.FromSeconds(seconds));
        Latencies all = new();
        foreach (var worker in workers)
            all.Add(worker.GetAwaiter().GetResult());
        var elapsed = Stopwatch.GetElapsedTime(startedAt);

        var syncs = db.Options.Ticker("rocksdb.wal.synced");
        Console.WriteLine($"{threads} threads {all.Count / elapsed.TotalSeconds:n0} ops/s  {all}");
        Console.WriteLine($"{syncs / elapsed.TotalSeconds:n0} syncs/s, {(double)all.Count / syncs:n1} batches a sync");
    }

    static Latencies Work(DatabaseHandle db, int seed, CancellationToken stop)
    {
        Random random = new(seed);
        Latencies latencies = new();
        var value = new byte[EventBytes];
        random.NextBytes(value);
        using var view = RocksDbView.Live(db);
        var batch = rocksdb_writebatch_create();
        var synced = rocksdb_writeoptions_create();
        rocksdb_writeoptions_set_sync(synced, 1);
        while (!stop.IsCancellationRequested)
        {
            var startedAt = Stopwatch.GetTimestamp();
            var head = Layout.Keys.Aggregate(random.Next(Aggregates));
            _ = view.Get(Family.Heads, head);
            var position = Layout.Keys.Number((ulong)Interlocked.Increment(ref s_position));
            rocksdb_writebatch_clear(batch);
            Put(db, batch, Family.Log, position, value);
            Put(db, batch, Family.Index, [.. head, 0, .. position], value.AsSpan(0, IndexBytes));
            Put(db, batch, Family.Heads, head, value.AsSpan(0, HeadBytes));
            byte* error = null;
            rocksdb_write(db.Db, synced, batch, &error);
            ThrowIf(error, "A batch was not written");
            latencies.Add(startedAt);
        }
        rocksdb_writeoptions_destroy(synced);
        rocksdb_writebatch_destroy(batch);
        return latencies;
    }

    static void Put(DatabaseHandle db, nint batch, Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* keyBytes = key, valueBytes = value)
            rocksdb_writebatch_put_cf(batch, db.Of(family), keyBytes, (nuint)key.Length, valueBytes, (nuint)value.Length);
    }
}
