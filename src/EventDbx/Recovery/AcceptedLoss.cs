using System.Text.Json;
using System.Text.Json.Serialization;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>The body of the control entry <c>accepted_loss</c>, the last one of a rebuilt store.</summary>
/// <param name="Epoch">The epoch it begins.</param>
/// <param name="Kept">Entries before it.</param>
/// <param name="Lost">Entries that were synced and are gone; null when that is not known.</param>
/// <param name="SyncedSize">The watermark of the damaged store; null when it had none.</param>
/// <param name="SyncedRoot">The root at that size.</param>
/// <param name="HistoryChanged">What differs when the kept entries are not the ones that were synced.</param>
/// <param name="Checkpoint">The newest checkpoint that was signed before; null when none is known.</param>
internal sealed record AcceptedLoss(
    uint Epoch, ulong Kept, ulong? Lost, ulong? SyncedSize, string? SyncedRoot, string? HistoryChanged, LastCheckpoint? Checkpoint = null)
{
    public const string Kind = "accepted_loss";

    public static AcceptedLoss Of(RecoveryReport report, in WatermarkSlot? mark, uint epoch, Checkpoints.Checkpoint? checkpoint) => new(
        epoch, report.Kept, report.Lost, mark?.LogSize, mark?.LogRoot.ToString(), report.HistoryChanged,
        checkpoint is null ? null : new(checkpoint.Origin, checkpoint.Size, checkpoint.Root.ToString()));

    /// <summary>What the recovery that wrote it reported.</summary>
    public RecoveryReport Report(string damage, string? movedTo) => new(damage, Kept, SyncedSize, null, movedTo) { HistoryChanged = HistoryChanged };

    /// <summary>Whether it closes the recovery of the store that this watermark belongs to.</summary>
    public bool Answers(in WatermarkSlot? mark) => mark is { } slot
        ? SyncedSize == slot.LogSize && SyncedRoot == slot.LogRoot.ToString() && slot.Epoch < Epoch
        : SyncedSize is null;

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, AcceptedLossJson.Default.AcceptedLoss);

    /// <summary>Reads it from the end of a store; null when that store is not a completely rebuilt one, or hangs.</summary>
    public static AcceptedLoss? Find(string store, TimeSpan limit)
    {
        var finding = Task.Factory.StartNew(() => Find(store), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return finding.Wait(limit) ? finding.GetAwaiter().GetResult() : null;
    }

    static AcceptedLoss? Find(string store)
    {
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(store, new());
            using var view = engine.OpenView();
            var last = view.Range(Family.Log, Keyspace.Position(1), [], 1, int.MaxValue, backwards: true);
            if (last is not [var row] || EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is not { IsControl: true, Type: Kind } entry)
                return null;
            var loss = JsonSerializer.Deserialize(entry.Body.Span, AcceptedLossJson.Default.AcceptedLoss);
            return loss is not null && loss.Kept + 1 == LogTreeStore.Load(view).Size && loss.Epoch == StoreRow.Find(view)?.Epoch ? loss : null;
        }
        catch (Exception cause) when (cause is StorageFailedException or RefusedException or JsonException)
        {
            return null;
        }
    }
}

/// <summary>What the log was last said to be by its own signature.</summary>
/// <param name="Origin">Which log, and which epoch of it.</param>
/// <param name="Size">Entries.</param>
/// <param name="Root">64 hex digits.</param>
internal sealed record LastCheckpoint(string Origin, ulong Size, string Root);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(AcceptedLoss))]
internal sealed partial class AcceptedLossJson : JsonSerializerContext;
