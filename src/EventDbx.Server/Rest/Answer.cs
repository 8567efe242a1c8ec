using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>A JSON body on its way out: short ones go at once and say their length, long ones go in pieces.</summary>
internal sealed class Answer(HttpContext http, int status = StatusCodes.Status200OK) : IDisposable
{
    public const string Json = "application/json";
    public const string JsonLines = "application/x-ndjson";
    public const string Text = "text/plain; charset=utf-8";
    public const string Bytes = "application/octet-stream";

    readonly PooledBuffer _output = new();

    /// <summary>Where it is written.</summary>
    public IBufferWriter<byte> Output => _output;

    public string ContentType { get; init; } = Json;

    /// <summary>Ends a write that the caller does not take: the connection is cut.</summary>
    public CancellationToken Cancellation { get; set; } = http.RequestAborted;

    /// <summary>Sends what has gathered, if it is much. To be called between items.</summary>
    public ValueTask SendPieceAsync() => _output.Length < ServerLimits.AnswerPieceBytes ? default : SendAsync();

    /// <summary>Sends what has gathered.</summary>
    public async ValueTask SendAsync()
    {
        Begin();
        // A piece at a time, so that it shows whether a long one is taken: OpenConnection.Stalls.
        for (var sent = 0; sent < _output.Length; sent += ServerLimits.AnswerPieceBytes)
        {
            var piece = _output.Written[sent..Math.Min(_output.Length, sent + ServerLimits.AnswerPieceBytes)];
            await http.Response.BodyWriter.WriteAsync(piece, Cancellation).ConfigureAwait(false);
        }

        _output.Clear();
        http.RequestAborted.ThrowIfCancellationRequested();
    }

    /// <summary>Sends the rest, or all of it.</summary>
    public async ValueTask EndAsync()
    {
        if (!http.Response.HasStarted)
            http.Response.ContentLength = _output.Length;
        await SendAsync().ConfigureAwait(false);
    }

    public void Dispose() => _output.Dispose();

    /// <summary>A list of items with commas between them, from an opening to a closing text.</summary>
    public async ValueTask WriteListAsync<T>(IReadOnlyList<T> items, Action<IBufferWriter<byte>, T> write)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                Output.Write(","u8);
            write(Output, items[i]);
            await SendPieceAsync().ConfigureAwait(false);
        }
    }

    void Begin()
    {
        if (http.Response.HasStarted)
            return;
        http.Response.StatusCode = status;
        http.Response.ContentType = ContentType;
    }

    /// <summary>A whole answer of bytes that are there already.</summary>
    public static async Task BytesAsync(HttpContext http, ReadOnlyMemory<byte> bytes, string contentType)
    {
        using var answer = new Answer(http) { ContentType = contentType };
        answer.Output.Write(bytes.Span);
        await answer.EndAsync().ConfigureAwait(false);
    }

    /// <summary>A whole answer of one write.</summary>
    public static async Task OneAsync<T>(HttpContext http, T value, Action<IBufferWriter<byte>, T> write, int status = StatusCodes.Status200OK)
    {
        using var answer = new Answer(http, status);
        write(answer.Output, value);
        await answer.EndAsync().ConfigureAwait(false);
    }
}
