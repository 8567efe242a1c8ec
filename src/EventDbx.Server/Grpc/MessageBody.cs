using System.Buffers;
using System.IO.Pipelines;
using EventDbx.Server.Rest;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace EventDbx.Server.Grpc;

/// <summary>The messages of a call on their way in, counted with the bodies of all other requests.</summary>
/// <remarks>
/// The framework waits until a message is whole, so that what has come of it lies in memory. What a message of a unary call takes
/// is given back when the call ends, for the message lives that long; what one of a stream takes, when it has been read.
/// </remarks>
internal sealed class MessageBody : PipeReader, IRequestBodyPipeFeature, IDisposable
{
    readonly PipeReader _inner;
    readonly BodyBudget? _budget;
    readonly TimeProvider _clock;
    readonly bool _isStream;
    readonly CancellationToken _aborted;
    long _taken;
    long _startedAt;
    ReadOnlySequence<byte> _seen;

    /// <param name="http">Whose body it is.</param>
    /// <param name="budget">Null for what is open to everybody: strangers take none of it, and are held to <see cref="ServerLimits.OpenMessageBytesMax"/> instead.</param>
    /// <param name="clock">For how long a message may take.</param>
    /// <param name="isStream">Whether there may be many.</param>
    public MessageBody(HttpContext http, BodyBudget? budget, TimeProvider clock, bool isStream)
    {
        (_inner, _budget, _clock, _isStream, _aborted) = (http.Request.BodyReader, budget, clock, isStream, http.RequestAborted);
        _startedAt = clock.GetTimestamp();
    }

    public PipeReader Reader => this;

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (_inner.TryRead(out var read))
            return Count(read);
        // A stream may be silent as long as it likes between two messages.
        if (_isStream && _taken == 0)
            return Count(await _inner.ReadAsync(cancellationToken).ConfigureAwait(false));
        var left = ServerLimits.BodyTimeout - _clock.GetElapsedTime(_startedAt);
        using var late = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken, _aborted);
        try
        {
            return Count(await _inner.ReadAsync(either.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested && !_aborted.IsCancellationRequested)
        {
            throw GrpcRefusals.Exception(new(RefusalCode.RequestTimeout, $"The message did not arrive within {ServerLimits.BodyTimeout.TotalSeconds:0} s."));
        }
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!_inner.TryRead(out result))
            return false;
        Count(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        // A message of a stream was read, and is the window's from now on; the next one has its own time.
        if (_isStream && !consumed.Equals(_seen.Start))
        {
            Dispose();
            _startedAt = _clock.GetTimestamp();
        }

        _seen = default;
        _inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    public void Dispose()
    {
        _budget?.Give(_taken);
        _taken = 0;
    }

    /// <summary>Memory follows what has come.</summary>
    ReadResult Count(ReadResult read)
    {
        _seen = read.Buffer;
        var cost = read.Buffer.Length * ServerLimits.BodyCost;
        if (cost <= _taken)
            return read;
        if (_budget is null ? read.Buffer.Length > ServerLimits.OpenMessageBytesMax : !_budget.TryTake(cost - _taken))
        {
            // All of it was looked at: less than before would break the books of flow control.
            _inner.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            throw GrpcRefusals.Exception(_budget is null
                ? new(RefusalCode.RequestTooLarge, $"A message to a method that is open to everybody has {ServerLimits.OpenMessageBytesMax} bytes at most.")
                : new(RefusalCode.Overloaded, "Too many large requests are under way at once. Send this one again in a moment."));
        }

        _taken = cost;
        return read;
    }
}
