using System.Globalization;
using EventDbx.Mirroring;

namespace EventDbx;

/// <summary>Leader or mirror: the log as another store takes it, and this store as the mirror of another one's log.</summary>
public sealed partial class Database
{
    readonly LogMirror _mirror;
    volatile Standing _standing;
    volatile string? _toFollow;
    volatile TaskCompletionSource _leads = new(TaskCreationOptions.RunContinuationsAsynchronously);
    volatile OriginNames _origins;

    /// <summary>This store as the mirror of another one's log.</summary>
    public IMirror Mirror => _mirror;

    /// <summary>What checkpoints of this epoch call the log: what the first of them has called it. Of a mirror, what its leader's do.</summary>
    public string LogOrigin => _standing.Mirror?.Checkpoint?.Origin ?? _origins.Now;

    /// <summary>The origin that the options ask for, where this epoch has checkpoints under another one; null mostly. It takes effect with the next epoch.</summary>
    public string? LogOriginWaiting => _origins.Waiting;

    /// <summary>A stretch of the synced log, for a mirror: entries behind a position, in order, batches whole.</summary>
    /// <param name="after">The position before the first one.</param>
    /// <param name="bytesMax">Bytes of rows, at least 1. One entry, or one batch, is given whatever it has.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.Diverged"/>: the log is not so long. <see cref="RefusalCode.IntegrityViolation"/>: what is stored is not what was committed.
    /// </exception>
    public LogPage ReadLog(ulong after, int bytesMax) => LogPageReader.Read(this, after, bytesMax);

    internal Standing Standing => _standing;

    internal StoreIdentity Identity => _standing.Identity;

    /// <summary>See <see cref="IMirror.Following"/>.</summary>
    internal string? Following => _standing.Mirror?.Leader.Name ?? _toFollow;

    /// <summary>Whether a signed note is good under a vkey; null where nobody can tell.</summary>
    internal Func<string, Checkpoints.SignedNote, bool>? NoteVerifier => _options.NoteVerifier;

    /// <summary>Every verb that writes history asks here, once it is known that its caller may.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.ReadOnly"/>.</exception>
    internal void DemandLeads()
    {
        if (Following is { } leader)
            throw new RefusedException(GroupPlanner.ReadOnly(leader));
    }

    /// <summary>Completes once this database leads; at once if it does.</summary>
    internal async Task WaitUntilLeadingAsync(CancellationToken cancellation)
    {
        while (_leads is var leads && Following is not null)
            await leads.Task.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>What checkpoints call the log in an epoch, as far as the options say it.</summary>
    internal string OriginOf(uint epoch) => OriginOf(_options, DatabaseId, epoch);

    internal static string OriginOf(DatabaseOptions options, Guid databaseId, uint epoch)
    {
        var name = options.LogOrigin ?? $"eventdbx.local/{databaseId:D}";
        return epoch == 1 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}/e{epoch}");
    }

    /// <summary>On the writer, before the watermark of the group that changed it.</summary>
    void TakeStanding(Standing now)
    {
        var before = _standing;
        _store?.Become(now.Identity);
        // Who waits already, because it is to follow, goes on waiting for the same.
        if (now.Mirror is not null && before.Mirror is null && _leads.Task.IsCompleted)
            _leads = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // Who leads signs and writes: not before all of it is what it is in the new epoch.
        if (now.Mirror is null && before.Mirror is { } ended)
            _toFollow = ended.Leader.Name;
        _standing = now;
        if (now.Identity == before.Identity && (now.Mirror is null) == (before.Mirror is null))
            return;
        MadeIds = new(now.Identity.DatabaseId);
        _planner.MadeIds = MadeIds;
        using (var view = _engine.OpenView())
            _origins = OriginsOf(_options, now.Identity, view);
        _checkpoints.BeginEpoch();
        if (now.Mirror is not null)
            return;
        _toFollow = null;
        _leads.TrySetResult();
    }

    /// <summary>The newest checkpoint is kept for good from now on, once the writer comes to it. Nobody waits.</summary>
    internal void HandOutCheckpointSoon() => _ = ReadCheckpointAsync(0, handOut: true, CancellationToken.None)
        .ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    /// <summary>An empty store has taken over the id of a leader, durably: its watermark says so, too, before anything is in it.</summary>
    internal void MarkTakenOver() => _store?.MarkEmpty();

    /// <param name="Now">Under which checkpoints are signed.</param>
    /// <param name="Waiting">That the options ask for; null where it is that one.</param>
    sealed record OriginNames(string Now, string? Waiting);
}
