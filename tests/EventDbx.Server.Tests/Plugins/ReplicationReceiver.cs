using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using EventDbx.Protocol.Replication;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Takes calls of <c>Replication</c> frame by frame, knowing nothing of our server, and answers what a test wants.</summary>
internal sealed class ReplicationReceiver : IAsyncDisposable
{
    readonly ConcurrentQueue<EventBatch> _batches = [];
    WebApplication _app;
    int _port;

    ReplicationReceiver(WebApplication app) => _app = app;

    public string Endpoint => $"grpc://127.0.0.1:{_port}";

    /// <summary>Everything that came, answered or not.</summary>
    public IReadOnlyList<EventBatch> Batches => [.. _batches];

    /// <summary>Connections that calls came by.</summary>
    public ConcurrentDictionary<string, bool> Connections { get; } = [];

    /// <summary>Of the newest call.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; private set; } = new Dictionary<string, string>();

    /// <summary>What a batch is answered with: a status, its details, or the sequence that is acknowledged.</summary>
    public Func<EventBatch, Task<Answer>> Answers { get; set; } = static batch => Task.FromResult(new Answer { Sequence = batch.Sequence });

    /// <summary>Of <c>Heartbeat</c>.</summary>
    public StatusCode Heartbeat { get; set; } = StatusCode.Unimplemented;

    public static async Task<ReplicationReceiver> StartAsync(HttpProtocols protocols = HttpProtocols.Http2)
    {
        var receiver = new ReplicationReceiver(null!);
        await receiver.ListenAsync(protocols);
        return receiver;
    }

    public async Task RestartAsync()
    {
        await _app.DisposeAsync();
        await ListenAsync(HttpProtocols.Http2);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    async Task ListenAsync(HttpProtocols protocols)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, _port, listen => listen.Protocols = protocols));
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync(TestContext.Current.CancellationToken);
        _port = new Uri(_app.Urls.Single()).Port;
    }

    async Task AnswerAsync(HttpContext http)
    {
        Connections[http.Connection.Id] = true;
        Headers = http.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        http.Response.ContentType = "application/grpc";
        var answer = new Answer { Status = Heartbeat };
        if (http.Request.Path == "/eventdbx.replication.Replication/ApplyEvents")
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            var frame = body.ToArray();
            // One batch a stream, which is not compressed.
            Assert.Equal((0, frame.Length - 5), (frame[0], BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1))));
            var batch = EventBatch.Parser.ParseFrom(frame.AsSpan(5));
            _batches.Enqueue(batch);
            answer = await Answers(batch);
            if (answer.Cut)
            {
                http.Abort();
                return;
            }
        }

        if (answer.Status == StatusCode.OK)
        {
            var ack = new ReplicationAck { AppliedSequence = answer.Sequence }.ToByteArray();
            var head = new byte[5];
            BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(1), ack.Length);
            await http.Response.Body.WriteAsync((byte[])[.. head, .. ack], http.RequestAborted);
        }

        http.Response.AppendTrailer("grpc-status", ((int)answer.Status).ToString(System.Globalization.CultureInfo.InvariantCulture));
        http.Response.AppendTrailer("grpc-message", Uri.EscapeDataString(answer.Message));
        if (answer.Details is { } details)
            http.Response.AppendTrailer("grpc-status-details-bin", Convert.ToBase64String(details));
    }

    /// <summary>What is said of one batch.</summary>
    internal sealed record Answer
    {
        public StatusCode Status { get; init; }

        public string Message { get; init; } = "";

        public ulong Sequence { get; init; }

        public byte[]? Details { get; init; }

        /// <summary>The connection is closed instead.</summary>
        public bool Cut { get; init; }
    }
}
