namespace EventDbx.Integrity;

/// <summary>The two ways a hash enters a tree. The first byte keeps a node from being passed off as a leaf.</summary>
/// <remarks>Source: RFC 6962 §2.1.</remarks>
internal static class MerkleNode
{
    /// <summary>What a leaf's content starts with.</summary>
    public const byte LeafPrefix = 0x00;

    /// <summary>What a node's content starts with.</summary>
    public const byte NodePrefix = 0x01;

    /// <summary>The parent of two nodes: SHA-256(01 ‖ left ‖ right).</summary>
    public static Hash32 Join(Hash32 left, Hash32 right)
    {
        Span<byte> content = stackalloc byte[1 + Hash32.Length + Hash32.Length];
        content[0] = NodePrefix;
        left.Write(content[1..]);
        right.Write(content[(1 + Hash32.Length)..]);
        return Hash32.Of(content);
    }

    /// <summary>A leaf: SHA-256(00 ‖ entry). Events and control entries are hashed by <see cref="EntryHash"/>.</summary>
    public static Hash32 Leaf(ReadOnlySpan<byte> entry)
    {
        using PooledBytes content = new(1 + entry.Length, stackalloc byte[PooledBytes.StackBytes]);
        content.Span[0] = LeafPrefix;
        entry.CopyTo(content.Span[1..]);
        return Hash32.Of(content.Span);
    }
}
