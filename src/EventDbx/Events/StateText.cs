namespace EventDbx.Events;

/// <summary>One field of a state: its name (UTF-8, unescaped) and its value (minified JSON).</summary>
internal readonly ref struct StateField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    public ReadOnlySpan<byte> Name { get; } = name;

    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>The state of one aggregate as one blob: its fields, sorted by the bytes of their names.</summary>
/// <remarks>
/// <code>
/// count  (nameLength name valueLength value)*        lengths and count: varint
/// </code>
/// A blob that did not come from <see cref="Merge"/> is checked with <see cref="Validate"/> first; on any other the
/// verbs here throw <see cref="InvalidDataException"/>, and never read outside it.
/// </remarks>
internal static class StateText
{
    /// <summary>The state without fields.</summary>
    public static byte[] Empty { get; } = [0];

    public static int FieldCount(ReadOnlySpan<byte> blob) => (int)ReadLength(ref blob);

    /// <summary>The fields in order: <c>foreach (var field in StateText.Fields(blob))</c>, without allocating.</summary>
    public static StateFields Fields(ReadOnlySpan<byte> blob) => new(blob);

    /// <summary>One field's value; false when there is none of that name.</summary>
    public static bool TryFind(ReadOnlySpan<byte> blob, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (var field in Fields(blob))
        {
            var order = field.Name.SequenceCompareTo(name);
            if (order < 0)
                continue;
            value = order == 0 ? field.Value : default;
            return order == 0;
        }

        value = default;
        return false;
    }

    /// <summary>The state after a payload: its members replace or join the fields, the others stay.</summary>
    /// <returns>A new array of exactly its size; nothing else is allocated. The caller holds it against <see cref="Limits"/>.</returns>
    public static byte[] Merge(ReadOnlySpan<byte> blob, in JsonPayload payload)
    {
        var members = payload.Members;
        using PooledBytes scratch = new(blob.Length + BytesMaxOf(members), stackalloc byte[PooledBytes.StackBytes]);
        FieldWriter writer = new(scratch.Span);
        var next = 0;
        foreach (var field in Fields(blob))
        {
            // A member of the field's own name comes with the next turn, in the field's place.
            var order = -1;
            while (next < members.Length && (order = payload.NameOf(members[next]).SequenceCompareTo(field.Name)) < 0)
                writer.Write(in payload, members[next++]);
            if (next == members.Length || order > 0)
                writer.Write(field.Name, field.Value);
        }

        while (next < members.Length)
            writer.Write(in payload, members[next++]);
        return writer.ToBlob();
    }

    /// <summary>Bytes of names and values, without the lengths between them.</summary>
    public static int ContentBytes(ReadOnlySpan<byte> blob)
    {
        var bytes = 0;
        foreach (var field in Fields(blob))
            bytes += field.Name.Length + field.Value.Length;
        return bytes;
    }

    /// <summary>A blob of fields that are sorted by name already.</summary>
    public static byte[] Build(IReadOnlyList<(byte[] Name, ReadOnlyMemory<byte> Value)> fields)
    {
        var bytes = Varint.BytesMax;
        foreach (var (name, value) in fields)
            bytes += (2 * Varint.BytesMax) + name.Length + value.Length;
        FieldWriter writer = new(new byte[bytes]);
        foreach (var (name, value) in fields)
            writer.Write(name, value.Span);
        return writer.ToBlob();
    }

    /// <summary>Whether the bytes are a state: lengths that fit, names strictly rising, nothing behind the last field.</summary>
    /// <remarks>That each value is JSON is not looked at.</remarks>
    public static bool Validate(ReadOnlySpan<byte> blob)
    {
        if (!Varint.TryRead(ref blob, out var count))
            return false;
        ReadOnlySpan<byte> last = default;
        for (var i = 0u; i < count; i++)
        {
            if (!TryTake(ref blob, out var name) || !TryTake(ref blob, out var value) || value.IsEmpty
                || (i > 0 && last.SequenceCompareTo(name) >= 0))
                return false;
            last = name;
        }

        return blob.IsEmpty;
    }

    /// <summary>Reads a length and as many bytes, and moves past both.</summary>
    internal static bool TryTake(scoped ref ReadOnlySpan<byte> source, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (!Varint.TryRead(ref source, out var length) || length > (uint)source.Length)
            return false;
        bytes = source[..(int)length];
        source = source[(int)length..];
        return true;
    }

    internal static uint ReadLength(scoped ref ReadOnlySpan<byte> source) =>
        Varint.TryRead(ref source, out var length) && length <= int.MaxValue ? length : throw Broken();

    internal static InvalidDataException Broken() => new("A state blob is not well-formed.");

    static int BytesMaxOf(ReadOnlySpan<JsonMember> members)
    {
        var bytes = 0;
        foreach (ref readonly var member in members)
            bytes += (2 * Varint.BytesMax) + member.NameLength + member.ValueLength;
        return bytes;
    }

    ref struct FieldWriter(Span<byte> buffer)
    {
        readonly Span<byte> _buffer = buffer;
        int _at;
        int _count;

        public void Write(scoped in JsonPayload payload, scoped in JsonMember member) =>
            Write(payload.NameOf(member), payload.ValueOf(member));

        public void Write(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
        {
            _count++;
            Prefixed(name);
            Prefixed(value);
        }

        public readonly byte[] ToBlob()
        {
            Span<byte> count = stackalloc byte[Varint.BytesMax];
            count = count[..Varint.Write(count, (uint)_count)];
            return [.. count, .. _buffer[.._at]];
        }

        void Prefixed(scoped ReadOnlySpan<byte> bytes)
        {
            _at += Varint.Write(_buffer[_at..], (uint)bytes.Length);
            bytes.CopyTo(_buffer[_at..]);
            _at += bytes.Length;
        }
    }
}
