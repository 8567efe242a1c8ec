using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli;

/// <summary>Push and pull.</summary>
internal partial interface IStore
{
    /// <summary>Runs one; the last step is the <see cref="TransferReport"/>, or, before a failure, a <see cref="TransferCutOff"/> where anything was done.</summary>
    IAsyncEnumerable<TransferStep> TransferAsync(TransferRequest request, CancellationToken cancellation);
}
