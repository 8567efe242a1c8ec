namespace EventDbx.Storage.Rows;

/// <summary>How an aggregate's state is laid out.</summary>
internal enum StateForm : byte
{
    /// <summary>No fields, no rows.</summary>
    None = 0,

    /// <summary>One row: all fields as one sealed blob.</summary>
    Blob = 1,

    /// <summary>One row a field. Once large, a state stays so.</summary>
    Fields = 2,
}

/// <summary>A row of family <c>heads</c>: the only mutable fact about an aggregate.</summary>
/// <remarks>
/// <code>
/// format u8 = 1 | state form u8 | version u64 | created_at i64 | updated_at i64 | first position u64 | last position u64 |
/// state fields u32 | state bytes u32 | snapshots u32 | state digest u64 | root [32] | wrapped key u16+ | frontier [32] × popcount(version)
/// </code>
/// The state digest binds the state to this head: the sum, modulo 2^64, of XxHash3 over key and body of each state row. A
/// state row put back from an earlier version is found by the read that meets it.
/// </remarks>
internal sealed class HeadRow
{
    public const byte Format = 1;

    public StateForm StateForm { get; set; }

    public ulong Version { get; set; }

    public long CreatedAt { get; set; }

    public long UpdatedAt { get; set; }

    public ulong FirstPosition { get; set; }

    public ulong LastPosition { get; set; }

    public int StateFields { get; set; }

    public int StateBytes { get; set; }

    /// <summary>Snapshots that somebody took; automatic ones are not counted.</summary>
    public uint Snapshots { get; set; }

    public ulong StateDigest { get; set; }

    public Hash32 Root { get; set; } = Hash32.Empty;

    public ReadOnlyMemory<byte> WrappedKey { get; set; }

    public MerkleTree Tree { get; set; } = new();

    public int EncodedBytes => 2 + (5 * 8) + 4 + 4 + 4 + 8 + Hash32.Length + 2 + WrappedKey.Length + Tree.EncodedBytes;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U8(Format);
        row.U8((byte)StateForm);
        row.U64(Version);
        row.I64(CreatedAt);
        row.I64(UpdatedAt);
        row.U64(FirstPosition);
        row.U64(LastPosition);
        row.U32((uint)StateFields);
        row.U32((uint)StateBytes);
        row.U32(Snapshots);
        row.U64(StateDigest);
        row.Hash(Root);
        row.Short(WrappedKey.Span);
        Tree.Write(row.Take(Tree.EncodedBytes));
        row.Done();
    }

    /// <summary>Reads a row; null when the bytes are not one.</summary>
    public static HeadRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        if (row.U8() != Format)
            return null;
        var head = new HeadRow
        {
            StateForm = (StateForm)row.U8(),
            Version = row.U64(),
            CreatedAt = row.I64(),
            UpdatedAt = row.I64(),
            FirstPosition = row.U64(),
            LastPosition = row.U64(),
            StateFields = (int)row.U32(),
            StateBytes = (int)row.U32(),
            Snapshots = row.U32(),
            StateDigest = row.U64(),
            Root = row.Hash(),
            WrappedKey = row.Short().ToArray(),
        };
        var frontier = row.Rest();
        if (head.StateForm > StateForm.Fields || !Timestamp.IsInRange(head.CreatedAt) || !Timestamp.IsInRange(head.UpdatedAt)
            || (uint)head.StateFields > Limits.StateFieldsMax || (uint)head.StateBytes > Limits.StateBytesMax)
            return null;
        if (!row.Finished || !MerkleTree.TryRead(frontier.Span, head.Version, out var tree))
            return null;
        head.Tree = tree;
        return head;
    }
}
