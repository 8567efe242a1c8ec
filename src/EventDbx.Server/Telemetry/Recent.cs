namespace EventDbx.Server.Telemetry;

/// <summary>An answer that is asked for anew at most once a second: any number of scrapers cost as much as one.</summary>
internal sealed class Recent<T>(Func<T> read) where T : class?
{
    static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    readonly Lock _gate = new();
    T? _value;
    long _readAt;

    public T Value
    {
        get
        {
            lock (_gate)
            {
                // Not by the server's clock, which a test may hold.
                if (_readAt == 0 || System.Diagnostics.Stopwatch.GetElapsedTime(_readAt) >= FreshFor)
                    (_value, _readAt) = (read(), System.Diagnostics.Stopwatch.GetTimestamp());
                return _value!;
            }
        }
    }
}
