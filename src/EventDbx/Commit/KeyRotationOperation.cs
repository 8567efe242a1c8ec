namespace EventDbx.Commit;

/// <summary>What a step of a rotation does.</summary>
internal enum KeyRotationStep
{
    /// <summary>The store takes note of the next key; from the next group on it wraps what is new.</summary>
    Begin,

    /// <summary>Some entries' keys are wrapped with the next key.</summary>
    Rewrap,

    /// <summary>Nothing is wrapped with the old key any more: it is forgotten.</summary>
    End,
}

/// <summary>One step of the replacement of the data key. No log entry of its own; <see cref="Operation.Aggregate"/> plays no part. Alone in its group.</summary>
internal sealed class KeyRotationOperation : Operation
{
    public required KeyRotationStep Step { get; init; }

    /// <summary>Of a beginning: the next key, of its generation. The key ring's from then on.</summary>
    public DataKey? Next { get; init; }

    /// <summary>Of a beginning: the row's part, without its end.</summary>
    public KeyRotationState? State { get; init; }

    /// <summary>Entries that bring a key: their positions, rising.</summary>
    public IReadOnlyList<ulong> Positions { get; init; } = [];

    /// <summary>Up to here every entry has been looked at.</summary>
    public ulong Cursor { get; init; }

    /// <summary>The first entry that an earlier step has left as it was; the cursor stays before it.</summary>
    public ulong? FirstLeft { get; init; }

    /// <summary>Bytes of the entries at the positions.</summary>
    public int RowBytes { get; init; }

    /// <summary>How far the writer came: less than the cursor where the rows became too many bytes for one commit. Set whenever it is planned, as the next two.</summary>
    public ulong Reached { get; set; }

    /// <summary>Keys that were wrapped again.</summary>
    public ulong Wrapped { get; set; }

    /// <summary>Entries whose key was left as it is, and why: they, or the head or archive record, are damaged.</summary>
    public List<(ulong Position, string Why)> Left { get; } = [];

    public override int Bytes => 512 + (Positions.Count * 512) + RowBytes;
}
