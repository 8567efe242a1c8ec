using EventDbx.Access;
using EventDbx.Staging;

namespace EventDbx;

/// <summary>The verbs of staging: appends that wait, and are committed together.</summary>
public sealed partial class Session
{
    /// <summary>Adds an append to those that wait, if behind those that wait for its aggregate it could be committed now.</summary>
    /// <exception cref="RefusedException">Nothing was staged.</exception>
    public async Task<StagedEvent> StageAsync(EventDraft draft, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend, draft.Aggregate);
        _database.DemandLeads();
        if (draft.Check() is { } refusal)
            throw new RefusedException(refusal);
        Span<byte> random = stackalloc byte[EventIds.RandomBytes];
        _database.Nonces.Take(random);
        var staged = new StagedEvent(
            draft with { EventId = draft.EventId ?? EventIds.New(Timestamp.From(_database.Clock.GetUtcNow()), random) }, Actor);
        var operation = Prepare(staged.Draft);
        return await _database.Staging.RunAsync(
            async waiting =>
            {
                if (FindSame(waiting, staged, operation) is { } known)
                    return ([.. waiting], known);
                List<StagedEvent> all = [.. waiting, staged];
                if (all.Count > Limits.BatchEventsMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"{waiting.Count} events are staged, and at most {Limits.BatchEventsMax} are committed at once. They have to be committed or taken back first.");
                if (all.Sum(one => (long)(one.Draft.Patch ?? one.Draft.Payload).Length) is var bytes && bytes > Limits.RequestBytesMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"With this event {bytes} bytes would be staged, and at most {Limits.RequestBytesMax} are committed at once. What is staged has to be committed or taken back first.");
                await RehearseAsync(waiting, operation, cancellation).ConfigureAwait(false);
                return (all, staged);
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>What is staged, in its order: what this caller may read, and what it staged itself; without what schemas hide.</summary>
    public IReadOnlyList<StagedEvent> GetStaged()
    {
        Demand(AccessAction.AggregateRead);
        return [.. _database.Staging.Read().Where(IsShown).Select(Sight.Of)];
    }

    /// <summary>Takes staged events back: one, or all that this caller may see and append, and its own. Returns how many.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: there is no such event.</exception>
    public Task<int> UnstageAsync(Guid? id, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend);
        return _database.Staging.RunAsync(
            waiting =>
            {
                if (id is { } one && !waiting.Any(staged => staged.Id == one && IsShown(staged)))
                    throw new RefusedException(RefusalCode.NotFound, $"No staged event has the id {one}.");
                var left = new List<StagedEvent>();
                foreach (var staged in waiting)
                {
                    var named = id is { } other ? staged.Id == other && IsShown(staged) : IsOwn(staged) || IsCommittable(staged);
                    if (!named)
                        left.Add(staged);
                    else if (id is not null && !IsOwn(staged))
                        Demand(AccessAction.AggregateAppend, staged.Draft.Aggregate);
                }

                return Task.FromResult((left, waiting.Count - left.Count));
            },
            cancellation);
    }

    /// <summary>
    /// Commits what is staged for aggregates that this caller may append to, in its order, in one batch, all or nothing, and exactly
    /// once, whatever happens in between. The rest stays staged.
    /// </summary>
    /// <exception cref="RefusedException">Nothing was written, and everything is still staged.</exception>
    public Task<IReadOnlyList<AppendResult>> CommitStagedAsync(CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateAppend);
        _database.DemandLeads();
        return _database.Staging.RunAsync(
            async waiting =>
            {
                List<StagedEvent> mine = [], left = [];
                foreach (var staged in waiting)
                    (IsCommittable(staged) ? mine : left).Add(staged);
                // Their ids make it once: what was committed before a crash is known, and is only taken off the list now.
                var results = mine.Count == 0 ? [] : await CommitAllAsync(waiting, mine, cancellation).ConfigureAwait(false);
                return (left, results);
            },
            cancellation);
    }

    bool IsOwn(StagedEvent staged) => Actor is not null && staged.Actor == Actor;

    bool IsShown(StagedEvent staged) =>
        IsOwn(staged) || (Grants.Allows(AccessAction.AggregateRead, staged.Draft.Aggregate) && Sight.Shows(staged.Draft.Aggregate));

    /// <summary>What others staged for a hidden type is not this caller's to commit: the answer would show it.</summary>
    bool IsCommittable(StagedEvent staged) => Grants.Allows(AccessAction.AggregateAppend, staged.Draft.Aggregate) && IsShown(staged);

    async Task<IReadOnlyList<AppendResult>> CommitAllAsync(IReadOnlyList<StagedEvent> waiting, List<StagedEvent> mine, CancellationToken cancellation)
    {
        try
        {
            return await CommitBatchAsync(PrepareAll(mine, Prepare), cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (_database.Telemetry.Refused.Note(refused, mine.Count))
        {
            throw;
        }
        catch (RefusedException refused) when (PlaceOf(refused.Refusal, mine.Count) is { } at)
        {
            throw new RefusedException(InTheWay(mine[at], refused.Refusal, "") with { Operation = waiting.Where(IsShown).ToList().IndexOf(mine[at]) });
        }
    }

    /// <summary>The same event, staged before: it is asked for twice when an answer was lost.</summary>
    StagedEvent? FindSame(IReadOnlyList<StagedEvent> waiting, StagedEvent staged, AppendOperation operation)
    {
        var known = waiting.FirstOrDefault(other => other.Id == staged.Id && other.Draft.Aggregate.Equals(staged.Draft.Aggregate));
        if (known is null)
            return null;
        // As the writer answers: whether a guess at hidden content is right is told to its sender alone.
        return (operation.KnownToItsActorOnly && known.Actor != Actor) || Prepare(known).Fingerprint != operation.Fingerprint
            ? throw new RefusedException(RefusalCode.IdempotencyConflict, $"Event id {staged.Id} is staged for {staged.Draft.Aggregate} already, with other content or by another sender.")
            : known;
    }

    AppendOperation Prepare(StagedEvent staged) => Prepare(staged.Draft, staged.Actor, null);

    /// <summary>Everything that a commit would check, on the state as it is now and with what waits for the same aggregate; nothing is written.</summary>
    async Task RehearseAsync(IReadOnlyList<StagedEvent> waiting, AppendOperation last, CancellationToken cancellation)
    {
        List<StagedEvent> before = [.. waiting.Where(staged => staged.Draft.Aggregate.Equals(last.Aggregate))];
        // Only its own events are this token's: those for other aggregates, which are not rehearsed, will be spent as well.
        var reserved = (ulong)waiting.Count(staged => IsOwn(staged) && !staged.Draft.Aggregate.Equals(last.Aggregate));
        last.Reserved = reserved;
        AppendOperation[] operations =
        [
            .. PrepareAll(before, staged =>
            {
                var operation = Prepare(staged);
                (operation.Allowance, operation.Reserved) = (IsOwn(staged) ? operation.Allowance : null, reserved);
                return operation;
            }),
            last,
        ];
        try
        {
            CheckBatch(operations);
            await CommitAsync(new(operations) { Rehearsal = true }, cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (PlaceOf(refused.Refusal, operations.Length) is { } at)
        {
            throw new RefusedException(at == before.Count
                ? refused.Refusal with { Message = refused.Refusal.Reason, Operation = null }
                : InTheWay(before[at], refused.Refusal, "earlier ") with { Operation = null });
        }
    }

    /// <summary>Which operation a refusal of so many is about; null when it is about none.</summary>
    static int? PlaceOf(in Refusal refusal, int count) =>
        refusal.Operation ?? (count == 1 && refusal.Code is not (RefusalCode.Overloaded or RefusalCode.Unavailable) ? 0 : null);

    /// <summary>The refusal of a staged event as this caller is told it.</summary>
    Refusal InTheWay(StagedEvent staged, in Refusal refusal, string which)
    {
        if (!IsShown(staged))
            return new(RefusalCode.PermissionDenied, "A staged event that this token may not see is in the way. Whoever staged it, or a root token, can take it back.");
        var id = EventIds.Format(staged.Id);
        var remedy = $"Take it back (`dbx aggregate unstage {id}`, DELETE /v1/staged/{id}), or mend what it needs.";
        if (Prepare(staged).Patch is { } patch && !Sight.ShowsAll(staged.Draft.Aggregate, patch))
            return new(refusal.Code, $"The {which}staged event {id} is in the way; its patch reaches into what a schema hides from this token. {remedy}");
        return refusal with { Message = $"The {which}staged event {id} of {staged.Draft.Aggregate} is in the way: {refusal.Reason} {remedy}" };
    }
}
