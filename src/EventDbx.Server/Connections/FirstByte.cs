using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace EventDbx.Server.Connections;

/// <summary>The first byte of a connection: whether one comes at all, and whether it speaks the language of the port.</summary>
internal static class FirstByte
{
    /// <summary>Of every TLS connection: a record of type handshake.</summary>
    const byte TlsHandshake = 0x16;

    /// <summary>Waits for it without taking it; null where the connection ends, or the server stops, before.</summary>
    public static async ValueTask<byte?> PeekAsync(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        // A stop does not wait for who says nothing.
        using var stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested.Register(
            static waiting => ((PipeReader)waiting!).CancelPendingRead(), input) ?? default;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                var come = read.Buffer;
                byte? first = come.IsEmpty ? null : come.FirstSpan[0];
                // Not examined either: the next one to read gets it at once.
                input.AdvanceTo(come.Start);
                if (first is not null || read.IsCompleted || read.IsCanceled)
                    return first;
            }
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Whether TLS begins like this.</summary>
    public static bool IsTls(byte first) => first == TlsHandshake;

    /// <summary>Answers HTTP that came in clear text where TLS is spoken; anything else gets no answer.</summary>
    public static async ValueTask RefusePlaintextAsync(ConnectionContext connection, byte first)
    {
        if (first is < (byte)'A' or > (byte)'Z')
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
