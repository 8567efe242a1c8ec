using System.Buffers;
using EventDbx.Checkpoints;

namespace EventDbx.Transfer;

/// <summary>Every entry of the log that the checkpoint covers, in order: nothing is left out.</summary>
internal sealed class LogEvidence(Database database, StoreReader reader, SignedNote note, Checkpoint checkpoint, EvidenceRequest request)
    : EvidenceBundle(database, reader, note, checkpoint, request.Since)
{
    static readonly FeedFilter Everything = new() { IncludeControl = true, WithSalts = true };

    readonly MerkleTree _tree = new();
    ulong _aggregates;

    public override double? Fraction => (double)_tree.Size / Checkpoint.Size;

    protected override ReadOnlySpan<byte> Scope => "log"u8;

    protected override bool WritePage(IBufferWriter<byte> output, CancellationToken cancellation)
    {
        if (_tree.Size == Checkpoint.Size)
            return false;
        // Whoever may have this bundle is shown everything.
        var page = Reader.Entries(_tree.Size, Checkpoint.Size, PageEvents, PageBytes, Everything, Sight.OfEverything);
        foreach (var item in page.Items)
            _tree.Append(item.Event?.Hash ?? item.Control!.Hash);
        if (_tree.Size != page.ReachedPosition)
            throw Violation.Of($"The log has {_tree.Size} entries up to position {page.ReachedPosition}.");
        // The last page is written only if all of it leads to what was signed.
        if (_tree.Size == Checkpoint.Size && _tree.Root() != Checkpoint.Root)
            throw Violation.Of($"The log's {Checkpoint.Size} entries lead to root {_tree.Root()}, but {Checkpoint.Root} was signed.");
        foreach (var item in page.Items)
            Write(output, item);
        return true;
    }

    void Write(IBufferWriter<byte> output, FeedItem item)
    {
        if (item.Event is { } record)
        {
            output.Write("{\"record\":"u8);
            RecordJson.WriteRecord(output, record, withSalt: true);
            Events++;
            _aggregates += record.Version == 1 ? 1UL : 0;
        }
        else
        {
            output.Write("{\"control\":"u8);
            RecordJson.WriteControl(output, item.Control!, withSalt: true);
        }

        output.Write("}\n"u8);
    }

    protected override void WriteEnd(IBufferWriter<byte> output)
    {
        WriteCount(output, "\"aggregates\":"u8, _aggregates);
        WriteCount(output, ",\"events\":"u8, Events);
        WriteCount(output, ",\"control_entries\":"u8, Checkpoint.Size - Events);
    }
}
