using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Grpc;

/// <summary>Cuts a stream off whose client does not take what it is answered: nobody else waits for it, nor does a stop.</summary>
/// <remarks>
/// It outlives the method: what a client has not taken waits until its answer has ended. A write of the framework is not cancelled by
/// its token, for that would cut off those too who read.
/// </remarks>
internal sealed class CutOff : IDisposable
{
    readonly Lock _gate = new();
    readonly HttpContext _http;
    readonly ITimer _timer;
    CancellationTokenRegistration _registration;
    bool _last;
    bool _over;
    volatile bool _isCut;

    /// <param name="http">What is cut off.</param>
    /// <param name="clock">Of the bounds.</param>
    public CutOff(HttpContext http, TimeProvider clock)
    {
        _http = http;
        _timer = clock.CreateTimer(static state => ((CutOff)state!).Cut(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        http.Response.OnCompleted(static state =>
        {
            ((CutOff)state).Dispose();
            return Task.CompletedTask;
        }, this);
    }

    /// <summary>Whether it was.</summary>
    public bool IsCut => _isCut;

    /// <summary>A write waits for the other end, which has <see cref="ServerLimits.AnswerStallTimeout"/>.</summary>
    public void Waits() => Change(ServerLimits.AnswerStallTimeout);

    /// <summary>It does not any more.</summary>
    public void GetsOn() => Change(Timeout.InfiniteTimeSpan);

    /// <summary>From now on the end of it is said, which takes <see cref="ServerLimits.LastWordsTimeout"/> at most.</summary>
    public void LastWords()
    {
        lock (_gate)
        {
            if (_last || _over)
                return;
            _last = true;
            _timer.Change(ServerLimits.LastWordsTimeout, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Its <see cref="LastWords"/> begin with that, at once if it is cancelled already.</summary>
    public void LastWordsAt(CancellationToken ended)
    {
        var registration = ended.UnsafeRegister(static state => ((CutOff)state!).LastWords(), this);
        lock (_gate)
        {
            if (!_over)
                (registration, _registration) = (_registration, registration);
        }

        // The one before, or this one where it is over.
        registration.Unregister();
    }

    public void Dispose()
    {
        lock (_gate)
            _over = true;
        _registration.Unregister();
        _timer.Dispose();
    }

    void Change(TimeSpan due)
    {
        lock (_gate)
        {
            if (!_last && !_over)
                _timer.Change(due, Timeout.InfiniteTimeSpan);
        }
    }

    void Cut()
    {
        // Under the lock: once it is over, the request is another's.
        lock (_gate)
        {
            if (_over)
                return;
            _isCut = true;
            _http.Abort();
        }
    }
}
