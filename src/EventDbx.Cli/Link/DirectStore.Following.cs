using EventDbx.Mirroring;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli;

/// <summary>The mirror of another store, in this process: it follows as long as the command runs.</summary>
internal sealed partial class DirectStore
{
    public IFollowing FollowingOf(ConfigFile file, Shell shell) =>
        new Direct(new(database, file, TransferDesk.DialFrom(NodeIdentity.PathOf(file.Config), shell.Clock), shell.Clock), session);

    sealed class Direct(FollowDesk desk, Session session) : IFollowing
    {
        public bool GoesOn => false;

        public IAsyncEnumerable<FollowerStatus> FollowAsync(string remote, CancellationToken cancellation) => desk.FollowAsync(session, remote, cancellation);

        public Task<string> GetLeaderAsync(CancellationToken cancellation) => Task.FromResult(desk.GetLeader(session));

        public Task<Promotion> PromoteAsync(string? comment, CancellationToken cancellation) => desk.PromoteAsync(session, comment, cancellation);
    }
}
