using System.Buffers.Binary;
using System.Text.Json;

namespace EventDbx.Verification;

/// <summary>The snapshots of one aggregate that somebody asked for: how many, and what each says beside its state.</summary>
/// <param name="Count">How many.</param>
/// <param name="Digest">SHA-256 over the digest before and version, time, comment: in their order, which is that of the log and of their keys.</param>
internal readonly record struct SnapshotTally(ulong Count, Hash32 Digest)
{
    public SnapshotTally With(ulong version, long createdAt, string? comment)
    {
        var text = comment is null ? 0 : Encoding.UTF8.GetByteCount(comment);
        using PooledBytes bytes = new(Hash32.Length + 17 + text, stackalloc byte[PooledBytes.StackBytes]);
        Digest.Write(bytes.Span);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.Span[Hash32.Length..], version);
        BinaryPrimitives.WriteInt64BigEndian(bytes.Span[(Hash32.Length + 8)..], createdAt);
        bytes.Span[Hash32.Length + 16] = comment is null ? (byte)0 : (byte)1;
        if (comment is not null)
            Encoding.UTF8.GetBytes(comment, bytes.Span[(Hash32.Length + 17)..]);
        return new(Count + 1, Hash32.Of(bytes.Span));
    }
}

/// <summary>What the control entries of the log say about snapshots; automatic ones have none, and are not counted.</summary>
/// <remarks>Kept for those aggregates alone that have such entries, some 80 bytes each, by a hash of their name.</remarks>
internal sealed class SnapshotLedger
{
    readonly Dictionary<UInt128, SnapshotTally> _told = [];
    ulong _seen;

    /// <summary>Takes the next control entry in log order.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it cannot be read.</exception>
    public void Note(ulong position, EntryRow entry)
    {
        if (entry.Type is not (LifecycleNames.Snapshot or LifecycleNames.Remove) || LifecycleNames.Aggregate(entry.Subject) is not { } aggregate)
            return;
        // What is removed takes its snapshots along.
        if (entry.Type == LifecycleNames.Remove)
            _told.Remove(KeyOf(aggregate));
        else
            _told[KeyOf(aggregate)] = _told.GetValueOrDefault(KeyOf(aggregate)).With(VersionIn(position, entry), entry.CreatedAt, LifecycleNames.CommentIn(entry.Body));
    }

    /// <summary>Holds the snapshots of an aggregate, once each, against its control entries.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Check(AggregateKey aggregate, SnapshotTally kept)
    {
        var told = _told.GetValueOrDefault(KeyOf(aggregate));
        if (kept.Count != told.Count)
            throw Violation.Of($"{aggregate} has {kept.Count} snapshots that somebody took, but the log has entries of {told.Count}: {(kept.Count < told.Count ? "one is missing" : "nothing in the log took one of them")}, or one was made out to be automatic.");
        if (kept != told)
            throw Violation.Of($"The {kept.Count} snapshots of {aggregate} are not those that the log has entries of: the version, the time or the comment of one was changed.");
        _seen += told.Count > 0 ? 1UL : 0;
    }

    /// <summary>Every aggregate that has such entries was there.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void CheckAllSeen()
    {
        if (_seen != (ulong)_told.Count)
            throw Violation.Of($"The log has snapshots of {_told.Count} aggregates, but only {_seen} of them are there.");
    }

    static ulong VersionIn(ulong position, EntryRow entry)
    {
        try
        {
            using var json = JsonDocument.Parse(entry.Body);
            return json.RootElement.GetProperty("version").GetUInt64();
        }
        catch (Exception cause) when (cause is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw Violation.Of($"The control entry `{entry.Type}` at position {position} names no version: {cause.Message}");
        }
    }

    static UInt128 KeyOf(AggregateKey aggregate) => Hash32.Of(aggregate.Row).High;
}
