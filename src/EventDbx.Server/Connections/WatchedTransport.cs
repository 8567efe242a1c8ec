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
    readonly Writer _output = new(inner.Output, connection);

    public PipeReader Input => inner.Input;

    public PipeWriter Output => _output;

    /// <summary>How often something was sent: the same number twice means that nothing was, in between.</summary>
    public long Flushes => _output.Flushes;

    sealed class Writer(PipeWriter inner, OpenConnection connection) : WatchedWriter(inner)
    {
        protected override void Stalls() => connection.Stalls();

        protected override void GetsOn() => connection.GetsOn();
    }
}
