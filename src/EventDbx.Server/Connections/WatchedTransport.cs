using System.IO.Pipelines;

namespace EventDbx.Server.Connections;

/// <summary>A connection's bytes as they came and go, with an eye on whether the other end takes them.</summary>
/// <remarks>
/// A flush that has to wait means that as much as the transport holds at most (64 KiB) was not taken yet; it goes on once half of that
/// is gone. What waits is told to the table, which costs a lock; a flush that need not wait costs nothing.
/// </remarks>
/// <param name="inner">Of the listener.</param>
/// <param name="connection">That it is of.</param>
internal sealed class WatchedTransport(IDuplexPipe inner, OpenConnection connection) : IDuplexPipe
{
    public PipeReader Input => inner.Input;

    public PipeWriter Output { get; } = new Writer(inner.Output, connection);

    sealed class Writer(PipeWriter inner, OpenConnection connection) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => Watched(inner.FlushAsync(cancellationToken));

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
            Watched(inner.WriteAsync(source, cancellationToken));

        ValueTask<FlushResult> Watched(ValueTask<FlushResult> flush) => flush.IsCompleted ? flush : WaitAsync(flush);

        async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
        {
            connection.Stalls();
            try
            {
                return await flush.ConfigureAwait(false);
            }
            finally
            {
                connection.GetsOn();
            }
        }
    }
}
