using System.Text.Json;

namespace EventDbx.Benchmarks.Layout;

/// <summary>Question (a): the state as one blob, or as one row per field.</summary>
/// <remarks>
/// 2,000 aggregates of so many fields; each event sets three of them, and writes its 300-byte log row, an index row and
/// a head beside them. 64 events are one group, as under load.
/// </remarks>
internal static class StateExperiment
{
    const int Aggregates = 2000;
    const int GroupEvents = 64;
    const int FieldsPerEvent = 3;
    const int Reads = 5000;

    sealed record Measured(
        double Unsynced, double Cpu, double Synced, double Read, double StateBytes, double DiskBytes, double WrittenPerEvent);

    public static void Run(string directory, int events, int repeat)
    {
        Console.WriteLine();
        Console.WriteLine("| fields | state B | seal | layout | append µs | CPU µs | synced µs | read µs | state MB on disk | written B/event |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        var cases =
            from isSealed in (bool[])[false, true]
            from fields in (int[])[1, 8, 50, 120, 500]
            select (isSealed, fields);
        foreach (var (isSealed, fields) in cases)
        {
            // In turn, so that what else the machine does hits both. The first round warms up the code and is not counted.
            List<Measured> blobs = [], rows = [];
            for (var round = 0; round <= repeat; round++)
            {
                var count = round == 0 ? events / 10 : events;
                blobs.Add(Round(Path.Combine(directory, "state"), fields, isSealed, isBlob: true, count));
                rows.Add(Round(Path.Combine(directory, "state"), fields, isSealed, isBlob: false, count));
            }
            Print("blob", blobs[1..]);
            Print("rows", rows[1..]);

            void Print(string layout, List<Measured> rounds)
            {
                double Of(Func<Measured, double> what) => Median.Of(rounds.Select(what));
                Console.WriteLine(
                    $"| {fields} | {Of(m => m.StateBytes):n0} | {(isSealed ? "sealed" : "plain")} | {layout} | {Of(m => m.Unsynced):n1} "
                    + $"| {Of(m => m.Cpu):n1} | {Of(m => m.Synced):n1} | {Of(m => m.Read):n1} "
                    + $"| {Of(m => m.DiskBytes) / 1e6:n2} | {Of(m => m.WrittenPerEvent):n0} |");
            }
        }
    }

    static Measured Round(string directory, int fields, bool isSealed, bool isBlob, int events)
    {
        using Seal seal = new(isSealed);
        IStateLayout layout = isBlob ? new BlobState(seal) : new RowState(seal);
        var options = new RocksDbOptions { CreateIfMissing = true, EnableStatistics = true };
        Measured measured;
        using (var engine = RocksDbEngine.Open(directory, options))
        {
            Group group = new(engine);
            Random random = new(fields);
            Fill(group, layout, fields, random);
            engine.FlushMemtables();
            engine.Compact(Family.State);

            var (first, second) = (DrawEvents(fields, random, events), DrawEvents(fields, random, events));
            var writtenBefore = Written(engine);
            var cpuBefore = Environment.CpuUsage.TotalTime;
            var unsynced = Append(group, layout, seal, first, firstPosition: 0, sync: false);
            engine.FlushMemtables();
            var cpu = (Environment.CpuUsage.TotalTime - cpuBefore).TotalMicroseconds / events;
            var written = (double)(Written(engine) - writtenBefore) / events;
            var synced = Append(group, layout, seal, second, firstPosition: events, sync: true);

            engine.FlushMemtables();
            foreach (var family in Families.All)
                engine.Compact(family);
            var (read, stateBytes) = Read(engine, layout, random);
            measured = new Measured(unsynced, cpu, synced, read, stateBytes, engine.TableBytes(Family.State), written);
        }
        Directory.Delete(directory, recursive: true);
        return measured;
    }

    static void Fill(Group group, IStateLayout layout, int fields, Random random)
    {
        for (var aggregate = 0; aggregate < Aggregates; aggregate++)
        {
            var key = Keys.Aggregate(aggregate);
            var all = new Field[fields];
            for (var field = 0; field < fields; field++)
                all[field] = new Field(Payload.FieldName(field), Payload.FieldValue(random));
            group.Commit(sync: false, (view, plan) => layout.Set(view, plan, key, all));
        }
    }

    sealed record Drawn(byte[] Aggregate, byte[] Event, Field[] Fields);

    static Drawn[] DrawEvents(int fields, Random random, int events) =>
    [
        .. Enumerable.Range(0, events)
            .Select(_ => new Drawn(Keys.Aggregate(random.Next(Aggregates)), Payload.Event(random), Draw(fields, random))),
    ];

    /// <returns>Microseconds an event.</returns>
    static double Append(Group group, IStateLayout layout, Seal seal, Drawn[] events, int firstPosition, bool sync)
    {
        var head = new byte[200];
        Random.Shared.NextBytes(head);
        var startedAt = Stopwatch.GetTimestamp();
        for (var first = 0; first < events.Length; first += GroupEvents)
        {
            var from = first;
            group.Commit(sync, (view, plan) =>
            {
                for (var i = from; i < Math.Min(events.Length, from + GroupEvents); i++)
                {
                    var drawn = events[i];
                    var position = Keys.Number((ulong)(firstPosition + i));
                    plan.Put(Family.Log, position, seal.Close(position, drawn.Event));
                    plan.Put(Family.Index, [.. drawn.Aggregate, 0, .. position], head.AsSpan(0, 48));
                    plan.Put(Family.Heads, drawn.Aggregate, head);
                    layout.Set(view, plan, drawn.Aggregate, drawn.Fields);
                }
            });
        }
        return Stopwatch.GetElapsedTime(startedAt).TotalMicroseconds / events.Length;
    }

    static Field[] Draw(int fields, Random random)
    {
        var first = random.Next(fields);
        return
        [
            .. Enumerable.Range(0, Math.Min(fields, FieldsPerEvent))
                .Select(i => new Field(Payload.FieldName((first + (i * 7)) % fields), Payload.FieldValue(random)))
                .DistinctBy(field => Encoding.UTF8.GetString(field.Name)),
        ];
    }

    static (double Microseconds, double Bytes) Read(RocksDbEngine engine, IStateLayout layout, Random random)
    {
        using var view = engine.OpenView();
        var keys = Enumerable.Range(0, Reads).Select(_ => Keys.Aggregate(random.Next(Aggregates))).ToArray();
        long bytes = 0;
        var startedAt = Stopwatch.GetTimestamp();
        foreach (var key in keys)
            bytes += layout.Read(view, key).Length;
        var elapsed = Stopwatch.GetElapsedTime(startedAt).TotalMicroseconds;
        using var whole = JsonDocument.Parse(layout.Read(view, keys[0]));
        return (elapsed / Reads, (double)bytes / Reads);
    }

    /// <summary>Bytes given to the disk: write-ahead log, flushes, compactions.</summary>
    static ulong Written(RocksDbEngine engine) =>
        engine.Ticker("rocksdb.wal.bytes")
        + engine.Ticker("rocksdb.flush.write.bytes")
        + engine.Ticker("rocksdb.compact.write.bytes");
}
