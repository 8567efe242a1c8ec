using System.Buffers;

namespace EventDbx.Events;

/// <summary>One member name that the scanner has met, and the value it got.</summary>
internal struct JsonName
{
    /// <summary>Where the name starts in what was sent, behind its quote.</summary>
    public int At;

    /// <summary>Bytes of the name, unescaped.</summary>
    public int Length;

    /// <summary>Where the unescaped name starts in <see cref="JsonNames.Unescaped"/>; −1 when it has no escapes.</summary>
    public int UnescapedAt;

    /// <summary>Where the name and its value start in the minified text.</summary>
    public int TextAt, ValueAt;

    /// <summary>Bytes of the value in the minified text.</summary>
    public int ValueLength;

    public readonly bool IsUnescaped => UnescapedAt >= 0;
}

/// <summary>The names of the objects a scanner is in, as a stack: finds duplicates when an object closes.</summary>
/// <remarks>Lives on the caller's stack and rents when that is too small. Dispose gives back.</remarks>
internal ref struct JsonNames(ReadOnlySpan<byte> sent, Span<JsonName> names, Span<byte> unescaped)
{
    // Up to here insertion beats the heap, and most objects are smaller. Beyond, its square would be an attack.
    const int InsertionNamesMax = 24;

    readonly ReadOnlySpan<byte> _sent = sent;
    Span<JsonName> _names = names;
    Span<byte> _unescaped = unescaped;
    JsonName[]? _rentedNames;
    byte[]? _rentedBytes;
    int _unescapedLength;

    public int Count { get; private set; }

    public readonly ReadOnlySpan<JsonName> All => _names[..Count];

    /// <summary>The unescaped names, one behind the other; <see cref="JsonName.UnescapedAt"/> points into it.</summary>
    public readonly ReadOnlySpan<byte> Unescaped => _unescaped[.._unescapedLength];

    public readonly (int Count, int UnescapedLength) Mark => (Count, _unescapedLength);

    public readonly ReadOnlySpan<byte> Utf8Of(in JsonName name) =>
        name.IsUnescaped ? _unescaped.Slice(name.UnescapedAt, name.Length) : _sent.Slice(name.At, name.Length);

    /// <summary>Adds a name and returns its unescaped length in bytes.</summary>
    /// <param name="at">Where it starts in what was sent.</param>
    /// <param name="rawLength">Its bytes there.</param>
    /// <param name="escaped">Whether there are escapes among them.</param>
    /// <param name="textAt">Where it starts in the minified text.</param>
    public int Push(int at, int rawLength, bool escaped, int textAt)
    {
        if (Count == _names.Length)
            Grow(ref _names, ref _rentedNames, Count, 2 * Count);
        ref var name = ref _names[Count++];
        name = new() { At = at, Length = rawLength, UnescapedAt = -1, TextAt = textAt };
        if (!escaped)
            return rawLength;

        var needed = _unescapedLength + rawLength;
        if (needed > _unescaped.Length)
            Grow(ref _unescaped, ref _rentedBytes, _unescapedLength, Math.Max(2 * _unescaped.Length, needed));
        name.UnescapedAt = _unescapedLength;
        name.Length = JsonEscape.Unescape(_sent.Slice(at, rawLength), _unescaped[_unescapedLength..]);
        _unescapedLength += name.Length;
        return name.Length;
    }

    public readonly void SetValue(int index, int valueAt, int valueLength) =>
        (_names[index].ValueAt, _names[index].ValueLength) = (valueAt, valueLength);

    /// <summary>Sorts the names from <paramref name="first"/> on by their bytes; false when one stands there twice.</summary>
    public readonly bool TrySort(int first, out JsonName duplicate)
    {
        var names = _names[first..Count];
        if (names.Length <= InsertionNamesMax)
            SortByInsertion(names);
        else
            SortByHeap(names);

        for (var i = 1; i < names.Length; i++)
        {
            if (Compare(names[i - 1], names[i]) != 0)
                continue;
            duplicate = names[i - 1].At > names[i].At ? names[i - 1] : names[i];
            return false;
        }

        duplicate = default;
        return true;
    }

    /// <summary>Forgets the names added since the mark.</summary>
    public void Pop((int Count, int UnescapedLength) mark) => (Count, _unescapedLength) = mark;

    public readonly void Dispose()
    {
        if (_rentedNames is not null)
            ArrayPool<JsonName>.Shared.Return(_rentedNames);
        if (_rentedBytes is not null)
            ArrayPool<byte>.Shared.Return(_rentedBytes);
    }

    readonly int Compare(in JsonName left, in JsonName right) => Utf8Of(left).SequenceCompareTo(Utf8Of(right));

    readonly void SortByInsertion(Span<JsonName> names)
    {
        for (var i = 1; i < names.Length; i++)
        {
            if (Compare(names[i - 1], names[i]) <= 0)
                continue;
            var name = names[i];
            var at = i;
            for (; at > 0 && Compare(names[at - 1], name) > 0; at--)
                names[at] = names[at - 1];
            names[at] = name;
        }
    }

    readonly void SortByHeap(Span<JsonName> names)
    {
        for (var root = (names.Length / 2) - 1; root >= 0; root--)
            SiftDown(names, root);
        for (var last = names.Length - 1; last > 0; last--)
        {
            (names[0], names[last]) = (names[last], names[0]);
            SiftDown(names[..last], 0);
        }
    }

    readonly void SiftDown(Span<JsonName> heap, int root)
    {
        var name = heap[root];
        for (var child = (2 * root) + 1; child < heap.Length; child = (2 * root) + 1)
        {
            if (child + 1 < heap.Length && Compare(heap[child], heap[child + 1]) < 0)
                child++;
            if (Compare(heap[child], name) <= 0)
                break;
            heap[root] = heap[child];
            root = child;
        }

        heap[root] = name;
    }

    static void Grow<T>(ref Span<T> items, ref T[]? rented, int used, int sizeMin)
    {
        var larger = ArrayPool<T>.Shared.Rent(sizeMin);
        items[..used].CopyTo(larger);
        if (rented is not null)
            ArrayPool<T>.Shared.Return(rented);
        items = rented = larger;
    }
}
