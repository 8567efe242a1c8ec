using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>What evidence is asked for: aggregates by name, those of a filter, or every entry of the log.</summary>
public sealed record EvidenceRequest
{
    /// <summary>These, whatever their order, each once in the bundle. Null: those of <see cref="Filter"/>.</summary>
    public IReadOnlyList<AggregateKey>? Aggregates { get; init; }

    /// <summary>Of all that the caller may read. Unset members let everything through.</summary>
    public AggregateFilter Filter { get; init; } = new();

    /// <summary>Every entry of the log, control entries among them, instead of aggregates.</summary>
    public bool WholeLog { get; init; }

    /// <summary>Size of an older checkpoint, which the bundle is to be shown to continue.</summary>
    public ulong? Since { get; init; }
}

/// <summary>A bundle of evidence on its way: docs/proofs.md, section 6. Holds a page of it, however long it is.</summary>
public interface IEvidenceReading : IDisposable
{
    /// <summary>Events so far.</summary>
    ulong Events { get; }

    /// <summary>How much of it is done; null when nobody knows.</summary>
    double? Fraction { get; }

    /// <summary>Writes some more whole lines; false when the last one was written before, and now nothing.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: what is stored does not lead to the checkpoint. What was written are whole lines, each of which holds.</exception>
    ValueTask<bool> ReadAsync(IBufferWriter<byte> output, CancellationToken cancellation);
}
