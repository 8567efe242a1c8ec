using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Replication.Following;

/// <summary>What a follower says of itself: to status and metrics at any time, to the log when its condition changes. Thread-safe.</summary>
internal sealed class FollowerTold(FollowerSurroundings surroundings, Func<ulong> position)
{
    readonly Lock _gate = new();
    string _remote = "";
    FollowCondition? _condition;
    FollowCondition? _logged;
    ulong? _leaderEnd;
    long? _contact;
    string? _problem;
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Null while nobody is followed.</summary>
    public FollowerStatus? Status
    {
        get
        {
            lock (_gate)
            {
                return _condition is not { } condition ? null : new()
                {
                    Remote = _remote, Condition = condition, Position = position(), LeaderEnd = _leaderEnd, Problem = _problem,
                    SinceContact = _contact is { } contact ? surroundings.Clock.GetElapsedTime(contact) : null,
                };
            }
        }
    }

    /// <summary>The status, and what ends when there is another one.</summary>
    public (FollowerStatus? Status, Task Changed) Watch()
    {
        lock (_gate)
            return (Status, _changed.Task);
    }

    /// <summary>Sessions that were begun after the first one, since the start.</summary>
    public long Reconnects { get; private set; }

    public void Connecting(string remote) => Set(() =>
    {
        var isOther = _remote != remote || _condition is null;
        if (isOther)
            (_remote, _leaderEnd, _contact, _logged) = (remote, null, null, null);
        // One that is lost is so until it answers.
        if (isOther || _condition is not (FollowCondition.Lost or FollowCondition.Refused))
            (_condition, _problem) = (FollowCondition.Connecting, null);
        return null;
    });

    public void Begun(ulong leaderEnd) => Set(() =>
    {
        if (_contact is not null)
            Reconnects++;
        Answered(leaderEnd);
        (_condition, _problem, _logged) = (FollowCondition.Following, null, FollowCondition.Following);
        return (LogLevel.Information, FormattableString.Invariant($"follows '{_remote}' from position {position()} on; the leader is at {leaderEnd}"));
    });

    public void Reached(FollowStep step) => Set(() =>
    {
        Answered(step.LeaderEnd);
        _condition = step.CaughtUp ? FollowCondition.CaughtUp : FollowCondition.Following;
        // Once in a session: under a load it is a little behind, and not, in turns.
        if (!step.CaughtUp || _logged == FollowCondition.CaughtUp)
            return null;
        _logged = FollowCondition.CaughtUp;
        return (LogLevel.Information, FormattableString.Invariant($"has caught up with '{_remote}' at position {step.Position}"));
    });

    /// <summary>It does not follow, for now or for good.</summary>
    public void Failed(FollowCondition condition, string problem) => Set(() =>
    {
        (_condition, _problem) = (condition, problem);
        if (_logged == condition)
            return null;
        _logged = condition;
        return condition switch
        {
            FollowCondition.Lost => (LogLevel.Warning, $"'{_remote}' is lost, and tried again: {problem}"),
            FollowCondition.Refused => (LogLevel.Warning, $"'{_remote}' refuses this node, and is tried again: {problem}"),
            _ => (LogLevel.Error, $"'{_remote}' is followed no more: {problem}"),
        };
    });

    /// <summary>The store is a mirror, and the settings name nobody to follow.</summary>
    public void Idle(string leader) => Set(() =>
    {
        var problem = $"No remote has mode = \"follow\": `dbx follow {leader}` goes on, and `dbx promote` makes this a leader.";
        var news = _condition != FollowCondition.Idle;
        (_remote, _condition, _logged, _leaderEnd, _problem) = (leader, FollowCondition.Idle, FollowCondition.Idle, null, problem);
        return news ? (LogLevel.Warning, $"this store is the mirror of '{leader}', and stays as it is. {problem}") : null;
    });

    /// <summary>Nobody is followed any more, on somebody's word.</summary>
    public void Ended() => Set(() =>
    {
        (_condition, _logged, _problem, _leaderEnd, _contact) = (null, null, null, null, null);
        return null;
    });

    void Answered(ulong leaderEnd) => (_leaderEnd, _contact) = (leaderEnd, surroundings.Clock.GetTimestamp());

    void Set(Func<(LogLevel Level, string Message)?> change)
    {
        (LogLevel Level, string Message)? line;
        TaskCompletionSource changed;
        lock (_gate)
        {
            line = change();
            (changed, _changed) = (_changed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
        if (line is { } said)
            surroundings.Log?.Invoke(new(Timestamp.From(surroundings.Clock.GetUtcNow()), said.Level, "follower", said.Message));
    }
}
