namespace EventDbx.Storage;

/// <summary>The sealed body of an event: salt [16], then the payload. The place is the event id.</summary>
internal static class EventBody
{
    public const int SaltBytes = 16;

    public static byte[] Seal(AggregateCipher? cipher, Guid eventId, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> payload, NoncePool nonces)
    {
        var rented = System.Buffers.ArrayPool<byte>.Shared.Rent(SaltBytes + payload.Length);
        try
        {
            var content = rented.AsSpan(0, SaltBytes + payload.Length);
            salt.CopyTo(content);
            payload.CopyTo(content[SaltBytes..]);
            Span<byte> place = stackalloc byte[16];
            eventId.TryWriteBytes(place, bigEndian: true, out _);
            var body = new byte[Sealer.SealedBytes(cipher, content.Length)];
            Sealer.Seal(cipher, Purpose.Body, place, content, body, nonces);
            return body;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Salt and payload; false when the body does not open in its place.</summary>
    public static bool TryOpen(AggregateCipher? cipher, EntryRow entry, out ReadOnlyMemory<byte> salt, out ReadOnlyMemory<byte> payload)
    {
        (salt, payload) = (default, default);
        var bytes = Sealer.OpenedBytes(cipher, entry.Body.Length);
        if (bytes < SaltBytes)
            return false;
        var content = new byte[bytes];
        Span<byte> place = stackalloc byte[16];
        entry.EventId.TryWriteBytes(place, bigEndian: true, out _);
        if (!Sealer.TryOpen(cipher, Purpose.Body, place, entry.Body.Span, content))
            return false;
        (salt, payload) = (content.AsMemory(0, SaltBytes), content.AsMemory(SaltBytes));
        return true;
    }
}
