using EventDbx.Protocol;
using Grpc.Core;
using Grpc.Net.Client;

namespace EventDbx.Benchmarks.Rest;

/// <summary>Appends over gRPC against a call of the same server that does nothing, in one run: what an append costs beyond a call.</summary>
internal static class GrpcBenchmark
{
    /// <summary>Appends that the stream keeps under way.</summary>
    public const int InFlight = 256;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"{aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");
        Stack<DbxServer> opened = [];
        try
        {
            List<RestSubject> unary = [], streams = [];
            foreach (var (form, program) in Programs(arguments))
            {
                foreach (var encrypted in new[] { true, false })
                {
                    var server = DbxServer.Start(program, Path.Combine(scratch.Path, $"home-{opened.Count}"), $"EVENTDBX_ENCRYPTION={(encrypted ? "on" : "off")}");
                    opened.Push(server);
                    var token = server.IssueToken();
                    server.Fill(token, receipts, aggregates);
                    if (unary.Count == 0)
                        unary.Add(new("empty gRPC call", () => server.Processor, () => new EmptyCaller(server.Port)));
                    var name = $"{(encrypted ? "encrypted" : "plain")}{form}";
                    unary.Add(new($"AppendEvent {name}", () => server.Processor, () => new UnaryAppender(server.Port, token, receipts)));
                    streams.Add(new($"AppendStream {name}, {InFlight} in flight", () => server.Processor, () => new StreamAppender(server.Port, token, receipts)));
                }
            }

            Compare(unary, arguments, "calls/s");
            // One caller is one stream: its latencies are those of handing over.
            Compare(streams, arguments.With("--connections", "1"), "events/s");
        }
        finally
        {
            while (opened.TryPop(out var one))
                one.Dispose();
        }

        void Compare(List<RestSubject> subjects, Arguments settings, string unit)
        {
            if (arguments.Texts("only") is not { Length: > 0 } only || subjects.Exists(subject => only.Any(part => subject.Name.Contains(part, StringComparison.Ordinal))))
                new RestComparison(aggregates, settings, unit, "").Run([.. subjects]);
        }
    }

    static IEnumerable<(string Form, string Program)> Programs(Arguments arguments)
    {
        yield return ("", DbxPrograms.Managed);
        if (DbxPrograms.Native(arguments) is { } native)
            yield return (" native", native);
    }

    static GrpcChannel Connect(int port) => GrpcChannel.ForAddress($"http://127.0.0.1:{port}", new() { HttpHandler = new SocketsHttpHandler { UseProxy = false }, DisposeHttpClient = true });

    static Metadata Headers(string token) => new() { { "authorization", $"Bearer {token}" } };

    static AppendEventRequest Request(AggregateKey aggregate, int number, Receipts receipts) => new()
    {
        AggregateType = aggregate.Type, AggregateId = aggregate.Id, EventType = Receipts.EventType(number), PayloadJson = Encoding.UTF8.GetString(receipts.Payload(number).Span),
    };

    /// <summary>A channel of its own, as a connection of its own has it.</summary>
    sealed class EmptyCaller : Caller
    {
        readonly GrpcChannel _channel;
        readonly EventService.EventServiceClient _client;

        public EmptyCaller(int port)
        {
            _channel = Connect(port);
            _client = new(_channel);
        }

        public override void Call(AggregateKey aggregate, int number) => _client.Health(new());

        public override void Dispose() => _channel.Dispose();
    }

    sealed class UnaryAppender : Caller
    {
        readonly GrpcChannel _channel;
        readonly EventService.EventServiceClient _client;
        readonly Metadata _headers;
        readonly Receipts _receipts;

        public UnaryAppender(int port, string token, Receipts receipts)
        {
            (_channel, _headers, _receipts) = (Connect(port), Headers(token), receipts);
            _client = new(_channel);
        }

        public override void Call(AggregateKey aggregate, int number) => _client.AppendEvent(Request(aggregate, number, _receipts), _headers);

        public override void Dispose() => _channel.Dispose();
    }

    /// <summary>A call hands an append over once one of those before it was answered.</summary>
    sealed class StreamAppender : Caller
    {
        readonly GrpcChannel _channel;
        readonly AsyncDuplexStreamingCall<AppendStreamRequest, AppendStreamResponse> _stream;
        readonly SemaphoreSlim _room = new(InFlight);
        readonly Receipts _receipts;
        readonly Task _reading;

        public StreamAppender(int port, string token, Receipts receipts)
        {
            (_channel, _receipts) = (Connect(port), receipts);
            _stream = new EventService.EventServiceClient(_channel).AppendStream(Headers(token));
            _reading = Task.Run(async () =>
            {
                while (await _stream.ResponseStream.MoveNext().ConfigureAwait(false))
                {
                    if (_stream.ResponseStream.Current.Error is { } error)
                        throw new IOException($"An append was refused: {error.Message}");
                    _room.Release();
                }
            });
        }

        public override void Call(AggregateKey aggregate, int number)
        {
            _room.Wait();
            _stream.RequestStream.WriteAsync(new() { Tag = (ulong)number, Append = Request(aggregate, number, _receipts) }).GetAwaiter().GetResult();
        }

        public override void Dispose()
        {
            _stream.RequestStream.CompleteAsync().GetAwaiter().GetResult();
            _reading.GetAwaiter().GetResult();
            _stream.Dispose();
            _channel.Dispose();
            _room.Dispose();
        }
    }
}
