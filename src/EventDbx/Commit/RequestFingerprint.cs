namespace EventDbx.Commit;

/// <summary>What makes two requests with one event id the same request.</summary>
internal static class RequestFingerprint
{
    /// <summary>The kind of an append that brings its payload.</summary>
    public static ReadOnlySpan<byte> Payload => "payload"u8;

    /// <summary>The kind of an append that brings a patch.</summary>
    public static ReadOnlySpan<byte> Patch => "patch"u8;

    /// <summary>SHA-256 of lp(kind) lp(event type) lp(minified payload or patch) opt(lp(note)), as in docs/integrity.md.</summary>
    public static Hash32 Of(ReadOnlySpan<byte> kind, ReadOnlySpan<byte> eventType, ReadOnlySpan<byte> content, string? note)
    {
        var noteBytes = note is null ? 0 : sizeof(uint) + Encoding.UTF8.GetByteCount(note);
        var length = (3 * sizeof(uint)) + kind.Length + eventType.Length + content.Length + 1 + noteBytes;
        using PooledBytes request = new(length, stackalloc byte[PooledBytes.StackBytes]);
        var row = new RowWriter(request.Span);
        row.Long(kind);
        row.Long(eventType);
        row.Long(content);
        row.U8(note is null ? (byte)0 : (byte)1);
        if (note is not null)
            row.Long(note);
        row.Done();
        return Hash32.Of(request.Span);
    }
}
