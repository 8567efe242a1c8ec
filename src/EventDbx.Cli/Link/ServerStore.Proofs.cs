using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Transfer;

namespace EventDbx.Cli;

/// <summary>Checkpoints and proofs of a server, to the byte as it sends them.</summary>
internal sealed partial class ServerStore
{
    public async Task<SignedNote> GetCheckpointAsync(bool wait, CancellationToken cancellation) => SignedNote.TryParse(
        await server.GetBytesAsync(new Query("/v1/log/checkpoint").With("wait", wait ? "checkpoint" : null).ToString(), cancellation).ConfigureAwait(false), out var note)
        ? note : throw new FormatException("The answer is no signed note.");

    public async Task<string> GetLogKeyAsync(CancellationToken cancellation) =>
        System.Text.Encoding.UTF8.GetString(await server.GetBytesAsync("/v1/log/key", cancellation).ConfigureAwait(false)).TrimEnd('\n');

    public async Task<ReadOnlyMemory<byte>> ProveLogAsync(ulong from, ulong to, CancellationToken cancellation) =>
        await server.GetBytesAsync(new Query("/v1/log/consistency").With("from", from).With("to", to).ToString(), cancellation).ConfigureAwait(false);

    public async Task<ReadOnlyMemory<byte>> GetTileAsync(TilePath tile, CancellationToken cancellation) =>
        await server.GetBytesAsync($"/v1/log/tile/{tile}", cancellation).ConfigureAwait(false);

    public async Task<ReadOnlyMemory<byte>> ProveEventAsync(AggregateKey aggregate, ulong version, ulong? size, CancellationToken cancellation) =>
        await server.GetBytesAsync(new Query(FormattableString.Invariant($"{Path(aggregate)}/events/{version}/proof")).With("size", size).ToString(), cancellation).ConfigureAwait(false);

    public async Task<ReadOnlyMemory<byte>> ProveAggregateAsync(AggregateKey aggregate, ulong from, ulong? to, CancellationToken cancellation) =>
        await server.GetBytesAsync(new Query($"{Path(aggregate)}/proof").With("from", from).With("to", to).ToString(), cancellation).ConfigureAwait(false);

    public async Task<IEvidenceReading> OpenEvidenceAsync(EvidenceRequest request, CancellationToken cancellation) => new RemoteEvidence(
        await server.OpenAsync("/v1/evidence", Body(output => RequestJson.WriteEvidence(output, request)), cancellation).ConfigureAwait(false));
}
