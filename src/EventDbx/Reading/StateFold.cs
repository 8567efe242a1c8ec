namespace EventDbx.Reading;

/// <summary>Folds payloads into a state.</summary>
/// <remarks>
/// While the state is small it is one blob, merged anew with each payload; above, a dictionary, for copying a large state
/// once an event would make a long history quadratic.
/// </remarks>
internal sealed class StateFold(byte[] fields)
{
    byte[]? _blob = fields;
    Dictionary<byte[], ReadOnlyMemory<byte>>? _byName;

    /// <summary>The state so far, as one blob.</summary>
    public byte[] Fields => _blob ??= Build();

    public int Count => _byName?.Count ?? StateText.FieldCount(_blob);

    /// <summary>A field's value so far; false when there is none of that name.</summary>
    public bool TryFind(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        if (_byName is null)
            return StateText.TryFind(_blob, name, out value);
        var found = _byName.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out var memory);
        value = memory.Span;
        return found;
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a stored payload is no payload.</exception>
    public void Apply(ReadOnlySpan<byte> payload)
    {
        if (!JsonPayload.TryParse(payload, out var parsed, out var refusal))
            throw Violation.Of($"A stored payload is not one we would have stored: {refusal.Message}");
        if (parsed.Members.Length == 0)
            return;
        if (_byName is null && _blob!.Length <= Limits.StateBlobBytesMax)
        {
            _blob = StateText.Merge(_blob, parsed);
            return;
        }

        var byName = (_byName ??= Split(_blob!)).GetAlternateLookup<ReadOnlySpan<byte>>();
        _blob = null;
        foreach (ref readonly var member in parsed.Members)
            byName[parsed.NameOf(member)] = parsed.ValueOf(member).ToArray();
    }

    static Dictionary<byte[], ReadOnlyMemory<byte>> Split(byte[] blob)
    {
        var byName = new Dictionary<byte[], ReadOnlyMemory<byte>>(ByteComparer.Instance);
        foreach (var field in StateText.Fields(blob))
            byName.Add(field.Name.ToArray(), field.Value.ToArray());
        return byName;
    }

    byte[] Build()
    {
        var fields = new List<(byte[] Name, ReadOnlyMemory<byte> Value)>(_byName!.Count);
        foreach (var (name, value) in _byName)
            fields.Add((name, value));
        fields.Sort(static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        return StateText.Build(fields);
    }
}
