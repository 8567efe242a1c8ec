using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace EventDbx.Server.Connections;

/// <summary>What a connection begins with.</summary>
internal enum Opening
{
    /// <summary>A TLS handshake.</summary>
    Tls,

    /// <summary>The preface of HTTP/2: its client knows that we speak it.</summary>
    Http2,

    /// <summary>Letters, as the methods of HTTP/1.1 are.</summary>
    Text,

    /// <summary>Nothing that we know.</summary>
    Other,
}

/// <summary>The first bytes of a connection: whether any come at all, and which language they are.</summary>
internal static class FirstBytes
{
    /// <summary>Of every TLS connection: a record of type handshake.</summary>
    const byte TlsHandshake = 0x16;

    /// <summary>RFC 9113, 3.4. No request of HTTP/1.1 begins like this.</summary>
    static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Waits for enough of them to tell, without taking any; null where the connection ends, or the server stops, before the first.</summary>
    /// <remarks>Who sends a part of the preface and then nothing counts as silent: the caller says that it spoke once this has an answer.</remarks>
    /// <param name="connection">Whose.</param>
    /// <param name="secure">Whether TLS has to come: then the first byte tells.</param>
    public static async ValueTask<Opening?> PeekAsync(ConnectionContext connection, bool secure)
    {
        var input = connection.Transport.Input;
        // A stop does not wait for who says nothing.
        using var stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested.Register(
            static waiting => ((PipeReader)waiting!).CancelPendingRead(), input) ?? default;
        try
        {
            var examined = 0L;
            while (true)
            {
                var read = await input.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                var come = read.Buffer;
                var opening = Of(come, secure);
                if (opening is null && !read.IsCompleted && !read.IsCanceled)
                {
                    examined = come.Length;
                    input.AdvanceTo(come.Start, come.End);
                    continue;
                }

                // What is new is not examined: the next one to read gets it at once.
                input.AdvanceTo(come.Start, come.GetPosition(examined));
                return opening ?? (come.IsEmpty || read.IsCanceled ? null : Opening.Text);
            }
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>What begins like this; null: more of it has to come.</summary>
    static Opening? Of(ReadOnlySequence<byte> come, bool secure)
    {
        if (come.IsEmpty)
            return null;
        Span<byte> start = stackalloc byte[Preface.Length];
        start = start[..(int)Math.Min(come.Length, Preface.Length)];
        come.Slice(0, start.Length).CopyTo(start);
        if (!secure && Preface.StartsWith(start))
            return start.Length == Preface.Length ? Opening.Http2 : null;
        return start[0] switch
        {
            TlsHandshake => Opening.Tls,
            >= (byte)'A' and <= (byte)'Z' => Opening.Text,
            _ => Opening.Other,
        };
    }

    /// <summary>Answers HTTP that came in clear text where TLS is spoken; anything else gets no answer.</summary>
    public static async ValueTask RefusePlaintextAsync(ConnectionContext connection, Opening opening)
    {
        if (opening is not Opening.Text)
            return;
        const string body = """{"code":"invalid_argument","message":"This port speaks TLS: use https:// in place of http://.","retryable":false}""";
        var answer = FormattableString.Invariant(
            $"HTTP/1.1 {(int)HttpStatusCode.BadRequest} Bad Request\r\nContent-Length: {body.Length}\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n{body}");
        try
        {
            await connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(answer), connection.ConnectionClosed).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ConnectionAbortedException)
        {
            // Nobody is there to hear it.
        }
    }
}
