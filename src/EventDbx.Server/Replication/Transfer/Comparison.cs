using EventDbx.Integrity;

namespace EventDbx.Server.Replication.Transfer;

/// <summary>Holds the positions of both sides against each other: what has to go over, and whether it may.</summary>
/// <remarks>
/// Fast-forward alone: where both have events of an aggregate, one history must be the beginning of the other. Two roots at the same version say so: at equal versions both are at hand, otherwise the side that is ahead
/// is asked for the root that it had at the version of the other. All of it before anything is sent.
/// </remarks>
/// <param name="request">What is asked.</param>
/// <param name="source">Whose aggregates go over.</param>
/// <param name="receiver">Who takes them.</param>
/// <param name="progress">Told how many are compared.</param>
/// <param name="most">Aggregates that are compared in all; <see cref="ServerLimits.TransferComparedMax"/>.</param>
internal sealed class Comparison(TransferRequest request, Side source, Side receiver, Action<ulong> progress, ulong most = ServerLimits.TransferComparedMax)
{
    readonly record struct Question(AggregateKey Aggregate, ulong Version, Hash32 Expected);

    readonly List<Question> _toSource = [];
    readonly List<Question> _toReceiver = [];
    ulong _compared;

    /// <summary>Compares.</summary>
    /// <param name="after">Aggregates behind this one.</param>
    /// <param name="toEnd">All of them, also when there are more differences than are kept; otherwise until as many are found.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">It is no fast-forward, or a side failed; nothing was changed.</exception>
    public async Task<Plan> RunAsync(AggregateKey? after, bool toEnd, CancellationToken cancellation)
    {
        var plan = new Plan();
        var (theirs, ours) = (new PositionStream(source, request.Filter, after), new PositionStream(receiver, request.Filter, after));
        while (true)
        {
            await ReadAsync(theirs, ours, cancellation).ConfigureAwait(false);
            var (sent, had) = (theirs.Current, ours.Current);
            if (sent is null && had is null)
                break;
            if (!toEnd && plan.IsFull)
            {
                plan.Cut();
                break;
            }

            var order = sent is null ? 1 : had is null ? -1 : sent.Aggregate.CompareTo(had.Aggregate);
            if (order <= 0)
                theirs.Advance();
            if (order >= 0)
                ours.Advance();
            if (Compare(order <= 0 ? sent : null, order >= 0 ? had : null, plan) is { } refused)
            {
                // What was found before is told first, whatever order it was found in.
                await AskAsync(cancellation).ConfigureAwait(false);
                throw new RefusedException(refused);
            }

            if (_toSource.Count >= Limits.PageItemsMax || _toReceiver.Count >= Limits.PageItemsMax)
                await AskAsync(cancellation).ConfigureAwait(false);
            if (_compared == most)
                throw TooMuch(FormattableString.Invariant($"More than {most} aggregates are compared"));
            if (++_compared % Limits.PageItemsMax == 0)
                progress(_compared);
        }

        await AskAsync(cancellation).ConfigureAwait(false);
        return plan;
    }

    static async Task ReadAsync(PositionStream theirs, PositionStream ours, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        // At once where both are needed, one of them over the wire.
        var reading = theirs.NeedsPage ? theirs.ReadAsync(cancellation) : null;
        try
        {
            if (ours.NeedsPage)
                await ours.ReadAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            if (reading is not null)
                await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (reading is not null)
            await reading.ConfigureAwait(false);
    }

    /// <summary>One aggregate. Null: nothing speaks against it so far.</summary>
    Refusal? Compare(ReplicaPosition? sent, ReplicaPosition? had, Plan plan)
    {
        if (sent is null)
            return request.Direction == TransferDirection.Push && had!.Version > 0 ? Missing(had) : null;
        if (had is null || had.Version == 0)
        {
            AddIfAny(plan, sent, had);
            return null;
        }

        if (had.Version > sent.Version)
        {
            if (request.Direction == TransferDirection.Push)
                return Ahead(had, sent.Version);
            if (sent.Version > 0)
                _toReceiver.Add(new(sent.Aggregate, sent.Version, sent.Root));
            return null;
        }

        if (had.Version < sent.Version)
            _toSource.Add(new(had.Aggregate, had.Version, had.Root));
        else if (had.Root != sent.Root)
            return Diverged(sent.Aggregate, sent.Version, sent.Root, had.Root);
        AddIfAny(plan, sent, had);
        return null;
    }

    /// <summary>Plans what of an aggregate the receiver lacks, where it lacks anything.</summary>
    void AddIfAny(Plan plan, ReplicaPosition sent, ReplicaPosition? had)
    {
        // An aggregate that gets events is there; without any it has to be made. Snapshots that the receiver has besides are its own.
        var marks = had is null ? sent.Version == 0 || sent.Archived || sent.Snapshots > 0 : sent.Archived != had.Archived || sent.Snapshots > had.Snapshots;
        var reached = had?.Version ?? 0;
        if (!marks && sent.Version <= reached)
            return;
        // A log has no more positions than that, and these are events of one log.
        if (sent.Version - reached > long.MaxValue - plan.Events)
            throw source.Lies($"lists {PositionStream.Named(sent.Aggregate)} at version {sent.Version}, with which it would have more events than a log has room for");
        if (!plan.TryAdd(new() { Aggregate = sent.Aggregate, Reached = reached, Target = sent.Version, Marks = marks }))
            throw TooMuch(FormattableString.Invariant($"Aggregates of more than {ServerLimits.TransferTypesMax} types differ"));
    }

    RefusedException TooMuch(string what) =>
        new(RefusalCode.LimitExceeded, $"{what} between remote '{request.Remote}' and this database; aborting {Word}. Name some types with `--aggregate`, and the others in runs of their own.");

    /// <summary>Asks for roots: the first in the order of aggregates that is another one is told.</summary>
    async Task AskAsync(CancellationToken cancellation)
    {
        var fromSource = await AskAsync(source, _toSource, cancellation).ConfigureAwait(false);
        var fromReceiver = await AskAsync(receiver, _toReceiver, cancellation).ConfigureAwait(false);
        if (fromSource is null && fromReceiver is null)
            return;
        var sourceIsFirst = fromReceiver is null || (fromSource is { } one && one.Asked.Aggregate.CompareTo(fromReceiver.Value.Asked.Aggregate) < 0);
        var (asked, found) = sourceIsFirst ? fromSource!.Value : fromReceiver!.Value;
        throw new RefusedException(
            sourceIsFirst ? Diverged(asked.Aggregate, asked.Version, found, asked.Expected) : Diverged(asked.Aggregate, asked.Version, asked.Expected, found));
    }

    static async Task<(Question Asked, Hash32 Found)?> AskAsync(Side side, List<Question> questions, CancellationToken cancellation)
    {
        if (questions.Count == 0)
            return null;
        var roots = await side.FindRootsAsync([.. questions.Select(static question => (question.Aggregate, question.Version))], cancellation).ConfigureAwait(false);
        if (roots.Count != questions.Count)
            throw side.Lies($"answers {roots.Count} roots where it was asked for {questions.Count}");
        for (var i = 0; i < questions.Count; i++)
        {
            var root = roots[i] ?? throw side.Lies($"has no root of {PositionStream.Named(questions[i].Aggregate)} at version {questions[i].Version}, which it is beyond");
            if (root != questions[i].Expected)
                return (questions[i], root);
        }

        questions.Clear();
        return null;
    }

    Refusal Missing(ReplicaPosition remote) => new(
        RefusalCode.VersionConflict, $"remote '{request.Remote}' contains aggregate {PositionStream.Named(remote.Aggregate)} that does not exist locally; aborting push")
    { ActualVersion = remote.Version };

    Refusal Ahead(ReplicaPosition remote, ulong local) => new(
        RefusalCode.VersionConflict,
        FormattableString.Invariant($"remote '{request.Remote}' is ahead for aggregate {PositionStream.Named(remote.Aggregate)} (remote version {remote.Version}, local version {local})"))
    { ActualVersion = remote.Version };

    Refusal Diverged(AggregateKey aggregate, ulong version, Hash32 ofSource, Hash32 ofReceiver)
    {
        var (remote, local) = source.IsRemote ? (ofSource, ofReceiver) : (ofReceiver, ofSource);
        return new(
            RefusalCode.Diverged,
            FormattableString.Invariant(
                $"remote '{request.Remote}' has another history of aggregate {PositionStream.Named(aggregate)} (root at version {version}: remote {remote}, local {local}); aborting {Word}. ") +
            "Events are never merged within one aggregate: find out which side is right. Meanwhile `--aggregate` and `--aggregate-id` that name others take those over.");
    }

    string Word => request.Direction == TransferDirection.Push ? "push" : "pull";
}
