using System.Buffers;
using EventDbx.Checkpoints;

namespace EventDbx.Transfer;

/// <summary>Aggregates in key order, each with every event that the checkpoint covers and its path to it.</summary>
internal sealed class AggregateEvidence : EvidenceBundle
{
    readonly Sight _sight;
    readonly IReadOnlyList<AggregateKey>? _names;
    readonly AggregateScan? _scan;
    ulong _aggregates;
    int _nextName;

    AggregateKey? _aggregate;
    MerkleTree _tree = new();
    ulong _versions;

    public AggregateEvidence(Database database, StoreReader reader, SignedNote note, Checkpoint checkpoint, EvidenceRequest request, Sight sight)
        : base(database, reader, note, checkpoint, request.Since)
    {
        _sight = sight;
        _names = request.Aggregates is { } names ? [.. names.Distinct().Order()] : null;
        _scan = _names is null ? new(reader.View, request.Filter, []) : null;
    }

    /// <summary>Of aggregates by name: how many are done. Else nobody knows how many there are.</summary>
    public override double? Fraction => _names is { Count: > 0 } names
        ? (_nextName - (_aggregate is null ? 0 : 1 - ((double)_tree.Size / _versions))) / names.Count
        : null;

    protected override ReadOnlySpan<byte> Scope => "aggregates"u8;

    protected override bool WritePage(IBufferWriter<byte> output, CancellationToken cancellation)
    {
        var (events, bytes, walked) = (0, 0, 0);
        while (events < PageEvents && bytes < PageBytes && walked < Limits.ListScanMax)
        {
            if (_aggregate is { } aggregate)
            {
                var page = Reader.Events(aggregate, _tree.Size + 1, (int)Math.Min(PageEvents, _versions - _tree.Size), PageBytes);
                foreach (var record in page)
                {
                    WriteEvent(output, record);
                    bytes += record.Payload.Length;
                }

                events += page.Count;
                if (_tree.Size == _versions)
                    _aggregate = null;
                continue;
            }

            if (++walked % 512 == 0)
                cancellation.ThrowIfCancellationRequested();
            if (!BeginNext(output))
                return false;
        }

        return true;
    }

    protected override void WriteEnd(IBufferWriter<byte> output)
    {
        WriteCount(output, "\"aggregates\":"u8, _aggregates);
        WriteCount(output, ",\"events\":"u8, Events);
    }

    /// <summary>The refusal of an aggregate without an event up to the checkpoint, asked for by name.</summary>
    public static RefusedException HasNoEvent(AggregateKey aggregate, Checkpoint checkpoint) => new(
        RefusalCode.NotFound, $"{aggregate} has no event that the checkpoint of {checkpoint.Size} entries covers: there is nothing to prove.");

    /// <summary>Goes on to the next aggregate; false at the end.</summary>
    bool BeginNext(IBufferWriter<byte> output)
    {
        AggregateKey aggregate;
        HeadRow head;
        if (_names is { } names)
        {
            if (_nextName == names.Count)
                return false;
            aggregate = names[_nextName++];
            head = (Reader.FindHead(aggregate) ?? throw new RefusedException(RefusalCode.NotFound, $"There is no aggregate {aggregate}.")).Head;
        }
        else
        {
            if (_scan!.Next() is not var (next, found, _))
                return false;
            (aggregate, head) = (next, found);
            if (!_sight.Shows(aggregate))
                return true;
            if (!_sight.ShowsAllOf(aggregate))
                throw HidesFields(aggregate);
        }

        var versions = Reader.VersionAtPosition(aggregate, head.Version, Checkpoint.Size);
        if (versions == 0)
        {
            // There is nothing to prove about it. Who asked for it by name is told.
            if (_names is null)
                return true;
            throw HasNoEvent(aggregate, Checkpoint);
        }

        var root = Reader.RootOf(aggregate, versions);
        (_aggregate, _versions, _tree) = (aggregate, versions, new());
        _aggregates++;
        output.Write("{\"aggregate\":{\"aggregate_type\":"u8);
        JsonEscape.WriteString(output, aggregate.TypeUtf8);
        output.Write(",\"aggregate_id\":"u8);
        JsonEscape.WriteString(output, aggregate.IdUtf8);
        WriteCount(output, ",\"version\":"u8, versions);
        output.Write(",\"merkle_root\":\""u8);
        RecordJson.WriteHash(output, root);
        output.Write("\"}}\n"u8);
        return true;
    }

    void WriteEvent(IBufferWriter<byte> output, EventRecord record)
    {
        var previous = _tree.Root();
        _tree.Append(record.Hash);
        if (record.PreviousRoot != previous || record.MerkleRoot != _tree.Root())
            throw Violation.Of($"Version {record.Version} of {record.Aggregate} does not follow from the versions before it.");
        var path = Nodes.Path(ProofPath.Inclusion(record.Position - 1, Checkpoint.Size));
        if (!MerkleProof.Includes(record.Position - 1, Checkpoint.Size, record.Hash, Checkpoint.Root, path))
            throw Violation.Of($"Version {record.Version} of {record.Aggregate} (position {record.Position}) is not in the log as it was signed with {Checkpoint.Size} entries.");
        output.Write("{\"record\":"u8);
        RecordJson.WriteRecord(output, record, withSalt: true);
        output.Write(",\"path\":"u8);
        ProofJson.WritePath(output, path);
        output.Write("}\n"u8);
        Events++;
    }

    public static RefusedException HidesFields(AggregateKey aggregate) => new(
        RefusalCode.PermissionDenied, $"The schema of {aggregate.Type} hides fields from this token, and a proof opens the whole event. Use a root token, or the owner's command line.");
}
