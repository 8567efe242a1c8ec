using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>A backup on its way out, written by a thread which waits until it is taken; and not for ever.</summary>
/// <remarks>
/// Who takes none of it, or next to none, would keep the files of that moment on disk and every other backup waiting. Only the time counts in
/// which the answer waits for its client: a server that is busy itself cuts nobody off.
/// </remarks>
/// <param name="http">Whose answer it is; cut off where it is not taken.</param>
/// <param name="patience">How long it may wait, in all, while <see cref="ServerLimits.BackupAnswerBytes"/> of it are taken.</param>
/// <param name="cancellation">Gives it up.</param>
internal sealed class BackupAnswer(HttpContext http, TimeSpan patience, CancellationToken cancellation) : WriteOnlyStream
{
    readonly PipeWriter _answer = http.Response.BodyWriter;
    TimeSpan _waited;
    long _taken;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        // A piece at a time, so that it shows whether a long one is taken: OpenConnection.Stalls.
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(buffer.Length, ServerLimits.AnswerPieceBytes)];
            piece.CopyTo(_answer.GetSpan(piece.Length));
            _answer.Advance(piece.Length);
            if (Take(_answer.FlushAsync(cancellation)).IsCompleted)
                throw new OperationCanceledException("Nobody takes the answer any more.");
            _taken += piece.Length;
            if (_taken >= ServerLimits.BackupAnswerBytes)
                (_taken, _waited) = (0, TimeSpan.Zero);
            buffer = buffer[piece.Length..];
        }
    }

    FlushResult Take(ValueTask<FlushResult> flush)
    {
        if (flush.IsCompleted)
            return flush.GetAwaiter().GetResult();
        var (began, taking) = (TimeProvider.System.GetTimestamp(), flush.AsTask());
        if (Task.WaitAny([taking], patience - _waited) < 0)
        {
            http.Abort();
            // It ends with the connection. Nobody else may write before.
            Task.WaitAny(taking);
            _ = taking.Exception;
            throw new OperationCanceledException("The answer is not taken.");
        }

        _waited += TimeProvider.System.GetElapsedTime(began);
        if (_waited > patience)
            _waited = patience;
        return taking.GetAwaiter().GetResult();
    }
}
