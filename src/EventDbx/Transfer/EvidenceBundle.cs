using System.Buffers;
using EventDbx.Checkpoints;

namespace EventDbx.Transfer;

/// <summary>What every bundle begins and ends with, from one view and under one checkpoint.</summary>
/// <remarks>Everything is held against the checkpoint before it is written: a bundle that does not verify is not made.</remarks>
internal abstract class EvidenceBundle(Database database, StoreReader reader, SignedNote note, Checkpoint checkpoint, ulong? since) : IEvidenceReading
{
    /// <summary>Events opened at once, and the bytes after which a page ends.</summary>
    protected const int PageEvents = 256, PageBytes = 1024 * 1024;

    bool _begun;
    bool _ended;

    public ulong Events { get; protected set; }

    public abstract double? Fraction { get; }

    protected StoreReader Reader => reader;

    protected Checkpoint Checkpoint => checkpoint;

    protected LogNodes Nodes { get; } = new(reader.View, new(checkpoint.Size, checkpoint.Root), database.Tiles);

    public ValueTask<bool> ReadAsync(IBufferWriter<byte> output, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (_ended)
            return new(false);
        if (!_begun)
        {
            WriteHeader(output);
            _begun = true;
        }
        else if (!WritePage(output, cancellation))
        {
            output.Write("{\"end\":{"u8);
            WriteEnd(output);
            output.Write("}}\n"u8);
            _ended = true;
        }

        return new(true);
    }

    /// <summary>As it stands in <c>scope</c>.</summary>
    protected abstract ReadOnlySpan<byte> Scope { get; }

    /// <summary>Writes some lines, perhaps none; false when there is nothing more.</summary>
    protected abstract bool WritePage(IBufferWriter<byte> output, CancellationToken cancellation);

    /// <summary>Writes the counts.</summary>
    protected abstract void WriteEnd(IBufferWriter<byte> output);

    protected static void WriteCount(IBufferWriter<byte> output, ReadOnlySpan<byte> name, ulong count)
    {
        output.Write(name);
        RecordJson.WriteNumber(output, count);
    }

    void WriteHeader(IBufferWriter<byte> output)
    {
        // What may be refused comes before anything is written: lines are whole.
        var (older, path) = since is { } size ? Continue(size) : default;
        var key = database.ReadLogKey(checkpoint.Origin);
        output.Write("{\"format\":\"eventdbx-evidence/1\",\"scope\":\""u8);
        output.Write(Scope);
        output.Write("\",\"key\":"u8);
        RecordJson.WriteText(output, key);
        output.Write(",\"checkpoint\":"u8);
        RecordJson.WriteText(output, note.ToString());
        if (since is not null)
        {
            WriteCount(output, ",\"since\":{\"size\":"u8, older.Size);
            output.Write(",\"root\":\""u8);
            RecordJson.WriteHash(output, older.Root);
            output.Write("\",\"path\":"u8);
            ProofJson.WritePath(output, path!);
            output.Write("}"u8);
        }

        output.Write("}\n"u8);
    }

    (TreePoint Older, Hash32[] Path) Continue(ulong size)
    {
        var older = new TreePoint(size, Nodes.RootAt(size));
        var path = Nodes.Path(ProofPath.Consistency(size, checkpoint.Size));
        return MerkleProof.Extends(size, checkpoint.Size, older.Root, checkpoint.Root, path)
            ? (older, path)
            : throw Violation.Of($"The log of {size} entries as it is stored is not the beginning of the one that was signed with {checkpoint.Size} entries.");
    }

    public void Dispose() => reader.Dispose();
}
