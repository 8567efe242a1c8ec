using EventDbx.Server.Plugins;
using EventDbx.Server.Replication.Transfer;
using EventDbx.Server.Tokens;
using EventDbx.Transfer;
using EventDbx.Verification;

namespace EventDbx.Cli;

/// <summary>The store open in this process, and what the caller may do there.</summary>
/// <param name="database">Closed with it.</param>
/// <param name="tokens">The same; null where the command has nothing to do with tokens.</param>
/// <param name="session">The caller's.</param>
/// <param name="plugins">Closed with it.</param>
/// <param name="transfers">Of this database.</param>
internal sealed partial class DirectStore(Database database, TokenAuthority? tokens, Session session, PluginDesk plugins, TransferDesk transfers) : IStore
{
    public Task<AppendResult> AppendAsync(EventDraft draft, CancellationToken cancellation) => session.AppendAsync(draft, cancellation);

    public Task<AggregateState> CreateAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        session.CreateAsync(aggregate, comment, cancellation);

    public Task RemoveAsync(AggregateKey aggregate, CancellationToken cancellation) => session.RemoveAsync(aggregate, cancellation);

    public Task<AggregateState> ArchiveAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        session.ArchiveAsync(aggregate, comment, cancellation);

    public Task<AggregateState> RestoreAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        session.RestoreAsync(aggregate, comment, cancellation);

    public Task<AggregateState> GetAggregateAsync(AggregateKey aggregate, ulong? version, Timestamp? at, CancellationToken cancellation) =>
        Task.FromResult(version is { } wanted ? session.GetAggregate(aggregate, wanted)
            : at is { } moment ? session.GetAggregate(aggregate, moment)
            : session.GetAggregate(aggregate));

    public Task<EventPage> GetEventsAsync(AggregateKey aggregate, ulong from, int take, CancellationToken cancellation) =>
        Task.FromResult(session.GetEvents(aggregate, from, take));

    public Task<AggregatePage> GetAggregatesAsync(
        AggregateFilter filter, byte[]? after, long skip, int take, bool withState, CancellationToken cancellation) =>
        Task.FromResult(session.GetAggregates(filter, after, skip, take, withState, cancellation: cancellation));

    public Task<VerifyResult> VerifyAsync(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation) =>
        session.VerifyAsync(aggregate, level, cancellation);

    public Task<VerifyAllResult> VerifyAllAsync(bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation) =>
        session.VerifyAllAsync(progress, cancellation, resume);

    Task<IReadOnlyList<bool>> IImportTarget.TakeDraftsAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation) =>
        ((IImportTarget)session).TakeDraftsAsync(drafts, cancellation);

    Task<IReadOnlyList<bool>> IImportTarget.TakeRecordsAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation) =>
        ((IImportTarget)session).TakeRecordsAsync(records, cancellation);

    public Task NoteImportAsync(long lines, long appended, long known, CancellationToken cancellation) =>
        session.NoteImportAsync(lines, appended, known, cancellation);

    public Task<IssuedToken> IssueTokenAsync(TokenRequest request, CancellationToken cancellation) => Tokens.IssueAsync(session, request, cancellation);

    public Task<IReadOnlyList<TokenListing>> ListTokensAsync(CancellationToken cancellation) => Task.FromResult(Tokens.List(session));

    public Task<TokenRevocation> RevokeTokenAsync(string tokenOrJti, string? reason, CancellationToken cancellation) =>
        Tokens.RevokeAsync(session, tokenOrJti, reason, cancellation);

    public Task<IssuedToken> RefreshTokenAsync(string tokenOrJti, TokenRefresh refresh, CancellationToken cancellation) =>
        Tokens.RefreshAsync(session, tokenOrJti, refresh, cancellation);

    public Task<SecretRotation> RotateSecretAsync(TimeSpan? overlap, CancellationToken cancellation) =>
        Tokens.RotateSecretAsync(session, overlap ?? TokenBounds.OverlapDefault, cancellation);

    public async ValueTask DisposeAsync()
    {
        if (tokens is not null)
            await tokens.DisposeAsync().ConfigureAwait(false);
        plugins.Dispose();
        await database.DisposeAsync().ConfigureAwait(false);
    }

    TokenAuthority Tokens => tokens ?? throw new InvalidOperationException("The store was opened without its tokens.");
}
