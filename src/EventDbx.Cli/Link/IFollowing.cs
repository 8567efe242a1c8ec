using EventDbx.Mirroring;
using EventDbx.Server.Replication.Following;

namespace EventDbx.Cli;

/// <summary>A store as the mirror of another one, wherever it is open.</summary>
internal interface IFollowing
{
    /// <summary>Whether it follows on by itself when the command has ended.</summary>
    bool GoesOn { get; }

    /// <summary>Follows a remote from now on; the last status is that of a mirror which has caught up, or does not go on.</summary>
    IAsyncEnumerable<FollowerStatus> FollowAsync(string remote, CancellationToken cancellation);

    /// <summary>Whose mirror it is.</summary>
    /// <exception cref="RefusedException">It is none.</exception>
    Task<string> GetLeaderAsync(CancellationToken cancellation);

    /// <summary>Makes it a leader.</summary>
    Task<Promotion> PromoteAsync(string? comment, CancellationToken cancellation);
}
