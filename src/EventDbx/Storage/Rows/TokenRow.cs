namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>tokens</c>, under 01 and the token's id [16]: flags u8 (1 dead) | spent u64 | expires_at i64 (0: the store has no say).</summary>
internal readonly record struct TokenRow(ulong Spent, long ExpiresAt, bool Dead)
{
    public const int EncodedBytes = 1 + 8 + 8;

    public const int KeyBytes = 1 + 16;

    public static void WriteKey(Span<byte> target, Guid token)
    {
        target[0] = 1;
        token.TryWriteBytes(target[1..], bigEndian: true, out _);
    }

    public static bool IsKey(ReadOnlySpan<byte> key) => key.Length == KeyBytes && key[0] == 1;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U8(Dead ? (byte)1 : (byte)0);
        row.U64(Spent);
        row.I64(ExpiresAt);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out TokenRow token)
    {
        var row = new RowReader(bytes);
        var flags = row.U8();
        token = new(row.U64(), row.I64(), flags == 1);
        return row.Finished && flags <= 1 && Timestamp.IsInRange(token.ExpiresAt);
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static TokenRow? Find(IStorageView view, Guid token)
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        WriteKey(key, token);
        if (Checked.Get(view, Family.Tokens, key) is not { } body)
            return null;
        return TryRead(body, out var row) ? row : throw Violation.OfRow(Family.Tokens, key, "it cannot be read");
    }
}
