namespace EventDbx.Benchmarks;

/// <summary>How long each of many operations took.</summary>
internal sealed class Latencies
{
    readonly List<long> _ticks = new(1 << 16);
    bool _sorted;

    public int Count => _ticks.Count;

    public void Add(long startedAt)
    {
        _ticks.Add(Stopwatch.GetTimestamp() - startedAt);
        _sorted = false;
    }

    public void Add(Latencies other)
    {
        _ticks.AddRange(other._ticks);
        _sorted = false;
    }

    /// <param name="quantile">0.5 is the median, 0.99 the slowest but one of a hundred.</param>
    public double Microseconds(double quantile)
    {
        if (!_sorted)
            _ticks.Sort();
        _sorted = true;
        if (_ticks.Count == 0)
            return 0;
        return Stopwatch.GetElapsedTime(0, _ticks[(int)((_ticks.Count - 1) * quantile)]).TotalMicroseconds;
    }

    public override string ToString() =>
        $"p50 {Microseconds(0.5):n0} µs, p99 {Microseconds(0.99):n0} µs, worst {Microseconds(1):n0} µs ({Count:n0})";
}

internal static class Median
{
    public static double Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1
            ? sorted[sorted.Length / 2]
            : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
