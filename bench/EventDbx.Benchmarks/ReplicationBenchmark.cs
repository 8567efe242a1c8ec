using System.Collections.Immutable;
using System.Net;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Replication.Transfer;
using EventDbx.Server.Tokens;

namespace EventDbx.Benchmarks;

/// <summary>Push over a session of this machine against batches in process; the memory it takes; how fast a mirror catches up, and how far behind a leader under writers it is.</summary>
internal static class ReplicationBenchmark
{
    static readonly TimeSpan MemoryInterval = TimeSpan.FromMilliseconds(20);

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        Receipts receipts = new(seed: 1);
        Pushes(arguments, scratch.Path, receipts);
        Memory(arguments, scratch.Path, receipts);
        Mirrors(arguments, scratch.Path, receipts);
    }

    /// <summary>In turns, each on stores of its own: batches of one aggregate's events as a push applies them, and the push.</summary>
    static void Pushes(Arguments arguments, string directory, Receipts receipts)
    {
        var (rounds, events) = (arguments.Int("rounds", 5), arguments.Int("events", 100_000));
        var aggregates = Receipts.Aggregates(Math.Max(1, events / 100));
        using var source = BenchStore.Built(Path.Combine(directory, "source"), encrypted: true, store => store.Fill(receipts, aggregates, events));
        List<double> batches = [], pushes = [];
        for (var round = -1; round < rounds; round++)
        {
            double inProcess, pushed;
            using (var target = new BenchStore(Path.Combine(directory, $"batches-{round}"), encrypted: true).Open(Durability.Sync))
                inProcess = events / target.Fill(receipts, aggregates, events).TotalSeconds;
            var node = Node.StartAsync(Path.Combine(directory, $"pushed-{round}"), Path.Combine(directory, "keys")).GetAwaiter().GetResult();
            try
            {
                pushed = events / PushAsync(source, node).GetAwaiter().GetResult().TotalSeconds;
            }
            finally
            {
                node.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }

            // The first round warms up.
            if (round < 0)
                continue;
            batches.Add(inProcess);
            pushes.Add(pushed);
        }

        Report report = new("push", "events/s", "× batches");
        report.Row("batches of 1,000 in process, two at a time", $"{Median.Of(batches):n0}", "1.00");
        report.Row("push to a server of this machine", $"{Median.Of(pushes):n0}", $"{Median.Of(pushes.Select((rate, i) => rate / batches[i])):n2}");
    }

    static void Memory(Arguments arguments, string directory, Receipts receipts)
    {
        Report report = new("memory of a push, both ends in one process", "events/s", "heap MiB", "process MiB");
        foreach (var events in arguments.Ints("pushed", [10_000, 1_000_000]))
        {
            var aggregates = Receipts.Aggregates(Math.Max(1, events / 100));
            using var source = BenchStore.Built(Path.Combine(directory, $"memory-{events}"), encrypted: true, store => store.Fill(receipts, aggregates, events));
            var node = Node.StartAsync(Path.Combine(directory, $"memory-{events}-pushed"), Path.Combine(directory, "keys")).GetAwaiter().GetResult();
            try
            {
                GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
                var (heap, process) = (GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
                var (heapPeak, processPeak) = (heap, process);
                using CancellationTokenSource stop = new();
                var watching = Task.Run(async () =>
                {
                    while (!stop.IsCancellationRequested)
                    {
                        (heapPeak, processPeak) = (Math.Max(heapPeak, GC.GetTotalMemory(forceFullCollection: false)), Math.Max(processPeak, Environment.WorkingSet));
                        await Task.Delay(MemoryInterval, CancellationToken.None).ConfigureAwait(false);
                    }
                });
                var took = PushAsync(source, node).GetAwaiter().GetResult();
                stop.Cancel();
                watching.GetAwaiter().GetResult();
                report.Row($"{events:n0} events", $"{events / took.TotalSeconds:n0}", $"{(heapPeak - heap) / 1048576.0:n0}", $"{(processPeak - process) / 1048576.0:n0}");
            }
            finally
            {
                node.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }
        }
    }

    static async Task<TimeSpan> PushAsync(BenchStore source, Node node)
    {
        var remote = await node.DialAsync().ConfigureAwait(false);
        await using (remote.ConfigureAwait(false))
        {
            var here = new LocalReplica(source.Database!, new("bench", "pusher"));
            await using (here.ConfigureAwait(false))
            {
                var run = new PushPull(new() { Direction = TransferDirection.Push, Remote = "target" }, here, remote, TimeProvider.System, static _ => { });
                var startedAt = Stopwatch.GetTimestamp();
                await run.RunAsync(CancellationToken.None).ConfigureAwait(false);
                var took = Stopwatch.GetElapsedTime(startedAt);
                var (there, wanted) = (node.Host.Database.LogSize, source.Database!.LogSize);
                return there >= wanted ? took : throw new InvalidOperationException($"{there} of {wanted} entries are there.");
            }
        }
    }

    static void Mirrors(Arguments arguments, string directory, Receipts receipts)
    {
        var (rounds, events, length) = (arguments.Int("rounds", 5), arguments.Int("events", 100_000), arguments.Seconds("seconds", 4));
        var aggregates = Receipts.Aggregates(Math.Max(1, events / 100));
        var leader = Node.StartAsync(Path.Combine(directory, "leader"), Path.Combine(directory, "keys")).GetAwaiter().GetResult();
        try
        {
            var session = leader.Host.Database.OpenSession(new("bench", "writer"));
            for (var first = 0; first < events; first += Limits.BatchEventsMax)
                session.AppendBatchAsync(receipts.Batch(aggregates, first, Math.Min(Limits.BatchEventsMax, events - first)), CancellationToken.None).GetAwaiter().GetResult();

            List<double> rates = [];
            for (var round = 0; round < rounds; round++)
            {
                using var copy = Mirror(Path.Combine(directory, $"mirror-{round}"));
                rates.Add(leader.Host.Database.LogSize / CatchUpAsync(copy, leader).GetAwaiter().GetResult().TotalSeconds);
            }

            Report report = new("a mirror", "entries/s", "p50 ms", "p99 ms", "worst ms", "append p50 ms");
            report.Row("catches up", $"{Median.Of(rates):n0}", "", "", "", "");
            using var mirror = Mirror(Path.Combine(directory, "mirror-live"));
            CatchUpAsync(mirror, leader).GetAwaiter().GetResult();
            foreach (var writers in arguments.Ints("writers", [1, 16]))
            {
                var (load, lag) = LagAsync(mirror, leader, session, receipts, aggregates, writers, length).GetAwaiter().GetResult();
                report.Row(
                    $"from the call of an append to the mirror, {writers} writers", $"{load.PerSecond:n0}", $"{lag.Microseconds(0.5) / 1000:n2}", $"{lag.Microseconds(0.99) / 1000:n2}",
                    $"{lag.Microseconds(1) / 1000:n1}", $"{load.Latencies.Microseconds(0.5) / 1000:n2}");
            }
        }
        finally
        {
            leader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    static BenchStore Mirror(string directory) => new BenchStore(directory, encrypted: true, change: static options => options with { Follow = "leader" }).Open(Durability.Sync);

    static async Task<TimeSpan> CatchUpAsync(BenchStore mirror, Node leader)
    {
        var startedAt = Stopwatch.GetTimestamp();
        var session = await leader.FollowAsync(mirror).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            await foreach (var step in session.RunAsync(CancellationToken.None).ConfigureAwait(false))
            {
                if (step.CaughtUp)
                    break;
            }
        }

        return mirror.Database!.LogRoot == leader.Host.Database.LogRoot ? Stopwatch.GetElapsedTime(startedAt) : throw new InvalidOperationException("The mirror has another root.");
    }

    static async Task<(Load Load, Latencies Lag)> LagAsync(BenchStore mirror, Node leader, Session session, Receipts receipts, AggregateKey[] aggregates, int writers, TimeSpan length)
    {
        var first = leader.Host.Database.LogSize;
        var begun = new long[16 * 1024 * 1024];
        Latencies lag = new();
        using CancellationTokenSource stop = new();
        var following = Task.Run(async () =>
        {
            var told = first;
            var follow = await leader.FollowAsync(mirror).ConfigureAwait(false);
            await using (follow.ConfigureAwait(false))
            {
                try
                {
                    await foreach (var step in follow.RunAsync(stop.Token).ConfigureAwait(false))
                    {
                        // Of an append that has not been answered yet nobody knows the position; it is looked at with the next page.
                        for (; told < step.Position && Volatile.Read(ref begun[told - first]) is not 0 and var at; told++)
                            lag.Add(at);
                    }
                }
                catch (OperationCanceledException)
                {
                    // Measured for long enough.
                }
            }
        });
        Random[] randoms = [.. Enumerable.Range(0, writers).Select(static seed => new Random(seed))];
        var load = Load.Run(writers, length, async (writer, i) =>
        {
            var at = Stopwatch.GetTimestamp();
            var result = await session.AppendAsync(receipts.Draft(aggregates[randoms[writer].Next(aggregates.Length)], i), CancellationToken.None).ConfigureAwait(false);
            Volatile.Write(ref begun[result.Record.Position - 1 - first], at);
        });
        while (mirror.Database!.LogSize < leader.Host.Database.LogSize && !following.IsCompleted)
            await Task.Delay(10).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await following.ConfigureAwait(false);
        return (load, lag);
    }

    /// <summary>A server with a port of replication, and a key that may come.</summary>
    sealed class Node(ServerHost host, string keys) : IAsyncDisposable
    {
        public ServerHost Host => host;

        public static async Task<Node> StartAsync(string directory, string keys)
        {
            Directory.CreateDirectory(directory);
            var client = NodeIdentity.ReadOrCreate(Path.Combine(keys, "replication.key")).Key;
            var config = new ServerConfig
            {
                DataDir = directory,
                ReplicationAllow = ImmutableSortedDictionary.Create<string, AllowedPeer>(StringComparer.Ordinal).Add("bench", new() { PublicKey = client.ToString(), Push = true, Pull = true }),
            };
            using var key = DataKey.Generate();
            return new(
                await ServerHost.StartAsync(
                    new()
                    {
                        Config = config, Auth = new(new byte[32], "key-1", config.AuthIssuer, config.AuthAudience, TimeSpan.FromHours(1), TimeSpan.FromSeconds(30)),
                        Database = new() { Directory = directory, Key = key, Encrypted = true }, Bind = IPAddress.Loopback, Port = 0, PeerEndPoint = new(IPAddress.Loopback, 0), Version = "bench",
                    },
                    CancellationToken.None).ConfigureAwait(false),
                keys);
        }

        RemoteConfig Remote => new() { Endpoint = $"tcp://127.0.0.1:{host.PeerPort}", PublicKey = NodeIdentity.ReadOrCreate(Path.Combine(host.Status().DataDir, "replication.key")).Key.ToString() };

        public Task<IReplica> DialAsync() => Dial(Remote.Endpoint, PeerKey.Parse(Remote.PublicKey), CancellationToken.None);

        public Task<FollowSession> FollowAsync(BenchStore mirror) => FollowSession.BeginAsync(MirrorStore.Of(mirror.Database!), "leader", Remote, Dial, TimeProvider.System, CancellationToken.None);

        public ValueTask DisposeAsync() => host.DisposeAsync();

        Task<IReplica> Dial(string endpoint, PeerKey pinned, CancellationToken cancellation) => TransferDesk.DialFrom(Path.Combine(keys, "replication.key"), TimeProvider.System)(endpoint, pinned, cancellation);
    }
}
