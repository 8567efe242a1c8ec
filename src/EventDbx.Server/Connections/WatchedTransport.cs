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
    readonly Held _input = new(inner.Input);
    readonly Writer _output = new(inner.Output, connection);

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    /// <summary>How often something was sent: the same number twice means that nothing was, in between.</summary>
    public long Flushes => _output.Flushes;

    /// <summary>Which language it is in, once that is known.</summary>
    public bool SpeaksHttp2 { get; set; }

    /// <summary>Once HTTP/2 is done with it: waits until the other end has closed, for as long as it says anything, within bounds.</summary>
    /// <remarks>
    /// A client of HTTP/2 says how much it has taken while it takes it. Where that comes to a socket that is closed the system resets
    /// the connection, and what of the answer it had not sent yet is lost: the last answers of a server that stops, above all.
    /// </remarks>
    public async ValueTask LingerAsync(CancellationToken closed)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(closed);
        late.CancelAfter(ServerLimits.LingerTimeout);
        var taken = 0L;
        try
        {
            while (taken <= ServerLimits.LingerBytes)
            {
                using var quiet = CancellationTokenSource.CreateLinkedTokenSource(late.Token);
                quiet.CancelAfter(ServerLimits.LingerQuiet);
                var read = await inner.Input.ReadAsync(quiet.Token).ConfigureAwait(false);
                taken += read.Buffer.Length;
                inner.Input.AdvanceTo(read.Buffer.End);
                // Somebody may still try to end a wait that is over: QuietEnd.
                if (read.IsCompleted)
                    return;
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or IOException or InvalidOperationException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            // It has taken all, or will not.
        }
    }

    sealed class Writer(PipeWriter inner, OpenConnection connection) : WatchedWriter(inner)
    {
        protected override void Stalls() => connection.Stalls();

        protected override void GetsOn(bool taken) => connection.GetsOn();

        /// <summary>The listener's connection completes it, when it is disposed: until then the other end is not told that nothing more comes.</summary>
        public override void Complete(Exception? exception = null)
        {
        }

        public override ValueTask CompleteAsync(Exception? exception = null) => default;
    }

    /// <summary>Bytes that come, read on after whoever reads them is done.</summary>
    sealed class Held(PipeReader inner) : PipeReader
    {
        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => inner.ReadAsync(cancellationToken);

        public override bool TryRead(out ReadResult result) => inner.TryRead(out result);

        /// <summary>The listener's connection completes it, when it is disposed.</summary>
        public override void Complete(Exception? exception = null)
        {
        }
    }
}
