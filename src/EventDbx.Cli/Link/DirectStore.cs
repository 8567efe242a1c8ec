using EventDbx.Transfer;
using EventDbx.Verification;

namespace EventDbx.Cli;

/// <summary>The store open in this process, and what the caller may do there.</summary>
internal sealed class DirectStore(Database database, Session session) : IStore
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
        Task.FromResult(session.GetAggregates(filter, after, skip, take, withState));

    public Task<VerifyResult> VerifyAsync(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation) =>
        session.VerifyAsync(aggregate, level, cancellation);

    public Task<VerifyAllResult> VerifyAllAsync(IProgress<VerifyProgress>? progress, CancellationToken cancellation) =>
        session.VerifyAllAsync(progress, cancellation);

    Task<IReadOnlyList<bool>> IImportTarget.TakeDraftsAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation) =>
        ((IImportTarget)session).TakeDraftsAsync(drafts, cancellation);

    Task<IReadOnlyList<bool>> IImportTarget.TakeRecordsAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation) =>
        ((IImportTarget)session).TakeRecordsAsync(records, cancellation);

    public Task NoteImportAsync(long lines, long appended, long known, CancellationToken cancellation) =>
        session.NoteImportAsync(lines, appended, known, cancellation);

    public ValueTask DisposeAsync() => database.DisposeAsync();
}
