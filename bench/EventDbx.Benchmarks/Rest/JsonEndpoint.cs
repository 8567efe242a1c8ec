using System.Buffers;
using System.Net;
using System.Text.Json;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

using Npgsql;

namespace EventDbx.Benchmarks.Rest;

/// <summary>
/// What our REST surface is measured against: the same web server and the same JSON, without tokens and routes. It answers a
/// constant (the ceiling), or appends to PostgreSQL and reads from it.
/// </summary>
internal sealed class JsonEndpoint(PostgresEvents? table, NpgsqlDataSource? source)
{
    static readonly byte[] s_answer = Encoding.UTF8.GetBytes(
        "{\"aggregate_type\":\"permit\",\"aggregate_id\":\"case-000001\",\"version\":1,\"state\":{\"text\":\"" + new string('x', 214) + "\"}}");

    /// <summary>What <see cref="ChildServer"/> starts: serves until standard input ends.</summary>
    public static void Serve(Arguments arguments)
    {
        var connectionString = arguments.Text("postgres");
        using var source = connectionString is null ? null : NpgsqlDataSource.Create(connectionString);
        JsonEndpoint endpoint = new(source is null ? null : new(keepsState: arguments.Flag("state")), source);

        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Listen(IPAddress.Loopback, 0);
        });
        using var application = builder.Build();
        application.Run(endpoint.AnswerAsync);
        application.StartAsync().GetAwaiter().GetResult();
        Console.WriteLine(new Uri(application.Urls.First()).Port);
        Console.In.ReadToEnd();
        application.StopAsync().GetAwaiter().GetResult();
    }

    async Task AnswerAsync(HttpContext context)
    {
        if (HttpMethods.IsGet(context.Request.Method))
        {
            await WriteAsync(context, source is null ? s_answer : await ReadAsync(context.Request.Path.Value!).ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }

        var input = context.Request.BodyReader;
        var read = await input.ReadAtLeastAsync((int)context.Request.ContentLength!.Value).ConfigureAwait(false);
        var body = read.Buffer.IsSingleSegment ? read.Buffer.First : read.Buffer.ToArray();
        var request = Parse(body);
        var answer = source is null ? s_answer : await AppendAsync(request).ConfigureAwait(false);
        input.AdvanceTo(read.Buffer.End);
        await WriteAsync(context, answer).ConfigureAwait(false);
    }

    static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> answer)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = answer.Length;
        await context.Response.BodyWriter.WriteAsync(answer).ConfigureAwait(false);
    }

    async Task<ReadOnlyMemory<byte>> AppendAsync(Request request)
    {
        var eventId = Guid.CreateVersion7();
        while (true)
        {
            var connection = await source!.OpenConnectionAsync().ConfigureAwait(false);
            await using var _ = connection.ConfigureAwait(false);
            using var command = table!.Append(request.Type, request.Id, request.EventType, eventId, request.Payload);
            command.Connection = connection;
            try
            {
                var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
                await using var __ = reader.ConfigureAwait(false);
                await reader.ReadAsync().ConfigureAwait(false);
                return Json(output => WriteRecord(output, request, eventId, reader));
            }
            catch (PostgresException error) when (PostgresEvents.IsConflict(error))
            {
            }
        }
    }

    async Task<ReadOnlyMemory<byte>> ReadAsync(string path)
    {
        var words = path.Split('/');
        var (type, id) = (words[^2], words[^1]);
        var connection = await source!.OpenConnectionAsync().ConfigureAwait(false);
        await using var _ = connection.ConfigureAwait(false);
        using var command = PostgresEvents.State(type, id);
        command.Connection = connection;
        var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
        await using var __ = reader.ConfigureAwait(false);
        if (!await reader.ReadAsync().ConfigureAwait(false))
            throw new InvalidOperationException($"There is no {type}/{id}.");
        return Json(output =>
        {
            output.WriteString("aggregate_type"u8, type);
            output.WriteString("aggregate_id"u8, id);
            output.WriteNumber("version"u8, reader.GetInt64(0));
            output.WritePropertyName("state"u8);
            output.WriteRawValue(reader.GetFieldValue<byte[]>(1), skipInputValidation: true);
            output.WriteBoolean("archived"u8, false);
        });
    }

    static ReadOnlyMemory<byte> Json(Action<Utf8JsonWriter> members)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter output = new(buffer, new() { SkipValidation = true });
        output.WriteStartObject();
        members(output);
        output.WriteEndObject();
        output.Flush();
        return buffer.WrittenMemory;
    }

    static void WriteRecord(Utf8JsonWriter output, Request request, Guid eventId, NpgsqlDataReader row)
    {
        output.WriteString("aggregate_type"u8, request.Type);
        output.WriteString("aggregate_id"u8, request.Id);
        output.WriteString("event_type"u8, request.EventType);
        output.WritePropertyName("payload"u8);
        output.WriteRawValue(request.Payload.Span, skipInputValidation: true);
        output.WriteStartObject("metadata"u8);
        output.WriteString("event_id"u8, eventId);
        output.WriteString("created_at"u8, row.GetDateTime(2));
        output.WriteEndObject();
        output.WriteNumber("version"u8, row.GetInt64(1));
        output.WriteNumber("position"u8, row.GetInt64(0));
    }

    static Request Parse(ReadOnlyMemory<byte> body)
    {
        Utf8JsonReader json = new(body.Span);
        var (type, id, eventType, payload) = ("", "", "", default(ReadOnlyMemory<byte>));
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("payload"u8))
            {
                json.Read();
                var start = (int)json.TokenStartIndex;
                json.Skip();
                payload = body[start..(int)json.BytesConsumed];
            }
            else if (json.ValueTextEquals("aggregate_type"u8))
                type = Text(ref json);
            else if (json.ValueTextEquals("aggregate_id"u8))
                id = Text(ref json);
            else if (json.ValueTextEquals("event_type"u8))
                eventType = Text(ref json);
            else
                json.Skip();
        }

        return new(type, id, eventType, payload);
    }

    static string Text(ref Utf8JsonReader json)
    {
        json.Read();
        return json.GetString()!;
    }

    readonly record struct Request(string Type, string Id, string EventType, ReadOnlyMemory<byte> Payload);
}
