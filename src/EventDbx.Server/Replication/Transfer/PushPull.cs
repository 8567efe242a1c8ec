namespace EventDbx.Server.Replication.Transfer;

/// <summary>One push or pull between two replicas, of which it knows nothing but that they are two.</summary>
/// <remarks>
/// <code>
/// push   schemas, then events
/// pull   events, then schemas
/// events compare (Comparison), then per aggregate type: read a batch, apply it, the next one being read meanwhile; then flags and snapshots
/// </code>
/// Nothing is kept of a run: what is through is through, batch by batch, and the next run finds out by comparing what is left. So a run that is cut off, by whatever, is finished by the next.
/// </remarks>
/// <param name="request">What is asked.</param>
/// <param name="local">The replica of this node; not disposed of.</param>
/// <param name="remote">The other one; the same.</param>
/// <param name="clock">Measures how long a batch under way may take after a cancellation.</param>
/// <param name="progress">Told how far it is, from any thread.</param>
internal sealed class PushPull(TransferRequest request, IReplica local, IReplica remote, TimeProvider clock, Action<TransferProgress> progress)
{
    readonly SortedDictionary<string, ulong> _applied = new(Plan.TypeOrder);
    readonly (Side Source, Side Receiver) _sides = request.Direction == TransferDirection.Push
        ? (Side.Local(local), Side.Remote(remote, request.Remote))
        : (Side.Remote(remote, request.Remote), Side.Local(local));

    EventsReport? _planned;
    SchemasReport? _schemas;
    ulong _done;
    ulong _planning;
    ulong _marked;

    /// <summary>What was done so far; after a failure, what was done before it.</summary>
    public TransferReport Report => new()
    {
        Direction = request.Direction, Remote = request.Remote, DryRun = request.DryRun, Schemas = _schemas,
        Events = _planned is null || request.DryRun || _planned.UpToDate ? _planned : _planned with
        {
            Types = [.. _applied.Select(static type => new TypeCount(type.Key, type.Value))], Marked = _marked,
        },
    };

    /// <summary>Whether anything was changed at the receiver.</summary>
    public bool HasChanged => _applied.Count > 0 || _marked > 0 || (_schemas is { Changes.Count: > 0 } && !request.DryRun);

    TransferReport? SoFar => HasChanged ? Report : null;

    /// <exception cref="RefusedException">Why it went no further; <see cref="Report"/> has what was done.</exception>
    /// <exception cref="OperationCanceledException">Cancelled: the batch that was under way is through, or was never applied.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        if (request.Problem is { } problem)
            throw new RefusedException(RefusalCode.InvalidArgument, problem);
        if (request.WithSchemas && (request.Direction == TransferDirection.Push || request.SchemasOnly))
            await SyncSchemasAsync(cancellation).ConfigureAwait(false);
        if (request.SchemasOnly)
            return;
        await MoveEventsAsync(cancellation).ConfigureAwait(false);
        if (request.WithSchemas && request.Direction == TransferDirection.Pull)
            await SyncSchemasAsync(cancellation).ConfigureAwait(false);
    }

    async Task SyncSchemasAsync(CancellationToken cancellation)
    {
        progress(new(TransferPhase.Schemas, 0, null));
        var (source, receiver) = _sides;
        var sent = await source.PullSchemasAsync(cancellation).ConfigureAwait(false);
        var had = await receiver.PullSchemasAsync(cancellation).ConfigureAwait(false);
        var differences = SchemaDifferences.Of(source.ReadSchemas(sent), receiver.ReadSchemas(had), request.ReplaceSchemas);
        if (differences.Changes.Count > 0 && !request.DryRun)
            await receiver.ApplySchemasAsync(sent, request.ReplaceSchemas, cancellation).ConfigureAwait(false);
        _schemas = differences;
    }

    async Task MoveEventsAsync(CancellationToken cancellation)
    {
        var comparison = new Comparison(request, _sides.Source, _sides.Receiver, compared => progress(new(TransferPhase.Compare, compared, null)));
        progress(new(TransferPhase.Compare, 0, null));
        var plan = await comparison.RunAsync(after: null, toEnd: true, cancellation).ConfigureAwait(false);
        _planned = new() { UpToDate = plan.IsEmpty, Types = plan.Types, Marked = plan.Marks };
        _planning = plan.Events;
        if (request.DryRun)
            return;
        while (plan.Kept.Count > 0)
        {
            await ApplyEventsAsync(plan.Kept, cancellation).ConfigureAwait(false);
            await ApplyMarksAsync(plan.Kept, cancellation).ConfigureAwait(false);
            if (!plan.More)
                break;
            plan = await comparison.RunAsync(plan.Kept[^1].Aggregate, toEnd: false, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>One batch is applied while the next one is read: each side has one request at a time.</summary>
    async Task ApplyEventsAsync(IReadOnlyList<PlannedAggregate> planned, CancellationToken cancellation)
    {
        var batches = new Batches(_sides.Source, planned, request.BatchEvents);
        using var patience = new Patience(clock, cancellation);
        var reading = batches.ReadAsync(cancellation);
        while (await reading.ConfigureAwait(false) is { } batch)
        {
            cancellation.ThrowIfCancellationRequested();
            // On another thread: a replica of this process may answer on the thread that asks.
            reading = Task.Run(() => batches.ReadAsync(cancellation), CancellationToken.None);
            try
            {
                var applied = (ulong)await _sides.Receiver.ApplyEventsAsync(batch, patience.Ended).ConfigureAwait(false);
                if (applied > (ulong)batch.Count)
                    throw _sides.Receiver.Lies($"took {applied} events of {batch.Count}");
                if (applied > 0)
                    _applied[batch[0].Aggregate.Type] = _applied.GetValueOrDefault(batch[0].Aggregate.Type) + applied;
                _done += (ulong)batch.Count;
            }
            catch
            {
                // Nobody disposes of a replica that is being asked.
                await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }

            progress(new(TransferPhase.Events, _done, _planning) { SoFar = SoFar });
        }
    }

    /// <summary>What is known of aggregates beside their events, now that both sides have the same.</summary>
    async Task ApplyMarksAsync(IReadOnlyList<PlannedAggregate> planned, CancellationToken cancellation)
    {
        using var patience = new Patience(clock, cancellation);
        foreach (var aggregate in planned)
        {
            if (!aggregate.Marks)
                continue;
            cancellation.ThrowIfCancellationRequested();
            // Gone, or gone on, meanwhile: the next run has it again.
            if (await _sides.Source.FindMarksAsync(aggregate.Aggregate, cancellation).ConfigureAwait(false) is not { } marks || marks.Version != aggregate.Reached)
                continue;
            if (!marks.Aggregate.Equals(aggregate.Aggregate))
                throw _sides.Source.Lies($"answers with {PositionStream.Named(marks.Aggregate)} where it was asked for {PositionStream.Named(aggregate.Aggregate)}");
            if (await _sides.Receiver.ApplyMarksAsync(marks, patience.Ended).ConfigureAwait(false))
                _marked++;
            progress(new(TransferPhase.Marks, _marked, null) { SoFar = SoFar });
        }
    }

    /// <summary>Ends a moment after a cancellation: what is being applied is answered until then, and so counted.</summary>
    sealed class Patience : IDisposable
    {
        readonly CancellationTokenSource _ended;
        readonly ITimer _timer;
        readonly CancellationTokenRegistration _registration;

        public Patience(TimeProvider clock, CancellationToken cancellation)
        {
            _ended = new();
            _timer = clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _registration = cancellation.Register(() => _timer.Change(ServerLimits.TransferCancelWithin, Timeout.InfiniteTimeSpan));
        }

        public CancellationToken Ended => _ended.Token;

        public void Dispose()
        {
            _registration.Dispose();
            lock (_ended)
            {
                _timer.Dispose();
                _ended.Dispose();
            }
        }

        void End()
        {
            lock (_ended)
            {
                try
                {
                    _ended.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // It was over at this very moment.
                }
            }
        }
    }
}
