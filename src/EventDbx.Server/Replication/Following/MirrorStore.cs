using EventDbx.Mirroring;

namespace EventDbx.Server.Replication.Following;

/// <summary>The store that follows.</summary>
/// <param name="Mirror">Takes the leader's pages.</param>
/// <param name="End">Which log it has, and how far; the root belongs to the size where nobody writes but the follower.</param>
internal sealed record MirrorStore(IMirror Mirror, Func<LogEnd> End)
{
    public static MirrorStore Of(Database database) =>
        new(database.Mirror, () => new(database.DatabaseId, database.Epoch, database.LogSize, database.LogRoot, database.Encrypted));
}
