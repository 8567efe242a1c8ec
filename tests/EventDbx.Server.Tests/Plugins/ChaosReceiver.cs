using System.Diagnostics;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>The other end of a plugin, which fails on purpose, and remembers what it got.</summary>
internal abstract class ChaosReceiver(int seed) : IAsyncDisposable
{
    readonly Lock _gate = new();
    readonly Random _random = new(seed);
    readonly List<(string Aggregate, ulong Version, int Number)> _got = [];
    readonly HashSet<int> _numbers = [];
    int _breaks;
    int _failures;
    long _newestAt;

    /// <summary>Different events that it got.</summary>
    public virtual int Count
    {
        get
        {
            lock (_gate)
                return _numbers.Count;
        }
    }

    /// <summary>How often it broke off in a way that leaves the other end in doubt about what arrived.</summary>
    public int Breaks => Volatile.Read(ref _breaks);

    /// <summary>How many events may come again after each break: those that the other end handed over and knows nothing of.</summary>
    public abstract int Window { get; }

    /// <summary>In the order in which they came. Who is not told versions says 0.</summary>
    public IReadOnlyList<(string Aggregate, ulong Version, int Number)> Got
    {
        get
        {
            lock (_gate)
                return [.. _got];
        }
    }

    /// <summary>One in so many events that come by fails; 0: none.</summary>
    public virtual int FailsOneIn { get; set; }

    /// <summary>How often it fails, at most: each time it is left alone for a second and more.</summary>
    public int FailuresMax { get; set; }

    /// <summary>When an event came that it had not got before.</summary>
    public long NewestAt => Volatile.Read(ref _newestAt);

    /// <summary>Whether it hangs, too: that costs somebody's time-out.</summary>
    public bool Hangs { get; set; }

    public abstract Task StartAsync();

    /// <summary>Nobody is there for a while.</summary>
    public abstract Task RestartAsync(TimeSpan away);

    public abstract ValueTask DisposeAsync();

    protected void Broke() => Interlocked.Increment(ref _breaks);

    /// <summary>Whether this one fails, and how: a number below <paramref name="kinds"/>, of which the last is to hang; or null.</summary>
    protected int? Fails(int kinds)
    {
        lock (_gate)
        {
            if (FailsOneIn == 0 || _failures == FailuresMax || _random.Next(FailsOneIn) > 0)
                return null;
            _failures++;
            return _random.Next(Hangs ? kinds : kinds - 1);
        }
    }

    protected void Take(string aggregate, ulong version, int number)
    {
        lock (_gate)
        {
            _got.Add((aggregate, version, number));
            if (_numbers.Add(number))
                _newestAt = Stopwatch.GetTimestamp();
        }
    }
}
