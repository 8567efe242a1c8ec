using System.Net;
using System.Net.Sockets;
using EventDbx.Server;

namespace EventDbx.Benchmarks.Rest;

/// <summary>How fast the feed is read: in the process of the store, and as server-sent events by one and by several clients; and what subscribers who wait cost those who append.</summary>
internal static class FeedBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        Receipts receipts = new(seed: 1);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        var events = arguments.Int("events", 200_000);
        Console.WriteLine($"{events:n0} events of {aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");
        Report read = new("reading what is there", "events/s", "MB/s", "server CPU µs");
        foreach (var encrypted in new[] { true, false })
            InProcess(read, arguments, scratch, receipts, aggregates, encrypted, events);
        foreach (var encrypted in new[] { true, false })
        {
            using var server = DbxServer.Start(
                DbxPrograms.Managed, Path.Combine(scratch.Path, encrypted ? "home-encrypted" : "home-plain"), $"EVENTDBX_ENCRYPTION={(encrypted ? "on" : "off")}");
            var token = server.IssueToken();
            Fill(server, token, receipts, aggregates, events);
            Streams(read, arguments, server, token, events, encrypted ? "encrypted" : "plain");
            if (encrypted)
                Waiting(arguments, server, token, receipts, aggregates);
        }
    }

    static void Fill(DbxServer server, string token, Receipts receipts, AggregateKey[] aggregates, int events)
    {
        for (var filled = 0; filled < events; filled += aggregates.Length)
            server.Fill(token, receipts, aggregates[..Math.Min(aggregates.Length, events - filled)]);
    }

    static void InProcess(Report report, Arguments arguments, ScratchDirectory scratch, Receipts receipts, AggregateKey[] aggregates, bool encrypted, int events)
    {
        using var store = BenchStore.Built(Path.Combine(scratch.Path, encrypted ? "encrypted" : "plain"), encrypted, store => store.Fill(receipts, aggregates, events));
        foreach (var take in (int[])[Limits.PageItemsMax, ServerLimits.FeedStreamItems])
        {
            List<double> rates = [], processor = [];
            for (var round = -1; round < arguments.Int("rounds", 3); round++)
            {
                var (used, started, count) = (Environment.CpuUsage.TotalTime, Stopwatch.GetTimestamp(), 0);
                for (var after = 0UL; after < store.Database!.LogSize;)
                {
                    var page = store.Session.ReadFeed(after, take, includeControl: false);
                    (after, count) = (page.ReachedPosition, count + page.Items.Count);
                }

                if (round < 0)
                    continue;
                rates.Add(count / Stopwatch.GetElapsedTime(started).TotalSeconds);
                processor.Add((Environment.CpuUsage.TotalTime - used).TotalMicroseconds / count);
            }

            report.Row($"ReadFeed in process, {store.Name}, pages of {take:n0}", $"{Median.Of(rates):n0}", "", $"{Median.Of(processor):n2}");
        }
    }

    static void Streams(Report report, Arguments arguments, DbxServer server, string token, int events, string name)
    {
        foreach (var clients in arguments.Ints("clients", [1, 10]))
        {
            List<double> rates = [], bytes = [], processor = [];
            for (var round = -1; round < arguments.Int("rounds", 3); round++)
            {
                var readers = Enumerable.Range(0, clients).Select(_ => new StreamReader(server.Port, token, "0")).ToArray();
                var (used, started) = (server.Processor, Stopwatch.GetTimestamp());
                var reading = readers.Select(reader => Task.Factory.StartNew(() => reader.Read(events), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
                var said = reading.Sum(task => task.GetAwaiter().GetResult());
                var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
                foreach (var reader in readers)
                    reader.Dispose();
                if (round < 0)
                    continue;
                rates.Add(clients * (double)events / seconds);
                bytes.Add(said / seconds / 1e6);
                processor.Add((server.Processor - used).TotalMicroseconds / (clients * (double)events));
            }

            report.Row($"server-sent events, {name}, {clients} client{(clients == 1 ? "" : "s together")}", $"{Median.Of(rates):n0}", $"{Median.Of(bytes):n0}", $"{Median.Of(processor):n2}");
        }
    }

    /// <summary>Subscribers at the end of the log, and writers. The clients take their time from the same cores.</summary>
    static void Waiting(Arguments arguments, DbxServer server, string token, Receipts receipts, AggregateKey[] aggregates)
    {
        Report report = new("appends while subscribers follow", "events/s", "p50 µs", "p99 µs", "told/s", "server CPU µs");
        var end = "0";
        foreach (var writers in arguments.Ints("writers", [1, 16]))
        {
            foreach (var subscribers in arguments.Ints("subscribers", [0, 1, 10, 100, 1_000]))
            {
                end = EndOf(server, token, end);
                var readers = Enumerable.Range(0, subscribers).Select(_ => new StreamReader(server.Port, token, end)).ToArray();
                using CancellationTokenSource stop = new();
                var reading = readers.Select(reader => reader.CountAsync(stop.Token)).ToArray();
                var used = server.Processor;
                HttpAppender[] appenders = [.. Enumerable.Range(0, writers).Select(_ => new HttpAppender(server.Port, token, receipts))];
                var load = Load.RunThreads(writers, arguments.Seconds("seconds", 5), worker =>
                {
                    Random random = new(worker);
                    return number => appenders[worker].Call(aggregates[random.Next(aggregates.Length)], number);
                });
                var processor = server.Processor - used;
                stop.Cancel();
                var told = reading.Sum(task => task.GetAwaiter().GetResult());
                foreach (var one in readers.Cast<IDisposable>().Concat(appenders))
                    one.Dispose();
                report.Row(
                    $"{writers} writer{(writers == 1 ? "" : "s")}, {subscribers:n0} subscriber{(subscribers == 1 ? "" : "s")}", $"{load.PerSecond:n0}", $"{load.Latencies.Microseconds(0.5):n0}",
                    $"{load.Latencies.Microseconds(0.99):n0}", $"{told / load.Elapsed.TotalSeconds:n0}", $"{processor.TotalMicroseconds / load.Operations:n1}");
            }
        }
    }

    /// <summary>The last cursor, by pages.</summary>
    static string EndOf(DbxServer server, string token, string after)
    {
        using HttpConnection connection = new(server.Port, token);
        while (true)
        {
            var page = Encoding.UTF8.GetString(connection.Get(Encoding.ASCII.GetBytes($"/v1/events?after={after}")));
            var cursor = page.LastIndexOf("\"cursor\":\"", StringComparison.Ordinal) + 10;
            after = page[cursor..page.IndexOf('"', cursor)];
            if (page.Contains("\"end\":true}", StringComparison.Ordinal))
                return after;
        }
    }

    /// <summary>A client that counts events and looks at nothing else.</summary>
    sealed class StreamReader : IDisposable
    {
        const string Mark = "\nevent: event\n";

        static readonly byte[] s_mark = Encoding.ASCII.GetBytes(Mark);

        readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000 };
        readonly byte[] _bytes = new byte[64 * 1024];
        int _kept;

        /// <param name="after">A cursor.</param>
        public StreamReader(int port, string token, string after)
        {
            _socket.Connect(IPAddress.Loopback, port);
            // HTTP/1.0: no chunks, whose headers would cut marks in two.
            _socket.Send(Encoding.ASCII.GetBytes($"GET /v1/events?after={after} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"));
        }

        /// <returns>Bytes.</returns>
        public long Read(int events)
        {
            var bytes = 0L;
            for (var seen = 0; seen < events;)
            {
                var more = _socket.Receive(_bytes.AsSpan(_kept));
                if (more == 0)
                    throw new IOException($"The stream ended after {seen} events.");
                bytes += more;
                seen += Count(more);
            }

            return bytes;
        }

        /// <returns>Events until it is stopped.</returns>
        public async Task<int> CountAsync(CancellationToken stop)
        {
            var seen = 0;
            try
            {
                while (true)
                {
                    var more = await _socket.ReceiveAsync(_bytes.AsMemory(_kept), stop).ConfigureAwait(false);
                    if (more == 0)
                        throw new IOException($"The stream ended after {seen} events.");
                    seen += Count(more);
                }
            }
            catch (OperationCanceledException)
            {
                return seen;
            }
        }

        public void Dispose() => _socket.Dispose();

        int Count(int more)
        {
            var all = _bytes.AsSpan(0, _kept + more);
            var count = all.Count(s_mark);
            // A mark may be cut in two; what is kept is too short to hold a whole one.
            _kept = Math.Min(all.Length, Mark.Length - 1);
            all[^_kept..].CopyTo(_bytes);
            return count;
        }
    }
}
