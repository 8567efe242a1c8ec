using System.Buffers.Binary;
using System.IO.Hashing;

namespace EventDbx.Storage;

/// <summary>The rows of family <c>state</c>: one sealed blob while small, one sealed row a field above.</summary>
internal static class StateRows
{
    static ReadOnlySpan<byte> BlobPlace => "state"u8;

    const int FieldTagBytes = 16;

    /// <summary>What one state row adds to the digest in its head.</summary>
    public static ulong Digest(ReadOnlySpan<byte> key, ReadOnlySpan<byte> body) =>
        XxHash3.HashToUInt64(body, (long)XxHash3.HashToUInt64(key));

    /// <summary>The last part of a field row's key: the name, or its tag in an encrypted store.</summary>
    public static ReadOnlySpan<byte> FieldKeyPart(AggregateCipher? cipher, ReadOnlySpan<byte> name, Span<byte> tag)
    {
        if (cipher is null)
            return name;
        cipher.FieldTag(name, tag[..FieldTagBytes]);
        return tag[..FieldTagBytes];
    }

    /// <summary>Puts the blob row and returns its digest.</summary>
    public static ulong PutBlob(WritePlan plan, AggregateKey aggregate, AggregateCipher? cipher, ReadOnlySpan<byte> blob, NoncePool nonces)
    {
        var row = Checked.Open(plan, Family.State, aggregate.Row, Sealer.SealedBytes(cipher, blob.Length));
        Sealer.Seal(cipher, Purpose.State, BlobPlace, blob, row.Body, nonces);
        row.Close();
        return Digest(aggregate.Row, row.Body);
    }

    /// <summary>Puts one field row and returns its digest.</summary>
    public static ulong PutField(
        WritePlan plan, AggregateKey aggregate, AggregateCipher? cipher, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, NoncePool nonces)
    {
        Span<byte> key = stackalloc byte[Keyspace.KeyBytesMax];
        Span<byte> tag = stackalloc byte[FieldTagBytes];
        var part = FieldKeyPart(cipher, name, tag);
        key = key[..Keyspace.WriteField(key, aggregate, part)];

        var content = new byte[2 + name.Length + value.Length];
        BinaryPrimitives.WriteUInt16BigEndian(content, (ushort)name.Length);
        name.CopyTo(content.AsSpan(2));
        value.CopyTo(content.AsSpan(2 + name.Length));

        var row = Checked.Open(plan, Family.State, key, Sealer.SealedBytes(cipher, content.Length));
        Sealer.Seal(cipher, Purpose.State, part, content, row.Body, nonces);
        row.Close();
        return Digest(key, row.Body);
    }

    /// <summary>Puts a whole state, in the form that fits its size, and notes it in the head.</summary>
    public static void PutAll(WritePlan plan, AggregateKey aggregate, HeadRow head, AggregateCipher? cipher, byte[] fields, NoncePool nonces)
    {
        (head.StateForm, head.StateDigest) = (StateForm.None, 0);
        (head.StateFields, head.StateBytes) = (StateText.FieldCount(fields), StateText.ContentBytes(fields));
        if (head.StateFields == 0)
            return;
        if (fields.Length <= Limits.StateBlobBytesMax)
        {
            (head.StateForm, head.StateDigest) = (StateForm.Blob, PutBlob(plan, aggregate, cipher, fields, nonces));
            return;
        }

        head.StateForm = StateForm.Fields;
        foreach (var field in StateText.Fields(fields))
            head.StateDigest += PutField(plan, aggregate, cipher, field.Name, field.Value, nonces);
    }

    /// <summary>Deletes every state row of an aggregate.</summary>
    public static void Delete(IStorageView view, AggregateKey aggregate, StateForm form, WritePlan plan)
    {
        if (form == StateForm.Blob)
            plan.Delete(Family.State, aggregate.Row);
        if (form != StateForm.Fields)
            return;
        ReadOnlySpan<byte> from = Keyspace.Prefix(aggregate);
        var end = Keyspace.AfterAggregate(aggregate);
        while (view.Range(Family.State, from, end, Limits.PageItemsMax, Limits.PageBytesMax) is { Count: > 0 } rows)
        {
            foreach (var row in rows)
                plan.Delete(Family.State, row.Key);
            from = (byte[])[.. rows[^1].Key, 0];
        }
    }

    /// <summary>One field row as it is stored: its digest and the bytes of its name and value; null when there is none.</summary>
    public static (ulong Digest, int Bytes)? FindField(IStorageView view, AggregateKey aggregate, AggregateCipher? cipher, ReadOnlySpan<byte> name)
    {
        Span<byte> key = stackalloc byte[Keyspace.KeyBytesMax];
        Span<byte> tag = stackalloc byte[FieldTagBytes];
        key = key[..Keyspace.WriteField(key, aggregate, FieldKeyPart(cipher, name, tag))];
        if (Checked.Get(view, Family.State, key) is not { } body)
            return null;
        return (Digest(key, body.Span), Sealer.OpenedBytes(cipher, body.Length) - 2);
    }

    /// <summary>The value of one field of a state in rows; null when there is none.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[]? FindFieldValue(IStorageView view, AggregateKey aggregate, AggregateCipher? cipher, ReadOnlySpan<byte> name)
    {
        Span<byte> buffer = stackalloc byte[Keyspace.KeyBytesMax];
        Span<byte> tag = stackalloc byte[FieldTagBytes];
        var key = buffer[..Keyspace.WriteField(buffer, aggregate, FieldKeyPart(cipher, name, tag))].ToArray();
        if (Checked.Get(view, Family.State, key) is not { } body)
            return null;
        var (found, value) = OpenField(cipher, key, Keyspace.Prefix(aggregate).Length, body);
        return found.AsSpan().SequenceEqual(name) ? value.ToArray() : throw Violation.OfRow(Family.State, key, "it holds another field than its key says");
    }

    /// <summary>Reads the whole state as one blob and holds it against its head.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[] Read(IStorageView view, AggregateKey aggregate, HeadRow head, AggregateCipher? cipher)
    {
        var fields = head.StateForm switch
        {
            StateForm.None => StateText.Empty,
            StateForm.Blob => ReadBlob(view, aggregate, head, cipher),
            StateForm.Fields => ReadFields(view, aggregate, head, cipher),
        };
        if (StateText.FieldCount(fields) != head.StateFields)
            throw Violation.Of($"The state of {aggregate} has {StateText.FieldCount(fields)} fields where its head says {head.StateFields}.");
        return fields;
    }

    static byte[] ReadBlob(IStorageView view, AggregateKey aggregate, HeadRow head, AggregateCipher? cipher)
    {
        var body = Checked.Get(view, Family.State, aggregate.Row)
            ?? throw Violation.Of($"The state of {aggregate} is missing; its head is at version {head.Version}.");
        return OpenBlob(aggregate, head, cipher, body);
    }

    /// <summary>Opens the blob row and holds it against its head.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[] OpenBlob(AggregateKey aggregate, HeadRow head, AggregateCipher? cipher, ReadOnlyMemory<byte> body)
    {
        if (Digest(aggregate.Row, body.Span) != head.StateDigest)
            throw NotOfItsHead(aggregate, head);
        var blob = new byte[Sealer.OpenedBytes(cipher, body.Length)];
        if (!Sealer.TryOpen(cipher, Purpose.State, BlobPlace, body.Span, blob) || !StateText.Validate(blob))
            throw Violation.Of($"The state of {aggregate} does not open: it was changed, or belongs elsewhere.");
        return blob;
    }

    static byte[] ReadFields(IStorageView view, AggregateKey aggregate, HeadRow head, AggregateCipher? cipher)
    {
        var fields = new List<(byte[] Name, ReadOnlyMemory<byte> Value)>(head.StateFields);
        ulong digest = 0;
        foreach (var field in ReadFieldRows(view, aggregate, cipher))
        {
            digest += field.Digest;
            fields.Add((field.Name, field.Value));
        }

        if (digest != head.StateDigest)
            throw NotOfItsHead(aggregate, head);
        fields.Sort((a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        var blob = StateText.Build(fields);
        return StateText.Validate(blob) ? blob : throw Violation.Of($"The fields of {aggregate} do not make a state: one is there twice, or empty.");
    }

    /// <summary>One field of a state in rows.</summary>
    public readonly record struct Field(byte[] Name, ReadOnlyMemory<byte> Value, ulong Digest);

    /// <summary>Every field row of an aggregate, in the order of their keys; whether they fit its head is for the caller to say.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static List<Field> ReadFieldRows(IStorageView view, AggregateKey aggregate, AggregateCipher? cipher)
    {
        var prefix = Keyspace.Prefix(aggregate);
        var end = Keyspace.AfterAggregate(aggregate);
        var fields = new List<Field>();
        ReadOnlySpan<byte> from = prefix;
        while (true)
        {
            var rows = view.Range(Family.State, from, end, Limits.PageItemsMax, Limits.PageBytesMax);
            foreach (var (key, value) in rows)
            {
                var body = Checked.Body(Family.State, key, value);
                var (name, content) = OpenField(cipher, key, prefix.Length, body);
                fields.Add(new(name, content, Digest(key, body.Span)));
            }

            if (rows.Count == 0)
                return fields;
            from = (byte[])[.. rows[^1].Key, 0];
        }
    }

    /// <summary>Opens a field row.</summary>
    /// <param name="cipher">Of its aggregate.</param>
    /// <param name="key">Where it stands.</param>
    /// <param name="prefixBytes">Bytes of the key before the field's part.</param>
    /// <param name="body">Its content, checked.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static (byte[] Name, ReadOnlyMemory<byte> Value) OpenField(AggregateCipher? cipher, byte[] key, int prefixBytes, ReadOnlyMemory<byte> body)
    {
        var part = key.AsSpan(prefixBytes);
        var content = new byte[Sealer.OpenedBytes(cipher, body.Length)];
        if (!Sealer.TryOpen(cipher, Purpose.State, part, body.Span, content) || content.Length < 2)
            throw Violation.OfRow(Family.State, key, "it does not open");
        var nameBytes = BinaryPrimitives.ReadUInt16BigEndian(content);
        if (content.Length < 2 + nameBytes)
            throw Violation.OfRow(Family.State, key, "it is cut short");
        var name = content[2..(2 + nameBytes)];
        return cipher is not null || part.SequenceEqual(name)
            ? (name, content.AsMemory(2 + nameBytes))
            : throw Violation.OfRow(Family.State, key, "it holds another field than its key says");
    }

    public static RefusedException NotOfItsHead(AggregateKey aggregate, HeadRow head) =>
        Violation.Of($"The state of {aggregate} is not the one its head at version {head.Version} was committed with.");
}
