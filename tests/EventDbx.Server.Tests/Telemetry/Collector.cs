using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace EventDbx.Server.Tests.Telemetry;

/// <summary>A collector that takes OTLP over HTTP, and keeps what it got.</summary>
internal sealed class Collector : IDisposable
{
    readonly HttpListener _listener = new();
    readonly Task _running;

    public Collector()
    {
        Port = FreePort.Take();
        _listener.Prefixes.Add($"http://127.0.0.1:{Port}/");
        _listener.Start();
        _running = Task.Run(RunAsync);
    }

    public int Port { get; }

    public string Endpoint => $"http://127.0.0.1:{Port}";

    /// <summary>Spans, in the order in which they came.</summary>
    public ConcurrentQueue<Span> Spans { get; } = [];

    /// <summary>Names of metrics with the newest number of each of their points, by attributes.</summary>
    public ConcurrentDictionary<string, double> Points { get; } = [];

    /// <summary>Headers of the newest request, by path.</summary>
    public ConcurrentDictionary<string, string> Authorizations { get; } = [];

    /// <summary>Attributes of the newest resource.</summary>
    public IReadOnlyDictionary<string, string> Resource { get; private set; } = new Dictionary<string, string>();

    public sealed record Span(string TraceId, string Id, string ParentId, string Name, ulong Kind, IReadOnlyDictionary<string, string> Attributes, string Scope);

    public void Dispose()
    {
        _listener.Close();
        ((IDisposable)_listener).Dispose();
        _ = _running;
    }

    async Task RunAsync()
    {
        while (_listener.IsListening)
        {
            try
            {
                var context = await _listener.GetContextAsync();
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                var path = context.Request.Url!.AbsolutePath;
                Authorizations[path] = context.Request.Headers["Authorization"] ?? "";
                if (context.Request.ContentType == "application/x-protobuf" && path == "/v1/traces")
                    TakeTraces(body.ToArray());
                else if (context.Request.ContentType == "application/x-protobuf" && path == "/v1/metrics")
                    TakeMetrics(body.ToArray());
                else
                    context.Response.StatusCode = 404;
                context.Response.Close();
            }
            catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    // opentelemetry/proto/trace/v1/trace.proto
    void TakeTraces(byte[] request)
    {
        foreach (var ofResource in Fields(request).Where(field => field.Number == 1))
        {
            Resource = AttributesOf(Fields(ofResource.Bytes).Single(field => field.Number == 1).Bytes, 1);
            foreach (var ofScope in Fields(ofResource.Bytes).Where(field => field.Number == 2))
            {
                var scope = Fields(Fields(ofScope.Bytes).First(field => field.Number == 1).Bytes).First(field => field.Number == 1);
                foreach (var span in Fields(ofScope.Bytes).Where(field => field.Number == 2))
                {
                    var fields = Fields(span.Bytes).ToList();
                    Spans.Enqueue(new(
                        Hex(fields, 1), Hex(fields, 2), Hex(fields, 4), Encoding.UTF8.GetString(fields.Single(field => field.Number == 5).Bytes.Span),
                        fields.Single(field => field.Number == 6).Value, AttributesOf(span.Bytes, 9), Encoding.UTF8.GetString(scope.Bytes.Span)));
                }
            }
        }
    }

    // opentelemetry/proto/metrics/v1/metrics.proto
    void TakeMetrics(byte[] request)
    {
        foreach (var ofResource in Fields(request).Where(field => field.Number == 1))
        {
            foreach (var ofScope in Fields(ofResource.Bytes).Where(field => field.Number == 2))
            {
                foreach (var metric in Fields(ofScope.Bytes).Where(field => field.Number == 2))
                {
                    var fields = Fields(metric.Bytes).ToList();
                    var name = Encoding.UTF8.GetString(fields.Single(field => field.Number == 1).Bytes.Span);
                    // 5 gauge, 7 sum, 9 histogram: each a list of points.
                    foreach (var data in fields.Where(field => field.Number is 5 or 7 or 9))
                    {
                        foreach (var point in Fields(data.Bytes).Where(field => field.Number == 1))
                        {
                            var attributes = string.Join(',', AttributesOf(point.Bytes, data.Number == 9 ? 9 : 7).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={pair.Value}"));
                            var number = data.Number == 9
                                ? Fields(point.Bytes).First(field => field.Number == 4).Value // count
                                : Fields(point.Bytes).FirstOrDefault(field => field.Number is 4 or 6) is { Number: 4 } real ? BitConverter.UInt64BitsToDouble(real.Value)
                                : Fields(point.Bytes).FirstOrDefault(field => field.Number == 6).Value;
                            Points[$"{name}{{{attributes}}}"] = number;
                        }
                    }
                }
            }
        }
    }

    static string Hex(List<Field> fields, int number) => Convert.ToHexStringLower(fields.FirstOrDefault(field => field.Number == number).Bytes.Span);

    static Dictionary<string, string> AttributesOf(ReadOnlyMemory<byte> message, int number) => Fields(message)
        .Where(field => field.Number == number)
        .Select(field => Fields(field.Bytes).ToList())
        .ToDictionary(
            pair => Encoding.UTF8.GetString(pair.Single(field => field.Number == 1).Bytes.Span),
            pair => Fields(pair.Single(field => field.Number == 2).Bytes).First() is { Number: 1 } text
                ? Encoding.UTF8.GetString(text.Bytes.Span)
                : Fields(pair.Single(field => field.Number == 2).Bytes).First().Value.ToString(System.Globalization.CultureInfo.InvariantCulture));

    readonly record struct Field(int Number, ulong Value, ReadOnlyMemory<byte> Bytes);

    /// <summary>The fields of a message, by the wire format of protobuf.</summary>
    static IEnumerable<Field> Fields(ReadOnlyMemory<byte> message)
    {
        for (var at = 0; at < message.Length;)
        {
            var tag = Varint(message.Span, ref at);
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    yield return new(number, Varint(message.Span, ref at), default);
                    break;
                case 1:
                    yield return new(number, BinaryPrimitives.ReadUInt64LittleEndian(message.Span[at..]), default);
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message.Span, ref at);
                    yield return new(number, 0, message.Slice(at, length));
                    at += length;
                    break;
                case 5:
                    yield return new(number, BinaryPrimitives.ReadUInt32LittleEndian(message.Span[at..]), default);
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"wire type {tag & 7}");
            }
        }
    }

    static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
