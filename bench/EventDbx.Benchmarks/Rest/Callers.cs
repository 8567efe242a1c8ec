using System.Buffers;

using Npgsql;

namespace EventDbx.Benchmarks.Rest;

/// <summary>One of the callers that a server has at the same time; a thread's own.</summary>
internal abstract class Caller : IDisposable
{
    /// <summary>One operation, to its answer.</summary>
    public abstract void Call(AggregateKey aggregate, int number);

    public abstract void Dispose();
}

/// <summary><c>POST /v1/events</c>.</summary>
internal sealed class HttpAppender(int port, string? token, Receipts receipts, bool tls = false) : Caller
{
    readonly HttpConnection _connection = new(port, token, tls);
    readonly ArrayBufferWriter<byte> _body = new(1024);

    public override void Call(AggregateKey aggregate, int number)
    {
        _body.ResetWrittenCount();
        receipts.WriteAppend(_body, aggregate, number);
        _connection.Post("/v1/events"u8, _body.WrittenSpan);
    }

    /// <summary>An event in each, in one commit. For building, not for measuring.</summary>
    public void AppendBatch(ReadOnlySpan<AggregateKey> aggregates)
    {
        _body.ResetWrittenCount();
        _body.Write("{\"events\":["u8);
        for (var i = 0; i < aggregates.Length; i++)
        {
            if (i > 0)
                _body.Write(","u8);
            receipts.WriteAppend(_body, aggregates[i], i);
        }

        _body.Write("]}"u8);
        _connection.Post("/v1/events/batch"u8, _body.WrittenSpan);
    }

    public override void Dispose() => _connection.Dispose();
}

/// <summary><c>GET /v1/aggregates/{type}/{id}</c>.</summary>
internal sealed class HttpReader(int port, string? token, bool tls = false) : Caller
{
    readonly HttpConnection _connection = new(port, token, tls);
    readonly ArrayBufferWriter<byte> _path = new(256);

    public override void Call(AggregateKey aggregate, int number)
    {
        _path.ResetWrittenCount();
        _path.Write("/v1/aggregates/"u8);
        _path.Write(aggregate.TypeUtf8);
        _path.Write("/"u8);
        _path.Write(aggregate.IdUtf8);
        _connection.Get(_path.WrittenSpan);
    }

    public override void Dispose() => _connection.Dispose();
}

/// <summary>The table without a web server before it: what a program that holds connections of its own pays.</summary>
internal sealed class NpgsqlAppender(string connectionString, PostgresEvents table, Receipts receipts) : Caller
{
    readonly NpgsqlConnection _connection = Open(connectionString);

    public override void Call(AggregateKey aggregate, int number)
    {
        var eventId = Guid.CreateVersion7();
        while (true)
        {
            using var command = table.Append(aggregate.Type, aggregate.Id, Receipts.EventType(number), eventId, receipts.Payload(number));
            command.Connection = _connection;
            try
            {
                using var reader = command.ExecuteReader();
                reader.Read();
                return;
            }
            catch (PostgresException error) when (PostgresEvents.IsConflict(error))
            {
            }
        }
    }

    public override void Dispose() => _connection.Dispose();

    internal static NpgsqlConnection Open(string connectionString)
    {
        NpgsqlConnection connection = new(connectionString);
        connection.Open();
        return connection;
    }
}

/// <inheritdoc cref="NpgsqlAppender"/>
internal sealed class NpgsqlStateReader(string connectionString) : Caller
{
    readonly NpgsqlConnection _connection = NpgsqlAppender.Open(connectionString);

    public override void Call(AggregateKey aggregate, int number)
    {
        using var command = PostgresEvents.State(aggregate.Type, aggregate.Id);
        command.Connection = _connection;
        using var reader = command.ExecuteReader();
        if (!reader.Read())
            throw new InvalidOperationException($"There is no {aggregate}.");
        _ = reader.GetFieldValue<byte[]>(1);
    }

    public override void Dispose() => _connection.Dispose();
}
