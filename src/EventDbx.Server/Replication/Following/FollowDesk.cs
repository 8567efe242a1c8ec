using System.Runtime.CompilerServices;
using EventDbx.Mirroring;
using EventDbx.Server.Admin;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Replication.Following;

/// <summary>Following and promoting for a command that has the directory open: there is no follower, and nothing goes on when it ends.</summary>
/// <param name="database">Open; where it is to become a mirror with <see cref="DatabaseOptions.Follow"/>.</param>
/// <param name="file">Where remotes are kept.</param>
/// <param name="dial">Opens the session with the leader.</param>
/// <param name="clock">Of its timeouts.</param>
public sealed class FollowDesk(Database database, ConfigFile file, Dial dial, TimeProvider clock)
{
    /// <summary>As it follows "only a root token may", on both roads.</summary>
    internal const string MayFollow = "make the database follow another one";

    /// <inheritdoc cref="MayFollow"/>
    internal const string MayPromote = "promote a mirror";

    readonly PeerSettings _settings = new(file, database);

    /// <summary>Makes the store the mirror of a remote, keeps that in the configuration, and copies until there is nothing more at the leader.</summary>
    /// <exception cref="RefusedException">Not root; no such remote; the store cannot be its mirror; or a page cannot be taken. What was copied before holds.</exception>
    /// <exception cref="ReplicaLostException">The leader is not reached, or is gone; likewise.</exception>
    public async IAsyncEnumerable<FollowerStatus> FollowAsync(Session by, string remote, [EnumeratorCancellation] CancellationToken cancellation)
    {
        by.DemandRoot(MayFollow);
        var place = file.Config.Remotes.GetValueOrDefault(remote) ?? throw RemoteRules.Absent(remote);
        var session = await FollowSession.BeginAsync(MirrorStore.Of(database), remote, place, dial, clock, cancellation).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            // At once: a start goes on with what was begun.
            await _settings.FollowAsync(by, remote).ConfigureAwait(false);
            await foreach (var step in session.RunAsync(cancellation).ConfigureAwait(false))
            {
                yield return new()
                {
                    Remote = remote, Condition = step.CaughtUp ? FollowCondition.CaughtUp : FollowCondition.Following, Position = step.Position, LeaderEnd = step.LeaderEnd, SinceContact = TimeSpan.Zero,
                };
                if (step.CaughtUp)
                    yield break;
            }
        }
    }

    /// <summary>Whose mirror the store is.</summary>
    /// <exception cref="RefusedException">Not root, or it is none.</exception>
    public string GetLeader(Session by)
    {
        by.DemandRoot(MayPromote);
        return Follower.LeaderOf(database.Mirror);
    }

    /// <summary>Makes the store a leader, which nobody is followed by any more.</summary>
    /// <exception cref="RefusedException">Not root, or it is no mirror.</exception>
    public async Task<Promotion> PromoteAsync(Session by, string? comment, CancellationToken cancellation)
    {
        _ = GetLeader(by);
        // First, so that a crash between leaves a mirror that follows nobody, and no leader that would follow.
        await _settings.FollowAsync(by, null).ConfigureAwait(false);
        return await database.Mirror.PromoteAsync(by.Actor, comment, cancellation).ConfigureAwait(false);
    }

    /// <summary>What is said where one is to be, and is not yet.</summary>
    internal static RefusedException NotBegun(string name) => new(
        RefusalCode.InvalidArgument,
        $"This database is configured to follow '{name}' and has not begun to, so it takes no writes and there is no mirror to promote. `dbx status` says why it has not begun; to lead instead, take `mode` out of [remotes.{name}] in the configuration and restart.");

    /// <summary>What is said where no mirror is.</summary>
    public static RefusedException NoMirror() =>
        new(RefusalCode.InvalidArgument, "This database is no mirror: it has a history of its own and takes writes already. Only a mirror (`dbx follow`) is promoted.");
}
