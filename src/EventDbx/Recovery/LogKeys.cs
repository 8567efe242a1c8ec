using System.Text.Json;

namespace EventDbx.Recovery;

/// <summary>Which data keys a log was wrapped with, where the row that says so cannot be read.</summary>
/// <remarks>
/// Each wrapped key names the generation of the data key that wrapped it: so every given key is tried with every generation
/// that the log has, and within a rotation there are two.
/// </remarks>
internal sealed class LogKeys
{
    /// <summary>Wrapped keys of one generation that are tried: one that does not open may be the only damaged one.</summary>
    const int SamplesMax = 16;

    readonly SortedDictionary<uint, List<(AggregateKey Aggregate, ReadOnlyMemory<byte> Wrapped)>> _samples = [];
    uint _noted;

    /// <summary>Whether any entry brings a key.</summary>
    public bool Any => _samples.Count > 0;

    /// <summary>The last entry that could be read.</summary>
    public ulong End { get; private set; }

    /// <summary>A generation that wrapped keys in the log, and that no given key is; null: each is opened, or nothing was tried.</summary>
    public uint? Missing { get; private set; }

    /// <summary>Reads the log as far as RocksDB shows it.</summary>
    public static LogKeys Read(IStorageView view)
    {
        var found = new LogKeys();
        try
        {
            for (var next = 1UL; view.Range(Family.Log, Keyspace.Position(next), [], Limits.PageItemsMax, Limits.PageBytesMax) is { Count: > 0 } rows; next = found.End + 1)
            {
                foreach (var row in rows)
                {
                    if (row.Key.Length != sizeof(ulong))
                        return found;
                    found.End = Keyspace.ReadPosition(row.Key);
                    if (Checked.TryBody(Family.Log, row.Key, row.Value, out var body) && EntryRow.TryRead(body) is { } entry)
                        found.Note(entry);
                }
            }
        }
        catch (Exception cause) when (Salvage.IsUnreadable(cause))
        {
            // What lies behind the damage is not kept either.
        }

        return found;
    }

    void Note(EntryRow entry)
    {
        if (entry is { IsControl: true, Type: "key_rotation" })
            _noted = Math.Max(_noted, GenerationIn(entry.Body));
        if (entry.WrappedKey.IsEmpty || (entry.Aggregate ?? LifecycleNames.Aggregate(entry.Subject)) is not { } aggregate)
            return;
        var generation = SealedValue.EpochOf(entry.WrappedKey.Span);
        if (!_samples.TryGetValue(generation, out var samples))
            _samples.Add(generation, samples = []);
        if (samples.Count < SamplesMax)
            samples.Add((aggregate, entry.WrappedKey.ToArray()));
    }

    static uint GenerationIn(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.TryGetProperty("generation"u8, out var of) && of.TryGetUInt32(out var generation) ? generation : 0;
        }
        catch (Exception cause) when (cause is JsonException or InvalidOperationException)
        {
            return 0;
        }
    }

    /// <summary>The given keys, each of the generation it is; the newest last.</summary>
    /// <param name="key">That of now.</param>
    /// <param name="next">The one that a rotation leads to.</param>
    /// <param name="retired">Those before: a store that was not rotated with others has one of them.</param>
    public DataKeys Of(DataKey key, DataKey? next, IReadOnlyList<DataKey> retired)
    {
        List<DataKey> found = [];
        foreach (var (generation, samples) in _samples)
        {
            if (Opening(generation, samples, [key, next, .. retired]) is { } fits)
                found.Add(fits);
            else
                Missing = generation;
        }

        if (found.Count == 0)
        {
            // Nothing to try them with: the log's own word on rotations, or else the first.
            var newest = Math.Max(_noted, next is null ? SealedValue.FirstEpoch : SealedValue.FirstEpoch + 1);
            return next is null ? new(key.Copy(newest)) : new(key.Copy(newest - 1), next.Copy(newest));
        }

        // Every key is wrapped again, but documents may not be sealed again yet.
        if (found is [{ Generation: > SealedValue.FirstEpoch } only] && next is not null && only.IsSameAs(next))
            found.Insert(0, key.Copy(only.Generation - 1));
        return new([.. found]);
    }

    static DataKey? Opening(uint generation, List<(AggregateKey Aggregate, ReadOnlyMemory<byte> Wrapped)> samples, DataKey?[] given)
    {
        var unwrapped = new byte[SubKey.Bytes];
        foreach (var key in given)
        {
            var copy = key?.Copy(generation);
            if (copy is null)
                continue;
            var opens = samples.Exists(sample => copy.TryUnwrap(sample.Aggregate, sample.Wrapped.Span, unwrapped));
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(unwrapped);
            if (opens)
                return copy;
            copy.Dispose();
        }

        return null;
    }
}
