using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Transfer;

namespace EventDbx.Cli;

/// <summary>What outsiders are given: checkpoints and proofs.</summary>
internal partial interface IStore
{
    /// <summary>The newest checkpoint; signed now, over everything there is, where the caller waits for that.</summary>
    /// <remarks>Cosignatures are waited for by a server only: a command asks no witness.</remarks>
    Task<SignedNote> GetCheckpointAsync(bool wait, CancellationToken cancellation);

    /// <summary>The key of the log, as a vkey.</summary>
    Task<string> GetLogKeyAsync(CancellationToken cancellation);

    /// <summary>docs/proofs.md, section 4, as JSON.</summary>
    Task<ReadOnlyMemory<byte>> ProveLogAsync(ulong from, ulong to, CancellationToken cancellation);

    /// <summary>Hashes of a tile, one after the other.</summary>
    Task<ReadOnlyMemory<byte>> GetTileAsync(TilePath tile, CancellationToken cancellation);

    /// <summary>A receipt: docs/proofs.md, section 2, as JSON. To the byte: the payload in it is what was hashed.</summary>
    Task<ReadOnlyMemory<byte>> ProveEventAsync(AggregateKey aggregate, ulong version, ulong? size, CancellationToken cancellation);

    /// <summary>docs/proofs.md, section 3, as JSON.</summary>
    /// <param name="aggregate">Which.</param>
    /// <param name="from">The earlier version.</param>
    /// <param name="to">The later one; null: the newest.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task<ReadOnlyMemory<byte>> ProveAggregateAsync(AggregateKey aggregate, ulong from, ulong? to, CancellationToken cancellation);

    /// <summary>Begins a bundle: docs/proofs.md, section 6.</summary>
    Task<IEvidenceReading> OpenEvidenceAsync(EvidenceRequest request, CancellationToken cancellation);
}
