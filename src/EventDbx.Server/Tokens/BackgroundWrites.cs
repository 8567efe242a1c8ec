namespace EventDbx.Server.Tokens;

/// <summary>Writes to the store that nobody waits for, until the end.</summary>
internal sealed class BackgroundWrites
{
    readonly Lock _gate = new();
    readonly HashSet<Task> _running = [];

    /// <summary>Begins a write. One that fails is not repeated here: the database says by itself that it cannot write.</summary>
    /// <param name="write">Does it.</param>
    /// <param name="done">Told whether it is done.</param>
    public void Begin(Func<Task> write, Action<bool> done)
    {
        var task = RunAsync(write, done);
        if (task.IsCompleted)
            return;
        lock (_gate)
            _running.Add(task);
        _ = RemoveAsync(task);
    }

    /// <summary>Completes once none is under way.</summary>
    public Task DrainAsync()
    {
        lock (_gate)
            return Task.WhenAll(_running);
    }

    async Task RemoveAsync(Task task)
    {
        await task.ConfigureAwait(false);
        lock (_gate)
            _running.Remove(task);
    }

    static async Task RunAsync(Func<Task> write, Action<bool> done)
    {
        try
        {
            await write().ConfigureAwait(false);
            done(true);
        }
        catch (RefusedException)
        {
            done(false);
        }
    }
}
