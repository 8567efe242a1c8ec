using System.Threading.Channels;

namespace EventDbx.Commit;

/// <summary>Writes the fold points and automatic snapshots of large states behind the commits that crossed them.</summary>
/// <remarks>
/// Nothing waits for it and no answer depends on it. What is written is the state of exactly the version that crossed. A fold point that
/// is late or never written only makes a read of an old version longer. A snapshot is there after a proper stop; what a kill takes away
/// is not made up for.
/// </remarks>
internal sealed class FoldPointWriter(Database database)
{
    readonly Channel<(AggregateKey Aggregate, ulong Version, bool Snapshot)> _due = Channel.CreateBounded<(AggregateKey, ulong, bool)>(
        new BoundedChannelOptions(Limits.SnapshotsWaitingMax) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    readonly TaskCompletionSource _givingUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    Task _running = Task.CompletedTask;
    volatile bool _stopping;

    public void Due(AggregateKey aggregate, ulong version, bool snapshot) => _due.Writer.TryWrite((aggregate, version, snapshot));

    public void Start() => _running = Task.Run(RunAsync);

    async Task RunAsync()
    {
        while (await _due.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            // Peeked first: what is given up is still counted.
            while (_due.Reader.TryPeek(out var due))
            {
                if (_givingUp.Task.IsCompleted)
                    return;
                if (due.Snapshot || !_stopping)
                    await WriteAsync(due.Aggregate, due.Version, due.Snapshot).ConfigureAwait(false);
                _due.Reader.TryRead(out _);
            }
        }
    }

    async Task WriteAsync(AggregateKey aggregate, ulong version, bool snapshot)
    {
        try
        {
            byte[] fields;
            AutomaticSnapshot? asked = null;
            using (var reader = database.OpenReader())
            {
                if (reader.FindStateAt(aggregate, version) is not { } state || state.Version != version)
                    return;
                fields = state.Fields.ToArray();
                if (snapshot)
                    asked = new(state.MerkleRoot, state.UpdatedAt.Ticks100ns);
            }

            // One that was begun is finished, also where the rest is given up.
            while (!await TryCommitAsync(new() { Aggregate = aggregate, Version = version, Fields = fields, Snapshot = asked }).ConfigureAwait(false)
                && !_givingUp.Task.IsCompleted)
                await Task.WhenAny(database.Loop.DrainAsync(), _givingUp.Task).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is RefusedException or StorageFailedException)
        {
            // A damaged aggregate is reported by reads and verify; a stopped writer has better things to do, and
            // a disk that cannot be read tells everybody who asks it.
        }
    }

    /// <summary>False when the queue of the writer is full of what callers wait for.</summary>
    async Task<bool> TryCommitAsync(FoldPointOperation operation)
    {
        try
        {
            await database.Loop.CommitAsync(new PendingCommit(operation)).ConfigureAwait(false);
            return true;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Overloaded)
        {
            return false;
        }
    }

    /// <summary>Writes the snapshots that are due, for so long at most; returns how many are given up. Fold points are dropped.</summary>
    public async Task<int> StopAsync(TimeSpan deadline, TimeProvider clock)
    {
        _stopping = true;
        _due.Writer.TryComplete();
        try
        {
            await _running.WaitAsync(deadline, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _givingUp.TrySetResult();
            await _running.ConfigureAwait(false);
        }

        var left = 0;
        while (_due.Reader.TryRead(out var due))
            left += due.Snapshot ? 1 : 0;
        return left;
    }
}
