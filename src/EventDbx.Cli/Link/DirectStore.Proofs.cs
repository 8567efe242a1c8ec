using System.Buffers;
using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Transfer;

namespace EventDbx.Cli;

/// <summary>Checkpoints and proofs of the directory that is open here.</summary>
internal sealed partial class DirectStore
{
    public Task<SignedNote> GetCheckpointAsync(bool wait, CancellationToken cancellation) =>
        session.ReadCheckpointAsync(wait ? database.LogSize : 0, cancellation);

    public Task<string> GetLogKeyAsync(CancellationToken cancellation) => Task.FromResult(session.ReadLogKey());

    public Task<ReadOnlyMemory<byte>> ProveLogAsync(ulong from, ulong to, CancellationToken cancellation) =>
        Task.FromResult(Json(session.ProveLog(from, to), ProofJson.Write));

    public Task<ReadOnlyMemory<byte>> GetTileAsync(TilePath tile, CancellationToken cancellation) =>
        Task.FromResult<ReadOnlyMemory<byte>>(session.ReadTile(tile.Level, tile.Index, tile.Width));

    public async Task<ReadOnlyMemory<byte>> ProveEventAsync(AggregateKey aggregate, ulong version, ulong? size, CancellationToken cancellation) =>
        Json(await session.ProveEventAsync(aggregate, version, size, cancellation).ConfigureAwait(false), ProofJson.Write);

    public async Task<ReadOnlyMemory<byte>> ProveAggregateAsync(AggregateKey aggregate, ulong from, ulong? to, CancellationToken cancellation) =>
        Json(await session.ProveAggregateAsync(aggregate, from, to, cancellation).ConfigureAwait(false), ProofJson.Write);

    public Task<IEvidenceReading> OpenEvidenceAsync(EvidenceRequest request, CancellationToken cancellation) => session.OpenEvidenceAsync(request, cancellation);

    static ReadOnlyMemory<byte> Json<T>(T proof, Action<IBufferWriter<byte>, T> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output, proof);
        return output.WrittenMemory;
    }
}
