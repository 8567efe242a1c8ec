namespace EventDbx.Server.Replication;

/// <summary>Opens a session with a remote: dials, proves who we are, and that the other end has the pinned key.</summary>
/// <param name="endpoint">As the configuration has it: <c>tcp://host:port</c>.</param>
/// <param name="key">Pinned: nobody else is talked to.</param>
/// <param name="cancellation">Gives it up.</param>
/// <exception cref="RefusedException">The other end refused this node (<see cref="RefusalCode.PermissionDenied"/>), or is another one.</exception>
/// <exception cref="ReplicaLostException">It cannot be reached.</exception>
public delegate Task<IReplica> Dial(string endpoint, PeerKey key, CancellationToken cancellation);
