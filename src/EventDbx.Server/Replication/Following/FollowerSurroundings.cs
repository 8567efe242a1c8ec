using EventDbx.Server.Configuration;

namespace EventDbx.Server.Replication.Following;

/// <summary>What a follower works with.</summary>
internal sealed record FollowerSurroundings
{
    /// <summary>The settings as they are now: which remote is followed, where it is, its key.</summary>
    public required Func<ServerConfig> Settings { get; init; }

    public required Dial Dial { get; init; }

    public required TimeProvider Clock { get; init; }

    /// <summary>From 0 up to 1: scatters tries.</summary>
    public required Func<double> Jitter { get; init; }

    /// <summary>Told what happens; null: nobody is told.</summary>
    public Action<LogLine>? Log { get; init; }
}
