using System.Buffers.Binary;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Benchmarks;

/// <summary>
/// The floor: threads that share nothing but RocksDB read a head and write log, index and head in one synced batch.
/// What our commit loop takes longer than this is what our rules cost.
/// </summary>
internal sealed unsafe class RocksDbBaseline : IDisposable
{
    const int HeadBytes = 200;
    const int EventBytes = 300;
    const int IndexBytes = 48;

    readonly DatabaseHandle _db;
    readonly int _aggregates;
    long _position;

    public RocksDbBaseline(string directory, int aggregates)
    {
        _aggregates = aggregates;
        _db = DatabaseHandle.Open(directory, new RocksDbOptions { CreateIfMissing = true, EnableStatistics = true }, readOnly: false);
        using Writer writer = new(this, seed: 0, sync: false);
        for (var i = 0; i < aggregates; i++)
            writer.Append(i);
    }

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var threads = arguments.Int("threads", 16);
        MachineProbe.Measure(scratch.Path, count: 500);
        using RocksDbBaseline baseline = new(Path.Combine(scratch.Path, "store"), aggregates: 10_000);
        var before = baseline.Syncs;
        var load = baseline.Run(threads, arguments.Seconds("seconds", 10));
        var syncs = baseline.Syncs - before;
        Console.WriteLine($"{threads} threads {load.PerSecond:n0} ops/s  {load.Latencies}");
        Console.WriteLine($"{syncs / load.Elapsed.TotalSeconds:n0} syncs/s, {(double)load.Operations / syncs:n1} batches a sync");
    }

    ulong Syncs => _db.Options.Ticker("rocksdb.wal.synced");

    public Load Run(int threads, TimeSpan length)
    {
        Writer[] writers = [.. Enumerable.Range(0, threads).Select(seed => new Writer(this, seed, sync: true))];
        var load = Load.RunThreads(threads, length, thread => _ => writers[thread].AppendAnywhere());
        foreach (var writer in writers)
            writer.Dispose();
        return load;
    }

    public void Dispose() => _db.Dispose();

    sealed class Writer : IDisposable
    {
        readonly RocksDbBaseline _owner;
        readonly Random _random;
        readonly byte[] _value = new byte[EventBytes];
        readonly RocksDbView _view;
        readonly nint _batch = rocksdb_writebatch_create();
        readonly nint _options = rocksdb_writeoptions_create();

        public Writer(RocksDbBaseline owner, int seed, bool sync)
        {
            (_owner, _random, _view) = (owner, new(seed), RocksDbView.Live(owner._db));
            _random.NextBytes(_value);
            rocksdb_writeoptions_set_sync(_options, sync ? (byte)1 : (byte)0);
        }

        public void AppendAnywhere() => Append(_random.Next(_owner._aggregates));

        public void Append(int aggregate)
        {
            var head = Encoding.UTF8.GetBytes($"order\0order-{aggregate:d8}");
            _ = _view.Get(Family.Heads, head);
            var position = new byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(position, Interlocked.Increment(ref _owner._position));
            rocksdb_writebatch_clear(_batch);
            Put(Family.Log, position, _value);
            Put(Family.Index, [.. head, 0, .. position], _value.AsSpan(0, IndexBytes));
            Put(Family.Heads, head, _value.AsSpan(0, HeadBytes));
            byte* error = null;
            rocksdb_write(_owner._db.Db, _options, _batch, &error);
            ThrowIf(error, "A batch was not written");
        }

        void Put(Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
        {
            fixed (byte* keyBytes = key, valueBytes = value)
                rocksdb_writebatch_put_cf(_batch, _owner._db.Of(family), keyBytes, (nuint)key.Length, valueBytes, (nuint)value.Length);
        }

        public void Dispose()
        {
            rocksdb_writeoptions_destroy(_options);
            rocksdb_writebatch_destroy(_batch);
            _view.Dispose();
        }
    }
}
