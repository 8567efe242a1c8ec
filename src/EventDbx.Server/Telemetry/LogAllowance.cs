namespace EventDbx.Server.Telemetry;

/// <summary>So many lines in a while, and then their number: a storm must not fill the disk.</summary>
/// <param name="linesMax">Of one while.</param>
/// <param name="window">How long a while is, from its first line on.</param>
/// <param name="clock">Measures it.</param>
/// <param name="tellMore">Told at the end of a while how many had no line, where any had none.</param>
internal sealed class LogAllowance(int linesMax, TimeSpan window, TimeProvider clock, Action<int> tellMore) : IDisposable
{
    readonly Lock _gate = new();
    ITimer? _end;
    int _lines;
    int _more;

    /// <summary>Whether there is a line left.</summary>
    public bool TryTake()
    {
        lock (_gate)
        {
            _end ??= clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            if (_lines == 0)
                _end.Change(window, Timeout.InfiniteTimeSpan);
            if (_lines < linesMax)
            {
                _lines++;
                return true;
            }

            _more++;
            return false;
        }
    }

    public void Dispose()
    {
        End();
        lock (_gate)
            _end?.Dispose();
    }

    void End()
    {
        int more;
        lock (_gate)
            (more, _more, _lines) = (_more, 0, 0);
        if (more > 0)
            tellMore(more);
    }
}
