namespace EventDbx.Server.Tokens;

/// <summary>Looks at a token again and again while a long answer to it is on its way, and ends the answer once the token is refused.</summary>
internal sealed class TokenWatch : IAsyncDisposable
{
    readonly CancellationTokenSource _ended;
    readonly ITimer _timer;
    RefusedException? _refused;
    Task _ending = Task.CompletedTask;

    /// <param name="look">Throws the refusal of a token that is not good any more.</param>
    /// <param name="clock">Every <see cref="TokenBounds.WatchInterval"/> of it.</param>
    /// <param name="request">Ends with the request itself.</param>
    public TokenWatch(Action look, TimeProvider clock, CancellationToken request)
    {
        _ended = CancellationTokenSource.CreateLinkedTokenSource(request);
        _timer = clock.CreateTimer(_ => Look(look), null, TokenBounds.WatchInterval, TokenBounds.WatchInterval);
    }

    /// <summary>Cancelled when the token is refused, or the request is given up.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Why the token is not good any more; null while it is.</summary>
    public RefusedException? Refused => Volatile.Read(ref _refused);

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync().ConfigureAwait(false);
        await _ending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
    }

    void Look(Action look)
    {
        if (Refused is not null)
            return;
        try
        {
            look();
        }
        catch (RefusedException refused)
        {
            Volatile.Write(ref _refused, refused);
            // Whatever ends with it ends elsewhere, and so does what goes wrong there: nobody catches anything above a timer.
            _ending = _ended.CancelAsync();
        }
    }
}
