using System.Buffers;
using System.Net.Sockets;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;

namespace EventDbx.Benchmarks;

/// <summary>What delivery costs appends: nobody, five plugins that are well, five that are down, in turns on equal stores. And how fast events get to a plugin, by kind, against its transport without us.</summary>
internal static class PluginBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        Receipts receipts = new(seed: 1);
        Appends(arguments, scratch.Path, receipts);
        Deliveries(arguments, scratch.Path, receipts);
    }

    static void Appends(Arguments arguments, string directory, Receipts receipts)
    {
        var (rounds, length) = (arguments.Int("rounds", 5), arguments.Seconds("seconds", 4));
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        using var tcp = new PluginReceiver(http: false);
        using var http = new PluginReceiver(http: true);
        using var nobody = new PluginReceiver(http: false);
        var closed = nobody.Port;
        nobody.Dispose();
        PluginDefinition[] well = [Log("trail"), Tcp("pipe-1", tcp.Port), Tcp("pipe-2", tcp.Port), Http("hook-1", http.Port), Http("hook-2", http.Port)];
        PluginDefinition[] down = [.. Enumerable.Range(0, 5).Select(i => i % 2 == 0 ? Tcp($"down-{i}", closed) : Http($"down-{i}", closed))];
        (string Name, PluginDefinition[] Plugins)[] kinds = [("no plugin", []), ("five plugins that are well", well), ("five that are down", down), ("no plugin, the other store", [])];
        var stores = kinds.Select((_, i) => BenchStore.Built(Path.Combine(directory, $"appends-{i}"), encrypted: true, store => store.Fill(receipts, aggregates, aggregates.Length))).ToArray();
        try
        {
            Report report = new("appends", "events/s", "× none", "p50 µs", "p99 µs", "CPU µs", "behind at the end");
            foreach (var writers in arguments.Ints("writers", [1, 16]))
                Compare(report, writers, rounds, length, kinds, stores, receipts, aggregates);
        }
        finally
        {
            foreach (var store in stores)
                store.Dispose();
        }
    }

    static void Compare(
        Report report, int writers, int rounds, TimeSpan length, (string Name, PluginDefinition[] Plugins)[] kinds, BenchStore[] stores, Receipts receipts, AggregateKey[] aggregates)
    {
        var runs = kinds.Select(_ => new List<(Load Load, ulong Behind)>()).ToArray();
        for (var round = -1; round < rounds; round++)
        {
            for (var turn = 0; turn < kinds.Length; turn++)
            {
                // Who goes first takes turns, too; the first round warms up.
                var at = (round + 1 + turn) % kinds.Length;
                var couriers = kinds[at].Plugins.Select(plugin => CourierOf(stores[at], plugin)).ToArray();
                foreach (var courier in couriers)
                    courier.Start();
                Random[] randoms = [.. Enumerable.Range(0, writers).Select(seed => new Random(seed))];
                var load = Load.Run(writers, length, (writer, i) => stores[at].Session.AppendAsync(
                    receipts.Draft(aggregates[randoms[writer].Next(aggregates.Length)], i), CancellationToken.None));
                var behind = couriers.Select(courier => stores[at].Database!.LogSize - (courier.Status?.Reached ?? 0)).DefaultIfEmpty(0UL).Max();
                foreach (var courier in couriers)
                    courier.DisposeAsync().AsTask().GetAwaiter().GetResult();
                if (round >= 0)
                    runs[at].Add((load, behind));
            }
        }

        for (var at = 0; at < kinds.Length; at++)
        {
            double Middle(Func<Load, double> figure) => Median.Of(runs[at].Select(run => figure(run.Load)));
            report.Row(
                $"{kinds[at].Name}, {writers} writers", $"{Middle(load => load.PerSecond):n0}", $"{Median.Of(runs[at].Select((run, round) => run.Load.PerSecond / runs[0][round].Load.PerSecond)):n2}",
                $"{Middle(load => load.Latencies.Microseconds(0.5)):n0}", $"{Middle(load => load.Latencies.Microseconds(0.99)):n0}",
                $"{Middle(load => load.ProcessorMicroseconds):n1}", $"{Median.Of(runs[at].Select(run => (double)run.Behind)):n0}");
        }
    }

    static void Deliveries(Arguments arguments, string directory, Receipts receipts)
    {
        var (rounds, events) = (arguments.Int("rounds", 5), arguments.Int("events", 50_000));
        var aggregates = Receipts.Aggregates(events / 10);
        using var store = BenchStore.Built(Path.Combine(directory, "deliveries"), encrypted: true, store => store.Fill(receipts, aggregates, events));
        var records = new List<byte[]>(events);
        List<EventRecord> whole = new(events);
        for (var after = 0UL; after < store.Database!.LogSize;)
        {
            var page = store.Session.ReadFeed(after, Limits.PageItemsMax, includeControl: false);
            after = page.ReachedPosition;
            foreach (var item in page.Items)
            {
                var output = new ArrayBufferWriter<byte>(512);
                RecordJson.WriteRecord(output, item.Event!);
                records.Add(output.WrittenSpan.ToArray());
                whole.Add(item.Event!);
            }
        }

        using var tcp = new PluginReceiver(http: false);
        using var http = new PluginReceiver(http: true);
        using var grpc = PluginGrpcReceiver.Start();
        using var program = new PluginProgram(store.Directory);
        Report report = new("deliveries", "events/s", "bare transport/s", "of it");
        Row("log", Log("trail"), null);
        Row("tcp", Tcp("pipe", tcp.Port), () => BareTcp(records, tcp));
        Row("http", Http("hook", http.Port), () => BareHttp(records, http));
        Row("grpc", new() { Enabled = true, Name = "copy", Config = new() { Kind = PluginKind.Grpc, Endpoint = grpc.Endpoint } }, () => grpc.TakeBare(whole));
        Row("process, acknowledging", PluginProgram.Plugin("program"), () => program.TakeBare(store, whole));

        void Row(string name, PluginDefinition plugin, Func<TimeSpan>? bare)
        {
            List<double> ours = [], theirs = [];
            for (var round = -1; round < rounds; round++)
            {
                var through = events / Deliver(store, plugin).TotalSeconds;
                var without = bare is null ? double.NaN : events / bare().TotalSeconds;
                if (round < 0)
                    continue;
                ours.Add(through);
                theirs.Add(without);
            }

            report.Row(name, $"{Median.Of(ours):n0}", bare is null ? "" : $"{Median.Of(theirs):n0}", bare is null ? "" : $"{Median.Of(ours.Zip(theirs, (one, other) => one / other)):p0}");
        }
    }

    static TimeSpan Deliver(BenchStore store, PluginDefinition plugin)
    {
        store.Database!.Deliveries.SaveAsync(plugin.Name!, new() { Cursor = 0 }).GetAwaiter().GetResult();
        var courier = CourierOf(store, plugin);
        var began = Stopwatch.GetTimestamp();
        courier.Start();
        SpinWait.SpinUntil(() => courier.Status?.Reached == store.Database.LogSize && courier.IsIdle);
        var took = Stopwatch.GetElapsedTime(began);
        courier.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return took;
    }

    /// <summary>The same lines, made before, down one connection.</summary>
    static TimeSpan BareTcp(List<byte[]> records, PluginReceiver receiver)
    {
        var before = receiver.Events;
        var began = Stopwatch.GetTimestamp();
        using (var client = new TcpClient("127.0.0.1", receiver.Port))
        {
            using var stream = new BufferedStream(client.GetStream(), 64 * 1024);
            foreach (var record in records)
            {
                stream.Write(record);
                stream.WriteByte((byte)'\n');
            }
        }

        SpinWait.SpinUntil(() => receiver.Events - before == records.Count);
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>The same bodies, made before, by as many connections as a plugin has.</summary>
    static TimeSpan BareHttp(List<byte[]> records, PluginReceiver receiver)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = ServerLimits.PluginRequestsMax });
        var uri = new Uri($"http://127.0.0.1:{receiver.Port}/events");
        var next = -1;
        var began = Stopwatch.GetTimestamp();
        Task.WhenAll(Enumerable.Range(0, ServerLimits.PluginRequestsMax).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var i && i < records.Count)
            {
                using var content = new ByteArrayContent(records[i]);
                using var answer = await http.PostAsync(uri, content).ConfigureAwait(false);
                answer.EnsureSuccessStatusCode();
            }
        }))).GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(began);
    }

    static Courier CourierOf(BenchStore store, PluginDefinition plugin)
    {
        var random = new Random(1);
        var config = new ServerConfig { DataDir = store.Directory };
        var surroundings = new PluginSurroundings
        {
            Database = store.Database!, DataDirectory = store.Directory, Settings = () => config, Clock = TimeProvider.System, Log = static _ => { }, Jitter = random.NextDouble,
        };
        return new(plugin, surroundings, store.Database!.Deliveries, definition => PluginChannels.Open(definition, surroundings), new());
    }

    static PluginDefinition Log(string name) => new() { Enabled = true, Name = name, Config = new() { Kind = PluginKind.Log } };

    static PluginDefinition Tcp(string name, int port) => new() { Enabled = true, Name = name, Config = new() { Kind = PluginKind.Tcp, Host = "127.0.0.1", Port = port } };

    static PluginDefinition Http(string name, int port) => new() { Enabled = true, Name = name, Config = new() { Kind = PluginKind.Http, Endpoint = $"http://127.0.0.1:{port}/events" } };
}
