using EventDbx.Server.Tokens;
using EventDbx.Transfer;
using EventDbx.Verification;

namespace EventDbx.Cli;

/// <summary>What commands need of a store, wherever it is open: in this process, or in a server.</summary>
/// <remarks>
/// Both roads give the same answers and the same refusals. A state comes whole and typed; which fields of it are shown, and how,
/// the command decides.
/// </remarks>
internal partial interface IStore : IImportTarget, IExportSource, IAsyncDisposable
{
    Task<AppendResult> AppendAsync(EventDraft draft, CancellationToken cancellation);

    Task<AggregateState> CreateAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation);

    Task RemoveAsync(AggregateKey aggregate, CancellationToken cancellation);

    Task<AggregateState> ArchiveAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation);

    Task<AggregateState> RestoreAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation);

    /// <summary>An aggregate at a version, or at a moment, or, without either, now.</summary>
    Task<AggregateState> GetAggregateAsync(AggregateKey aggregate, ulong? version, Timestamp? at, CancellationToken cancellation);

    /// <summary>A page of events; it may be shorter than asked for, and then says where the next one begins.</summary>
    Task<EventPage> GetEventsAsync(AggregateKey aggregate, ulong from, int take, CancellationToken cancellation);

    /// <summary>A page of aggregates; it may be shorter than asked for, and then has a cursor.</summary>
    Task<AggregatePage> GetAggregatesAsync(AggregateFilter filter, byte[]? after, long skip, int take, bool withState, CancellationToken cancellation);

    Task<VerifyResult> VerifyAsync(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation);

    /// <param name="resume">Go on with one that was interrupted.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Interrupts it.</param>
    Task<VerifyAllResult> VerifyAllAsync(bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation);

    Task<IssuedToken> IssueTokenAsync(TokenRequest request, CancellationToken cancellation);

    Task<IReadOnlyList<TokenListing>> ListTokensAsync(CancellationToken cancellation);

    Task<TokenRevocation> RevokeTokenAsync(string tokenOrJti, string? reason, CancellationToken cancellation);

    Task<IssuedToken> RefreshTokenAsync(string tokenOrJti, TokenRefresh refresh, CancellationToken cancellation);

    /// <summary>Replaces the secret that signs tokens.</summary>
    /// <param name="overlap">How long tokens of the old one are still taken; null: as usual.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task<SecretRotation> RotateSecretAsync(TimeSpan? overlap, CancellationToken cancellation);
}
