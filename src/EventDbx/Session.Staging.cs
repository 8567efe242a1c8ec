using EventDbx.Access;
using EventDbx.Staging;

namespace EventDbx;

/// <summary>The verbs of staging: appends that wait, and are committed together.</summary>
public sealed partial class Session
{
    /// <summary>Adds an append to those that wait, if together with them it could be committed now.</summary>
    /// <exception cref="RefusedException">Nothing was staged.</exception>
    public async Task<StagedEvent> StageAsync(EventDraft draft, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend, draft.Aggregate);
        if (draft.Check() is { } refusal)
            throw new RefusedException(refusal);
        Span<byte> random = stackalloc byte[EventIds.RandomBytes];
        _database.Nonces.Take(random);
        var staged = new StagedEvent(
            draft with { EventId = draft.EventId ?? EventIds.New(Timestamp.From(_database.Clock.GetUtcNow()), random) }, Actor);
        return await _database.Staging.RunAsync(
            async waiting =>
            {
                if (FindSame(waiting, staged) is { } known)
                    return ([.. waiting], known);
                List<StagedEvent> all = [.. waiting, staged];
                if (all.Count > Limits.BatchEventsMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"{waiting.Count} events are staged, and at most {Limits.BatchEventsMax} are committed at once. Commit them first.");
                await RehearseAsync(all, cancellation).ConfigureAwait(false);
                return (all, staged);
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>What is staged, in its order: those that this caller may read, without what schemas hide.</summary>
    public IReadOnlyList<StagedEvent> GetStaged()
    {
        Demand(AccessAction.AggregateRead);
        var sight = Sight;
        return
        [
            .. _database.Staging.Read()
                .Where(staged => Grants.Allows(AccessAction.AggregateRead, staged.Draft.Aggregate) && sight.Shows(staged.Draft.Aggregate))
                .Select(sight.Of),
        ];
    }

    /// <summary>Takes staged events back: one, or all that this caller may append. Returns how many.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: there is no such event.</exception>
    public Task<int> UnstageAsync(Guid? id, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend);
        return _database.Staging.RunAsync(
            waiting =>
            {
                if (id is { } one && !waiting.Any(staged => staged.Id == one))
                    throw new RefusedException(RefusalCode.NotFound, $"No staged event has the id {one}.");
                var left = new List<StagedEvent>();
                foreach (var staged in waiting)
                {
                    if (id is { } other && staged.Id != other)
                        left.Add(staged);
                    else if (id is not null)
                        Demand(AccessAction.AggregateAppend, staged.Draft.Aggregate);
                    else if (!Grants.Allows(AccessAction.AggregateAppend, staged.Draft.Aggregate))
                        left.Add(staged);
                }

                return Task.FromResult((left, waiting.Count - left.Count));
            },
            cancellation);
    }

    /// <summary>Commits everything that is staged in one batch, all or nothing, and exactly once, whatever happens in between.</summary>
    /// <exception cref="RefusedException">Nothing was written, and everything is still staged.</exception>
    public Task<IReadOnlyList<AppendResult>> CommitStagedAsync(CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend);
        return _database.Staging.RunAsync(
            async waiting =>
            {
                foreach (var staged in waiting)
                    Demand(AccessAction.AggregateAppend, staged.Draft.Aggregate);
                // Their ids make it once: what was committed before a crash is known, and is only taken off the list now.
                var results = waiting.Count == 0 ? [] : await CommitBatchAsync(PrepareAll(waiting, Prepare), cancellation).ConfigureAwait(false);
                return (new List<StagedEvent>(), results);
            },
            cancellation);
    }

    /// <summary>The same event, staged before: it is asked for twice when an answer was lost.</summary>
    StagedEvent? FindSame(IReadOnlyList<StagedEvent> waiting, StagedEvent staged)
    {
        var known = waiting.FirstOrDefault(other => other.Id == staged.Id && other.Draft.Aggregate.Equals(staged.Draft.Aggregate));
        return known is null || Prepare(known).Fingerprint == Prepare(staged).Fingerprint
            ? known
            : throw new RefusedException(RefusalCode.IdempotencyConflict, $"Event id {staged.Id} is staged for {staged.Draft.Aggregate} already, with other content.");
    }

    AppendOperation Prepare(StagedEvent staged) => Prepare(staged.Draft, staged.Actor, null);

    /// <summary>Everything that a commit would check, on the state as it is now; nothing is written.</summary>
    async Task RehearseAsync(List<StagedEvent> staged, CancellationToken cancellation)
    {
        var operations = PrepareAll(staged, Prepare);
        CheckBatch(operations);
        await CommitAsync(new(operations) { Rehearsal = true }, cancellation).ConfigureAwait(false);
    }
}
