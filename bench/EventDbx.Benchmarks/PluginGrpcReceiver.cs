using System.Buffers.Binary;
using System.Net;
using EventDbx.Protocol.Replication;
using EventDbx.Server;
using Google.Protobuf;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Wire = EventDbx.Protocol.Replication.EventRecord;

namespace EventDbx.Benchmarks;

/// <summary>The other end of a gRPC plugin, as quick as it can be: it takes a batch a stream, and acknowledges it without looking at the events.</summary>
internal sealed class PluginGrpcReceiver : IDisposable
{
    readonly WebApplication _app;

    PluginGrpcReceiver(WebApplication app) => _app = app;

    public string Endpoint => "grpc://127.0.0.1:" + new Uri(_app.Urls.Single()).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public static PluginGrpcReceiver Start()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(AnswerAsync);
        app.StartAsync().GetAwaiter().GetResult();
        return new(app);
    }

    public void Dispose() => _app.DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <summary>The same batches, made before, over one channel, one after the other.</summary>
    public TimeSpan TakeBare(IReadOnlyList<Events.EventRecord> records)
    {
        List<EventBatch> batches = [];
        foreach (var chunk in records.Chunk(ServerLimits.PluginBatchMax))
        {
            var batch = new EventBatch { Sequence = chunk[^1].Version };
            foreach (var record in chunk)
            {
                var metadata = new System.Buffers.ArrayBufferWriter<byte>(256);
                RecordJson.WriteMetadata(metadata, record, withSalt: true);
                batch.Events.Add(new Wire
                {
                    AggregateType = record.Aggregate.Type, AggregateId = record.Aggregate.Id, EventType = record.EventType, Version = record.Version,
                    MerkleRoot = record.MerkleRoot.ToString(), Hash = record.Hash.ToString(), Position = record.Position,
                    Payload = ByteString.CopyFrom(record.Payload.Span), Metadata = ByteString.CopyFrom(metadata.WrittenSpan),
                });
            }

            batches.Add(batch);
        }

        using var channel = GrpcChannel.ForAddress(_app.Urls.Single());
        var client = new Replication.ReplicationClient(channel);
        var began = Stopwatch.GetTimestamp();
        foreach (var batch in batches)
        {
            using var call = client.ApplyEvents();
            call.RequestStream.WriteAsync(batch).GetAwaiter().GetResult();
            call.RequestStream.CompleteAsync().GetAwaiter().GetResult();
            if (call.ResponseAsync.GetAwaiter().GetResult().AppliedSequence != batch.Sequence)
                throw new IOException("It acknowledged something else.");
        }

        return Stopwatch.GetElapsedTime(began);
    }

    static async Task AnswerAsync(HttpContext http)
    {
        http.Response.ContentType = "application/grpc";
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted).ConfigureAwait(false);
        var sequence = body.Length > 5 ? EventBatch.Parser.ParseFrom(body.GetBuffer().AsSpan(5, (int)body.Length - 5)).Sequence : 0;
        var answer = new ReplicationAck { AppliedSequence = sequence }.ToByteArray();
        var frame = new byte[5 + answer.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), answer.Length);
        answer.CopyTo(frame, 5);
        await http.Response.Body.WriteAsync(frame).ConfigureAwait(false);
        http.Response.AppendTrailer("grpc-status", "0");
    }
}
