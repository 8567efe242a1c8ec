namespace EventDbx.Encryption;

/// <summary>The data keys that an open store works with: the newest one seals, and those before it open what they have sealed.</summary>
/// <remarks>
/// One, but for a store whose key is being replaced, or was since it was opened: whoever looks through an older view of the store
/// meets keys that were wrapped before. Thread-safe; the writer alone adds.
/// </remarks>
internal sealed class DataKeys : IDisposable
{
    volatile DataKey[] _keys;

    /// <param name="keys">Copies that belong to this object from now on, the newest one last.</param>
    public DataKeys(params DataKey[] keys) => _keys = keys;

    /// <summary>The one that seals.</summary>
    public DataKey Current => _keys[^1];

    /// <summary>The one before it; null where there is one alone.</summary>
    public DataKey? Former => _keys is [.., var former, _] ? former : null;

    /// <summary>The keys to a store; null when the one that was given is not one of them.</summary>
    /// <remarks>While one key replaces another, either opens the store: the row has each of them, sealed with the other.</remarks>
    public static DataKeys? Of(StoreRow store, DataKey given)
    {
        var id = store.DatabaseId.ToByteArray(bigEndian: true);
        if (given.Fit(id, store.KeyCheck.Span) is { } key)
        {
            if (store.Rotation is not { } rotation)
                return new(key);
            var next = key.OpenKey(DataKey.GenerationOf(rotation.NextCheck.Span), id, rotation.NextUnderOld.Span);
            if (next?.Matches(id, rotation.NextCheck.Span) == true)
                return new(key, next);
            next?.Dispose();
            key.Dispose();
            return null;
        }

        if (store.Rotation is not { } begun || given.Fit(id, begun.NextCheck.Span) is not { } newest)
            return null;
        var old = newest.OpenKey(DataKey.GenerationOf(store.KeyCheck.Span), id, begun.OldUnderNext.Span);
        if (old?.Matches(id, store.KeyCheck.Span) == true)
            return new(old, newest);
        old?.Dispose();
        newest.Dispose();
        return null;
    }

    /// <summary>The key of that generation; null when there is none.</summary>
    public DataKey? Find(uint generation) => Array.Find(_keys, key => key.Generation == generation);

    /// <summary>Each as text.</summary>
    public IEnumerable<string> Texts => _keys.Select(static key => key.ToBase64());

    /// <summary>From now on this one seals.</summary>
    public void Add(DataKey next) => _keys = [.. _keys, next];

    /// <summary>Whether the row is of a store with one of these keys.</summary>
    public bool Made(StoreRow store) =>
        Find(DataKey.GenerationOf(store.KeyCheck.Span))?.Matches(store.DatabaseId.ToByteArray(bigEndian: true), store.KeyCheck.Span) == true;

    /// <summary>Wipes them.</summary>
    public void Dispose()
    {
        foreach (var key in _keys)
            key.Dispose();
    }
}
