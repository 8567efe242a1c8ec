namespace EventDbx.Cli;

internal partial interface IStore
{
    /// <summary>A page of control entries after a position; it may be short, or empty, and still not be the last.</summary>
    Task<AuditPage> ReadAuditAsync(ulong after, int take, AuditFilter filter, CancellationToken cancellation);
}
