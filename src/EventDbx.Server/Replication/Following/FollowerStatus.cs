using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Replication.Following;

/// <summary>How it stands between a mirror and its leader.</summary>
public enum FollowCondition
{
    /// <summary>The store is a mirror, and no remote is followed: it stays as it is.</summary>
    Idle,

    /// <summary>The leader is dialled, for the first time since the start.</summary>
    Connecting,

    /// <summary>Pages come, and there is more behind them.</summary>
    Following,

    /// <summary>It has all that the leader has, and waits there for more.</summary>
    CaughtUp,

    /// <summary>The leader is not reached; it is tried again.</summary>
    Lost,

    /// <summary>The leader does not let this node in, or is not the one whose key is pinned; it is tried again.</summary>
    Refused,

    /// <summary>The histories part: it follows no more.</summary>
    Diverged,

    /// <summary>What came cannot be taken, or this store cannot be a mirror of that leader: it follows no more.</summary>
    Stopped,
}

/// <summary>A mirror and its leader, as status shows them.</summary>
public sealed record FollowerStatus
{
    /// <summary>Of the remote.</summary>
    public required string Remote { get; init; }

    public required FollowCondition Condition { get; init; }

    /// <summary>Entries of the log that are here.</summary>
    public required ulong Position { get; init; }

    /// <summary>Entries that the leader had when it last answered; null: it has not, since the start.</summary>
    public ulong? LeaderEnd { get; init; }

    /// <summary>How many entries that is behind; null as <see cref="LeaderEnd"/>.</summary>
    public ulong? LagEntries => LeaderEnd is { } end ? end > Position ? end - Position : 0 : null;

    /// <summary>Since the leader last answered; null as <see cref="LeaderEnd"/>.</summary>
    public TimeSpan? SinceContact { get; init; }

    /// <summary>Why it does not follow, in a sentence or two; null while it does.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether only somebody's hand makes it follow again.</summary>
    public bool IsOver => Condition is FollowCondition.Diverged or FollowCondition.Stopped;

    /// <summary>Writes it as a JSON object.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        var members = new JsonMembers(output);
        members.Text("remote"u8, Remote);
        members.Text("condition"u8, NameOf(Condition));
        members.Number("position"u8, Position);
        members.NumberOrNull("leader_end"u8, LeaderEnd);
        members.NumberOrNull("lag_entries"u8, LagEntries);
        members.NumberOrNull("seconds_since_contact"u8, SinceContact is { } since ? (ulong)since.TotalSeconds : null);
        members.TextOrNull("problem"u8, Problem);
        members.End();
    }

    /// <summary>Reads what <see cref="Write"/> writes.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static FollowerStatus Read(JsonElement json) => new()
    {
        Remote = json.GetProperty("remote").GetString()!,
        Condition = ConditionOf(json.GetProperty("condition").GetString()),
        Position = json.GetProperty("position").GetUInt64(),
        LeaderEnd = Number(json.GetProperty("leader_end")),
        SinceContact = Number(json.GetProperty("seconds_since_contact")) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        Problem = json.GetProperty("problem").GetString(),
    };

    public static string NameOf(FollowCondition condition) => condition switch
    {
        FollowCondition.Idle => "idle",
        FollowCondition.Connecting => "connecting",
        FollowCondition.Following => "following",
        FollowCondition.CaughtUp => "caught_up",
        FollowCondition.Lost => "lost",
        FollowCondition.Refused => "refused",
        FollowCondition.Diverged => "diverged",
        FollowCondition.Stopped => "stopped",
    };

    static ulong? Number(JsonElement json) => json.ValueKind == JsonValueKind.Null ? null : json.GetUInt64();

    static FollowCondition ConditionOf(string? name)
    {
        foreach (var condition in Enum.GetValues<FollowCondition>())
        {
            if (NameOf(condition) == name)
                return condition;
        }

        throw new FormatException($"`condition` is \"{name}\", which this version does not know.");
    }
}
