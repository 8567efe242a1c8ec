namespace EventDbx.Cli;

/// <summary>The audit.</summary>
internal sealed partial class DirectStore
{
    public Task<AuditPage> ReadAuditAsync(ulong after, int take, AuditFilter filter, CancellationToken cancellation) =>
        Task.FromResult(session.ReadAudit(after, take, filter));
}
