using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli;

/// <summary>Push and pull, in this process.</summary>
internal sealed partial class DirectStore
{
    public IAsyncEnumerable<TransferStep> TransferAsync(TransferRequest request, CancellationToken cancellation) => transfers.RunAsync(session, request, cancellation);
}
