using System.Buffers.Binary;
using System.Net;
using System.Text.Json;
using EventDbx.Protocol.Replication;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Says in the middle of a batch that it is unavailable, closes there, closes when it has all of it and has not said so, or never answers.</summary>
internal sealed class ChaosGrpcReceiver(int seed) : ChaosReceiver(seed)
{
    WebApplication? _app;
    int _hung;

    public int Port { get; private set; }

    public override int Window => ServerLimits.PluginBatchMax;

    public override async Task StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync(TestContext.Current.CancellationToken);
        Port = new Uri(_app.Urls.Single()).Port;
    }

    public override async Task RestartAsync(TimeSpan away)
    {
        Broke();
        await _app!.DisposeAsync();
        await Task.Delay(away, TimeProvider.System, TestContext.Current.CancellationToken);
        await StartAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        if (_app is { } app)
            await app.DisposeAsync();
    }

    async Task AnswerAsync(HttpContext http)
    {
        try
        {
            http.Response.ContentType = "application/grpc";
            if (http.Request.Path != "/eventdbx.replication.Replication/ApplyEvents")
            {
                End(http, StatusCode.Unimplemented);
                return;
            }

            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            var frame = body.ToArray();
            // One that was cut off is none.
            if (frame.Length < 5 || BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1)) != frame.Length - 5)
                return;
            await AnswerAsync(http, EventBatch.Parser.ParseFrom(frame.AsSpan(5)));
        }
        catch (Exception lost) when (lost is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The other end has gone, or this one.
        }
    }

    async Task AnswerAsync(HttpContext http, EventBatch batch)
    {
        var closes = false;
        foreach (var record in batch.Events)
        {
            var failure = closes ? null : Fails(4);
            if (failure is not null)
                Broke();
            switch (failure)
            {
                case 0:
                    End(http, StatusCode.Unavailable);
                    return;
                case 1:
                    http.Abort();
                    return;
                case 2:
                    closes = true;
                    break;
                // Once: it costs half a minute.
                case 3 when Interlocked.Exchange(ref _hung, 1) == 0:
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
                    return;
            }

            using var payload = JsonDocument.Parse(record.Payload.Memory);
            Take(record.AggregateId, record.Version, payload.RootElement.GetProperty("n").GetInt32());
        }

        if (closes)
        {
            http.Abort();
            return;
        }

        var ack = new ReplicationAck { AppliedSequence = batch.Sequence }.ToByteArray();
        var head = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(1), ack.Length);
        await http.Response.Body.WriteAsync((byte[])[.. head, .. ack], http.RequestAborted);
        End(http, StatusCode.OK);
    }

    static void End(HttpContext http, StatusCode status) => http.Response.AppendTrailer("grpc-status", ((int)status).ToString(System.Globalization.CultureInfo.InvariantCulture));
}
