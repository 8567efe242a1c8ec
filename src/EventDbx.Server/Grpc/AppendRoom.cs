namespace EventDbx.Server.Grpc;

/// <summary>What the appends of all streams together may hold while they are under way. Who finds no room waits for it, in turn.</summary>
/// <param name="max">Bytes. One alone always fits.</param>
internal sealed class AppendRoom(long max)
{
    readonly Lock _gate = new();
    readonly LinkedList<Waiting> _waiting = [];
    long _held;

    /// <summary>Bytes, as they are counted.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <exception cref="OperationCanceledException">It took nothing.</exception>
    public ValueTask EnterAsync(long bytes, CancellationToken cancellation)
    {
        LinkedListNode<Waiting> place;
        lock (_gate)
        {
            if (_waiting.Count == 0 && Fits(bytes))
            {
                _held += bytes;
                return default;
            }

            place = _waiting.AddLast(new Waiting(bytes, new(TaskCreationOptions.RunContinuationsAsynchronously)));
        }

        return WaitAsync(place, cancellation);
    }

    public void Give(long bytes)
    {
        lock (_gate)
        {
            _held -= bytes;
            LetIn();
        }
    }

    async ValueTask WaitAsync(LinkedListNode<Waiting> place, CancellationToken cancellation)
    {
        try
        {
            await place.Value.Entered.Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                // It may have been let in meanwhile.
                if (place.List is null)
                    _held -= place.Value.Bytes;
                else
                    _waiting.Remove(place);
                LetIn();
            }

            throw;
        }
    }

    void LetIn()
    {
        while (_waiting.First is { } first && Fits(first.Value.Bytes))
        {
            _held += first.Value.Bytes;
            _waiting.RemoveFirst();
            first.Value.Entered.TrySetResult();
        }
    }

    bool Fits(long bytes) => _held == 0 || _held + bytes <= max;

    readonly record struct Waiting(long Bytes, TaskCompletionSource Entered);
}
