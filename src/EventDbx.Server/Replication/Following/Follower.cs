using System.Net.Sockets;
using System.Runtime.CompilerServices;
using EventDbx.Mirroring;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Replication.Following;

/// <summary>Keeps a mirror up: follows its leader, over one session after the other, until it is stopped, promoted, or cannot go on.</summary>
/// <remarks>
/// What is followed is the remote whose mode is <c>follow</c>; what can be followed the store says (<see cref="IMirror"/>). A leader that is lost, or does not let this node in, is
/// tried again; where the histories part, or something came that cannot be taken, only somebody's hand makes it follow again, and health says so. The store stays readable in every condition.
/// </remarks>
internal sealed class Follower(MirrorStore store, FollowerSurroundings surroundings) : IAsyncDisposable
{
    readonly SemaphoreSlim _changing = new(1, 1);
    readonly FollowerTold _told = new(surroundings, () => store.End().Size);
    CancellationTokenSource? _stop;
    Task _running = Task.CompletedTask;
    bool _disposed;

    /// <summary>How it stands; null while nobody is followed.</summary>
    public FollowerStatus? Status => _told.Status;

    /// <summary>Why nothing more comes until somebody does something; null while all is well.</summary>
    public string? Trouble => Status is { IsOver: true } status ? $"This mirror follows '{status.Remote}' no more: {status.Problem}" : null;

    /// <summary>Sessions that were begun after the first one, since the start.</summary>
    public long Reconnects => _told.Reconnects;

    /// <summary>Begins to follow, where the settings or the store say so.</summary>
    public void Start()
    {
        if (store.Mirror.State is not null || Target() is not null)
            Run(null);
    }

    /// <summary>Follows a remote from now on, and nobody else.</summary>
    /// <param name="name">Of the remote.</param>
    /// <param name="keep">Makes it last beyond this process, once the store is the remote's mirror.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">There is none of that name, this store cannot be its mirror, or it refuses. Then whoever was followed before still is.</exception>
    /// <exception cref="ReplicaLostException">It cannot be reached; likewise.</exception>
    public async Task FollowAsync(string name, Func<Task> keep, CancellationToken cancellation)
    {
        var remote = surroundings.Settings().Remotes.GetValueOrDefault(name) ?? throw Admin.RemoteRules.Absent(name);
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        FollowSession? session = null;
        var wasRunning = _stop is not null;
        try
        {
            await EndAsync(ServerLimits.FollowerStopWithin).ConfigureAwait(false);
            session = await FollowSession.BeginAsync(store, name, remote, surroundings.Dial, surroundings.Clock, cancellation).ConfigureAwait(false);
            await keep().ConfigureAwait(false);
            // Whoever watches from now on is not told of the leader before.
            _told.Connecting(name);
            Run((name, remote with { Mode = RemoteMode.Follow }, session));
            session = null;
        }
        finally
        {
            if (session is not null)
                await session.DisposeAsync().ConfigureAwait(false);
            if (_stop is null && wasRunning)
                Run(null);
            _changing.Release();
        }
    }

    /// <summary>How it stands, at once and after every change, until it has caught up or does not go on.</summary>
    public async IAsyncEnumerable<FollowerStatus> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        while (_told.Watch() is ({ } status, var changed))
        {
            yield return status;
            if (status.Condition is FollowCondition.CaughtUp or FollowCondition.Idle || status.IsOver)
                yield break;
            await changed.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the store a leader: nobody is followed any more.</summary>
    /// <param name="actor">Who does it.</param>
    /// <param name="comment">Why, for the log; null: nothing is said.</param>
    /// <param name="keep">Makes it last that nobody is followed.</param>
    /// <param name="cancellation">Ends the wait for another change; not the promotion.</param>
    /// <exception cref="RefusedException">It is no mirror, or could not be promoted; then it is followed on.</exception>
    public async Task<Promotion> PromoteAsync(Actor? actor, string? comment, Func<Task> keep, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        var wasRunning = _stop is not null;
        try
        {
            _ = Leader;
            await EndAsync(ServerLimits.FollowerStopWithin).ConfigureAwait(false);
            // First, so that a crash between leaves a mirror that follows nobody, and no leader that would follow.
            await keep().ConfigureAwait(false);
            var promotion = await store.Mirror.PromoteAsync(actor, comment, CancellationToken.None).ConfigureAwait(false);
            _told.Ended();
            return promotion;
        }
        finally
        {
            if (wasRunning && store.Mirror.State is not null)
                Run(null);
            _changing.Release();
        }
    }

    /// <summary>Whose mirror the store is.</summary>
    /// <exception cref="RefusedException">It is none.</exception>
    public string Leader => LeaderOf(store.Mirror);

    /// <inheritdoc cref="Leader"/>
    public static string LeaderOf(IMirror mirror) => mirror.State?.Leader.Name ?? throw (mirror.Following is { } name ? FollowDesk.NotBegun(name) : FollowDesk.NoMirror());

    /// <summary>Ends it; what is being applied is finished, if it is in time.</summary>
    public async Task StopAsync(TimeSpan within)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            await EndAsync(within).ConfigureAwait(false);
        }
        finally
        {
            _disposed = true;
            _changing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(ServerLimits.FollowerStopWithin).ConfigureAwait(false);
        _changing.Dispose();
    }

    void Run((string Name, RemoteConfig Remote, FollowSession Session)? first)
    {
        if (_disposed)
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping.");
        _stop = new();
        var stop = _stop.Token;
        _running = Task.Run(() => RunAsync(first, stop), CancellationToken.None);
    }

    async Task EndAsync(TimeSpan within)
    {
        if (_stop is null)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        // The engine finishes what it has begun, however long that takes: nothing is half.
        await Task.WhenAny(_running, Task.Delay(within, TimeProvider.System)).ConfigureAwait(false);
        _stop.Dispose();
        _stop = null;
    }

    (string Name, RemoteConfig Remote)? Target() =>
        surroundings.Settings().Remotes.FirstOrDefault(static remote => remote.Value.Mode == RemoteMode.Follow) is { Key: { } name, Value: var remote } ? (name, remote) : null;

    async Task RunAsync((string Name, RemoteConfig Remote, FollowSession Session)? first, CancellationToken stop)
    {
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if ((first is { } given ? (given.Name, given.Remote) : Target()) is not { } target)
                {
                    if (store.Mirror.State is not { } state)
                        return;
                    _told.Idle(state.Leader.Name);
                    await Task.Delay(ServerLimits.SettingsInterval, surroundings.Clock, stop).ConfigureAwait(false);
                    continue;
                }

                _told.Connecting(target.Name);
                var session = first?.Session
                    ?? await FollowSession.BeginAsync(store, target.Name, target.Remote, surroundings.Dial, surroundings.Clock, stop).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    first = null;
                    _told.Begun(session.LeaderEnd);
                    await FollowAsync(session, target, () => failures = 0, stop).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                var (condition, problem) = Meaning(failure);
                _told.Failed(condition, problem);
                if (condition is FollowCondition.Diverged or FollowCondition.Stopped)
                    return;
                failures++;
            }

            try
            {
                if (failures > 0)
                    await Task.Delay(Pauses.After(failures, surroundings.Jitter()), surroundings.Clock, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    static Backoff Pauses => new(ServerLimits.FollowerRetryFirst, ServerLimits.FollowerRetryMax);

    /// <summary>Until the session ends, or the settings mean another leader.</summary>
    async Task FollowAsync(FollowSession session, (string Name, RemoteConfig Remote) target, Action came, CancellationToken stop)
    {
        var looked = surroundings.Clock.GetTimestamp();
        await foreach (var step in session.RunAsync(stop).ConfigureAwait(false))
        {
            came();
            _told.Reached(step);
            if (surroundings.Clock.GetElapsedTime(looked) < ServerLimits.SettingsInterval)
                continue;
            looked = surroundings.Clock.GetTimestamp();
            if (Target() != target)
                return;
        }
    }

    /// <summary>What a failure comes to, and how it is told. Only what time may mend is tried again.</summary>
    static (FollowCondition, string) Meaning(Exception failure) => failure switch
    {
        RefusedException { Refusal: { Code: RefusalCode.Diverged } refusal } => (FollowCondition.Diverged, refusal.Message),
        RefusedException { Refusal: { Code: RefusalCode.PermissionDenied or RefusalCode.Unauthenticated } refusal } => (FollowCondition.Refused, refusal.Message),
        RefusedException { Refusal: { Retryable: true } refusal } => (FollowCondition.Lost, refusal.Message),
        RefusedException { Refusal: { Code: RefusalCode.IntegrityViolation } refusal } => (FollowCondition.Stopped,
            $"{refusal.Message} Verify the leader (`dbx verify --all` there); then `dbx follow`, or a restart, tries again."),
        RefusedException { Refusal: var refusal } => (FollowCondition.Stopped, refusal.Message),
        IOException or SocketException or TimeoutException or UnauthorizedAccessException => (FollowCondition.Lost, failure.Message),
        // A fault of ours: it must be seen, and does not mend itself.
        _ => (FollowCondition.Stopped, $"It failed ({failure.GetType().Name}): {failure.Message}"),
    };
}
