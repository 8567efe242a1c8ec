namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>index</c>: position u64 | created_at i64 | leaf hash [32].</summary>
internal readonly record struct IndexRow(ulong Position, long CreatedAt, Hash32 Leaf)
{
    public const int EncodedBytes = 8 + 8 + Hash32.Length;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Position);
        row.I64(CreatedAt);
        row.Hash(Leaf);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out IndexRow index)
    {
        var row = new RowReader(bytes);
        index = new(row.U64(), row.I64(), row.Hash());
        return row.Finished && Timestamp.IsInRange(index.CreatedAt);
    }
}

/// <summary>A row of family <c>ids</c>: version u64 | request fingerprint [32], hidden in an encrypted store (<see cref="AggregateCipher.HideFingerprint"/>).</summary>
internal readonly record struct IdRow(ulong Version, Hash32 Fingerprint)
{
    public const int EncodedBytes = 8 + Hash32.Length;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Version);
        row.Hash(Fingerprint);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out IdRow id)
    {
        var row = new RowReader(bytes);
        id = new(row.U64(), row.Hash());
        return row.Finished;
    }
}

/// <summary>The row <c>log</c> of family <c>meta</c>: size u64 | frontier of the log tree.</summary>
internal static class LogSizeRow
{
    public static byte[] Write(MerkleTree tree)
    {
        var bytes = new byte[8 + tree.EncodedBytes];
        var row = new RowWriter(bytes);
        row.U64(tree.Size);
        tree.Write(row.Take(tree.EncodedBytes));
        row.Done();
        return bytes;
    }

    public static MerkleTree? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var size = row.U64();
        var frontier = row.Rest();
        return row.Finished && MerkleTree.TryRead(frontier.Span, size, out var tree) ? tree : null;
    }
}

/// <summary>The row <c>store</c> of family <c>meta</c>: what this store is.</summary>
/// <remarks>
/// <code>format u32 | database id [16] | epoch u32 | flags u8 (1 encrypted, 2 mirror) | created_at i64 | key check u16+ | {rotation}</code>
/// The key check opens only with the store's own data key: a wrong key is found before anything is read. The rotation stands there
/// while one data key replaces another.
/// </remarks>
internal sealed record StoreRow(uint Format, Guid DatabaseId, uint Epoch, bool Encrypted, long CreatedAt, ReadOnlyMemory<byte> KeyCheck)
{
    /// <summary>How far the replacement of the data key is; null while none is under way.</summary>
    public KeyRotationState? Rotation { get; init; }

    /// <summary>Whether it is the mirror of another store's log; then the row `mirror` says of whose.</summary>
    public bool Mirror { get; init; }

    /// <summary>Which data key it is, 1 for the first; 0 in a plain store.</summary>
    public uint KeyGeneration => DataKey.GenerationOf(KeyCheck.Span);

    /// <summary>Raised with every change of any layout. Until 2.1.0 is tagged it may change freely.</summary>
    /// <remarks>
    /// 2: data keys have generations (the row `store`, sealed documents and their rows), fingerprints in an encrypted store are a MAC, control entries name
    /// where they came from. 3: heads count the snapshots that somebody took.
    /// </remarks>
    public const uint CurrentFormat = 3;

    const int EncryptedFlag = 1, MirrorFlag = 2;

    public byte[] Write()
    {
        var bytes = new byte[4 + 16 + 4 + 1 + 8 + 2 + KeyCheck.Length + (Rotation?.EncodedBytes ?? 0)];
        var row = new RowWriter(bytes);
        row.U32(Format);
        row.Id(DatabaseId);
        row.U32(Epoch);
        row.U8((byte)((Encrypted ? EncryptedFlag : 0) | (Mirror ? MirrorFlag : 0)));
        row.I64(CreatedAt);
        row.Short(KeyCheck.Span);
        Rotation?.Write(ref row);
        row.Done();
        return bytes;
    }

    /// <summary>The row of a store; null when it has none, or one that cannot be read.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static StoreRow? Find(IStorageView view) =>
        Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body ? TryRead(body) : null;

    /// <summary>Reads the row; null when it is not one. Another format is returned with that number and nothing else.</summary>
    public static StoreRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var format = row.U32();
        if (!row.Ok)
            return null;
        if (format != CurrentFormat)
            return new(format, default, 0, false, 0, default);
        var (id, epoch, flags) = (row.Id(), row.U32(), row.U8());
        var store = new StoreRow(format, id, epoch, (flags & EncryptedFlag) != 0, row.I64(), row.Short().ToArray()) { Mirror = (flags & MirrorFlag) != 0 };
        if (row.Ok && !row.Finished)
            store = store with { Rotation = KeyRotationState.Read(ref row) };
        return row.Finished && (flags & ~(EncryptedFlag | MirrorFlag)) == 0 ? store : null;
    }
}

/// <summary>In the row <c>store</c>: a data key that is being replaced by another.</summary>
/// <remarks>
/// <code>next key check u16+ | old key under the next u16+ | next key under the old u16+ | cursor u64 | end u64</code>
/// Until the end either key opens the store. Entries up to the cursor have been looked at, and whatever key they bring is wrapped with the
/// next data key; entries beyond the end were committed since, and bring keys that are.
/// </remarks>
internal sealed record KeyRotationState(ReadOnlyMemory<byte> NextCheck, ReadOnlyMemory<byte> OldUnderNext, ReadOnlyMemory<byte> NextUnderOld, ulong Cursor, ulong End)
{
    /// <summary>At its beginning: each key sealed with the other.</summary>
    public static KeyRotationState Of(DataKey old, DataKey next, ReadOnlySpan<byte> databaseId, NoncePool nonces) =>
        new(next.MakeCheck(databaseId), next.SealKey(old, databaseId, nonces), old.SealKey(next, databaseId, nonces), 0, 0);

    public int EncodedBytes => (3 * 2) + NextCheck.Length + OldUnderNext.Length + NextUnderOld.Length + (2 * 8);

    public void Write(ref RowWriter row)
    {
        row.Short(NextCheck.Span);
        row.Short(OldUnderNext.Span);
        row.Short(NextUnderOld.Span);
        row.U64(Cursor);
        row.U64(End);
    }

    public static KeyRotationState Read(ref RowReader row) =>
        new(row.Short().ToArray(), row.Short().ToArray(), row.Short().ToArray(), row.U64(), row.U64());
}

/// <summary>A row <c>document</c> of family <c>meta</c>: revision u64 | gone u8. The newest revision of a sealed document that the store knows of.</summary>
internal readonly record struct DocumentRow(ulong Revision, bool Gone)
{
    public const int EncodedBytes = 8 + 1;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Revision);
        row.U8(Gone ? (byte)1 : (byte)0);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out DocumentRow document)
    {
        var row = new RowReader(bytes);
        var (revision, gone) = (row.U64(), row.U8());
        document = new(revision, gone == 1);
        return row.Finished && gone <= 1;
    }

    /// <summary>What the store knows; none when nothing was ever kept under that name.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static DocumentRow? Find(IStorageView view, string name)
    {
        var key = Keyspace.DocumentRow(name);
        if (Checked.Get(view, Family.Meta, key) is not { } body)
            return null;
        return TryRead(body, out var row) ? row : throw Violation.OfRow(Family.Meta, key, "it cannot be read");
    }
}
