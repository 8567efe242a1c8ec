using System.IO.Pipelines;

namespace EventDbx.Server.Connections;

/// <summary>What goes out, with an eye on whether it is taken: a flush that has to wait is told, one that need not costs nothing.</summary>
/// <param name="inner">Where it goes.</param>
internal abstract class WatchedWriter(PipeWriter inner) : PipeWriter
{
    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override void Advance(int bytes) => inner.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    /// <summary>One thread writes at a time.</summary>
    public long Flushes { get; private set; }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => Watched(inner.FlushAsync(cancellationToken));

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
        Watched(inner.WriteAsync(source, cancellationToken));

    /// <summary>A flush waits for the other end.</summary>
    protected abstract void Stalls();

    /// <summary>It does not any more.</summary>
    /// <param name="taken">Whether the other end has taken some of it; else the answer was given up.</param>
    protected abstract void GetsOn(bool taken);

    ValueTask<FlushResult> Watched(ValueTask<FlushResult> flush)
    {
        Flushes++;
        return flush.IsCompleted ? flush : WaitAsync(flush);
    }

    async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        Stalls();
        var taken = false;
        try
        {
            var result = await flush.ConfigureAwait(false);
            taken = result is { IsCompleted: false, IsCanceled: false };
            return result;
        }
        finally
        {
            GetsOn(taken);
        }
    }
}
