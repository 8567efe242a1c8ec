using System.Buffers.Binary;
using System.Text;

namespace EventDbx.Integrity;

/// <summary>The leaf hash of one entry of the log: SHA-256(00 ‖ entry), every byte of the entry delimited.</summary>
/// <remarks>
/// <code>
/// lp(x) = u32be length ‖ bytes        opt(x) = 00 | 01 ‖ x
/// event   = 01 lp(aggregate_type) lp(aggregate_id) u64be(version) lp(event_type) event_id[16] i64be(created_at)
///           opt(lp(group) lp(user)) opt(lp(note)) prev_root[32] lp(payload) salt[16]
/// control = 02 lp(kind) lp(subject) i64be(time) opt(lp(group) lp(user)) lp(body) salt[16]
/// </code>
/// Nothing here belongs to one database, so an entry keeps its hash wherever it travels. Ids are in RFC 9562 order,
/// times count 100 ns from 1970-01-01Z. Source: docs/integrity.md, "One leaf, two trees".
/// </remarks>
internal static class EntryHash
{
    /// <summary>Length of a salt in bytes.</summary>
    public const int SaltBytes = 16;

    const byte EventKind = 0x01;
    const byte ControlKind = 0x02;
    const int IdBytes = 16;
    const int LengthBytes = sizeof(uint);

    /// <summary>The hash of an event.</summary>
    /// <param name="key">The aggregate.</param>
    /// <param name="version">1 for the aggregate's first event.</param>
    /// <param name="eventType">UTF-8.</param>
    /// <param name="eventId">Any RFC 9562 UUID.</param>
    /// <param name="createdAt">100 ns since 1970-01-01Z.</param>
    /// <param name="actor">Null: none, which is not the same as an empty one.</param>
    /// <param name="note">Null: none, which is not the same as an empty one.</param>
    /// <param name="prevRoot">The aggregate's root over versions 1 … version − 1.</param>
    /// <param name="payload">As stored.</param>
    /// <param name="salt16">Exactly 16 bytes.</param>
    public static Hash32 OfEvent(
        AggregateKey key, ulong version, ReadOnlySpan<byte> eventType, Guid eventId, long createdAt, Actor? actor,
        string? note, in Hash32 prevRoot, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> salt16)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(salt16.Length, SaltBytes, nameof(salt16));
        var noteBytes = note is null ? 0 : Encoding.UTF8.GetByteCount(note);
        var length = 2
            + LengthBytes + key.TypeUtf8.Length + LengthBytes + key.IdUtf8.Length + sizeof(ulong)
            + LengthBytes + eventType.Length + IdBytes + sizeof(long)
            + LengthOf(actor) + 1 + (note is null ? 0 : LengthBytes + noteBytes)
            + Hash32.Length + LengthBytes + payload.Length + SaltBytes;

        using PooledBytes buffer = new(length, stackalloc byte[PooledBytes.StackBytes]);
        EntryWriter entry = new(buffer.Span);
        entry.Byte(MerkleNode.LeafPrefix);
        entry.Byte(EventKind);
        entry.Prefixed(key.TypeUtf8);
        entry.Prefixed(key.IdUtf8);
        entry.UInt64(version);
        entry.Prefixed(eventType);
        entry.Id(eventId);
        entry.Int64(createdAt);
        entry.Optional(actor);
        entry.Optional(note, noteBytes);
        entry.Hash(prevRoot);
        entry.Prefixed(payload);
        entry.Raw(salt16);
        return entry.Digest();
    }

    /// <summary>The hash of a control entry.</summary>
    /// <param name="kind">What was done, UTF-8.</param>
    /// <param name="subject">To what, UTF-8.</param>
    /// <param name="time">100 ns since 1970-01-01Z.</param>
    /// <param name="actor">Null: none, which is not the same as an empty one.</param>
    /// <param name="body">A JSON document, as stored.</param>
    /// <param name="salt16">Exactly 16 bytes.</param>
    public static Hash32 OfControl(
        ReadOnlySpan<byte> kind, ReadOnlySpan<byte> subject, long time, Actor? actor,
        ReadOnlySpan<byte> body, ReadOnlySpan<byte> salt16)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(salt16.Length, SaltBytes, nameof(salt16));
        var length = 2
            + LengthBytes + kind.Length + LengthBytes + subject.Length + sizeof(long)
            + LengthOf(actor) + LengthBytes + body.Length + SaltBytes;

        using PooledBytes buffer = new(length, stackalloc byte[PooledBytes.StackBytes]);
        EntryWriter entry = new(buffer.Span);
        entry.Byte(MerkleNode.LeafPrefix);
        entry.Byte(ControlKind);
        entry.Prefixed(kind);
        entry.Prefixed(subject);
        entry.Int64(time);
        entry.Optional(actor);
        entry.Prefixed(body);
        entry.Raw(salt16);
        return entry.Digest();
    }

    static int LengthOf(Actor? actor) =>
        actor is null ? 1 : 1 + LengthBytes + actor.GroupUtf8.Length + LengthBytes + actor.UserUtf8.Length;

    /// <summary>Writes the parts of an entry one after the other into a buffer that fits it exactly.</summary>
    ref struct EntryWriter(Span<byte> buffer)
    {
        readonly Span<byte> _buffer = buffer;
        int _at;

        public void Byte(byte value) => _buffer[_at++] = value;

        public void UInt64(ulong value)
        {
            BinaryPrimitives.WriteUInt64BigEndian(_buffer[_at..], value);
            _at += sizeof(ulong);
        }

        public void Int64(long value) => UInt64((ulong)value);

        public void Id(Guid id)
        {
            id.TryWriteBytes(_buffer[_at..], bigEndian: true, out var written);
            _at += written;
        }

        public void Hash(in Hash32 hash)
        {
            hash.Write(_buffer[_at..]);
            _at += Hash32.Length;
        }

        public void Raw(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_buffer[_at..]);
            _at += bytes.Length;
        }

        public void Prefixed(ReadOnlySpan<byte> bytes)
        {
            Length(bytes.Length);
            Raw(bytes);
        }

        public void Optional(Actor? actor)
        {
            Byte(actor is null ? (byte)0 : (byte)1);
            if (actor is null)
                return;
            Prefixed(actor.GroupUtf8);
            Prefixed(actor.UserUtf8);
        }

        public void Optional(string? text, int textBytes)
        {
            Byte(text is null ? (byte)0 : (byte)1);
            if (text is null)
                return;
            Length(textBytes);
            _at += Encoding.UTF8.GetBytes(text, _buffer[_at..]);
        }

        public readonly Hash32 Digest()
        {
            // A length that disagrees with what was written would hash bytes of nobody's choosing.
            if (_at != _buffer.Length)
                throw new InvalidOperationException($"An entry of {_buffer.Length} bytes was written as {_at}.");
            return Hash32.Of(_buffer);
        }

        void Length(int length)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_buffer[_at..], (uint)length);
            _at += LengthBytes;
        }
    }
}
