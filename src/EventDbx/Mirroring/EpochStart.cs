using System.Text.Json;
using System.Text.Json.Serialization;
using EventDbx.Access;
using EventDbx.Recovery;

namespace EventDbx.Mirroring;

/// <summary>Where an epoch begins, as the log says it: by an entry <c>epoch</c>, or by one of an accepted loss.</summary>
/// <param name="Kind">Of the entry.</param>
/// <param name="Epoch">The one that begins.</param>
/// <param name="Kept">Entries before it.</param>
/// <param name="Root">Root of the log over them; null where the entry does not say it.</param>
/// <param name="HistoryChanged">Whether what was kept is not what was there before.</param>
/// <param name="Checkpoint">The newest one that was known to be signed before; null for none.</param>
internal sealed record EpochStart(string Kind, uint Epoch, ulong Kept, Hash32? Root, bool HistoryChanged, LastCheckpoint? Checkpoint)
{
    public static bool IsKind(string kind) => kind is NewEpoch.Kind or AcceptedLoss.Kind;

    /// <summary>What a control entry of such a kind says; null for another kind, and for one that cannot be read.</summary>
    public static EpochStart? TryRead(EntryRow entry) => entry.Type switch
    {
        AcceptedLoss.Kind when AcceptedLoss.TryRead(entry) is { } loss => new(entry.Type, loss.Epoch, loss.Kept, null, loss.HistoryChanged is not null, loss.Checkpoint),
        NewEpoch.Kind when NewEpoch.TryRead(entry.Body.Span) is { } start && Hash32.TryParse(start.Root, out var root) =>
            new(entry.Type, start.Epoch, start.Kept, root, HistoryChanged: false, start.Checkpoint),
        _ => null,
    };
}

/// <summary>The body of the control entry <c>epoch</c>: the first of a new epoch, whose history goes on where that of another one ended.</summary>
/// <param name="Epoch">The epoch it begins.</param>
/// <param name="Cause">Why: <see cref="Promotion"/> or <see cref="Restore"/>.</param>
/// <param name="Kept">Entries before it: what both histories have in common.</param>
/// <param name="Root">Root of the log over them, 64 hex digits.</param>
/// <param name="Origin">What checkpoints called the log before.</param>
/// <param name="Leader">Of a promotion: whose log it was.</param>
/// <param name="Checkpoint">The newest checkpoint before it: of a promotion that of the leader which was verified here, of a restore that of the log itself. Null for none.</param>
/// <param name="CheckpointKey">Of a promotion: the vkey that signed it.</param>
/// <param name="Comment">For people; left out where there is none.</param>
internal sealed record NewEpoch(
    uint Epoch, string Cause, ulong Kept, string Root, string Origin, EpochLeader? Leader, LastCheckpoint? Checkpoint, string? CheckpointKey,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Comment)
{
    /// <summary>Of a restore: the id of the backup; left out where it has none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Backup { get; init; }

    /// <summary>Of a restore: entries of the backup's log, of which the first <see cref="Kept"/> were kept; left out otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ulong? Of { get; init; }

    /// <summary>Of a restore: what became of tokens, <c>kept</c> or <c>rotated</c>; left out otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Tokens { get; init; }

    public const string Kind = ControlKinds.Epoch;

    /// <summary>A mirror became a leader.</summary>
    public const string Promotion = "promotion";

    /// <summary>A backup was restored: behind it history goes on otherwise than where the backup was taken.</summary>
    public const string Restore = "restore";

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, NewEpochJson.Default.NewEpoch);

    /// <summary>Reads it; null when it is none.</summary>
    public static NewEpoch? TryRead(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, NewEpochJson.Default.NewEpoch) is { Root: not null } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A leader, in the entry of an epoch.</summary>
internal sealed record EpochLeader(string Name, string PublicKey);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(NewEpoch))]
internal sealed partial class NewEpochJson : JsonSerializerContext;
