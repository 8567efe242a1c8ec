namespace EventDbx.Events;

/// <summary>Walks the fields of a <see cref="StateText"/> blob in order.</summary>
internal ref struct StateFields
{
    ReadOnlySpan<byte> _rest;
    uint _left;

    public StateFields(ReadOnlySpan<byte> blob)
    {
        _left = StateText.ReadLength(ref blob);
        _rest = blob;
    }

    public StateField Current { get; private set; }

    public readonly StateFields GetEnumerator() => this;

    /// <exception cref="InvalidDataException">The blob is not well-formed from here on.</exception>
    public bool MoveNext()
    {
        if (_left == 0)
            return false;
        if (!StateText.TryTake(ref _rest, out var name) || !StateText.TryTake(ref _rest, out var value))
            throw StateText.Broken();
        Current = new(name, value);
        _left--;
        return true;
    }
}
