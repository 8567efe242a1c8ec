namespace EventDbx.Server.Plugins.Process;

/// <summary>What a plugin has said about the events it was sent.</summary>
/// <remarks>Thread-safe: one reader of its output tells, one waits. Answers are cumulative: whoever answers an event has answered those before it, and taken those that it did not refuse.</remarks>
internal sealed class PluginAnswers
{
    readonly Lock _gate = new();
    readonly Dictionary<ulong, string> _refused = [];
    TaskCompletionSource _changed = New();
    ulong _sent;
    ulong _answered;

    /// <summary>The sequence of the next event.</summary>
    public ulong Sent
    {
        get
        {
            lock (_gate)
                return _sent;
        }
    }

    /// <summary>Events before this one are answered.</summary>
    public ulong Answered
    {
        get
        {
            lock (_gate)
                return _answered;
        }
    }

    /// <summary>The sequence of an event that is about to be sent.</summary>
    public ulong Next()
    {
        lock (_gate)
            return _sent++;
    }

    /// <param name="sequence">Of the event that is answered.</param>
    /// <param name="refusal">Why it is not taken; null: it is.</param>
    /// <returns>False: it was never sent.</returns>
    public bool Answer(ulong sequence, string? refusal)
    {
        lock (_gate)
        {
            if (sequence >= _sent)
                return false;
            if (refusal is not null)
                _refused[sequence] = refusal;
            _answered = Math.Max(_answered, sequence + 1);
        }

        Wake();
        return true;
    }

    /// <summary>Whoever waits looks again.</summary>
    public void Wake()
    {
        TaskCompletionSource changed;
        lock (_gate)
            (changed, _changed) = (_changed, New());
        changed.TrySetResult();
    }

    /// <summary>Until something is answered, or there is another reason to look; ask before <see cref="Answered"/>.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
                return _changed.Task;
        }
    }

    /// <summary>Why an event was refused; null: it was not. Forgotten once it is asked for.</summary>
    public string? TakeRefusal(ulong sequence)
    {
        lock (_gate)
            return _refused.Remove(sequence, out var why) ? why : null;
    }

    static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
