using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace EventDbx.Server.Telemetry;

/// <summary>What a metric is to those who read it.</summary>
internal enum MetricKind
{
    Gauge,
    Counter,
    Histogram,
}

/// <summary>One instrument as Prometheus sees it: its name there, and its series.</summary>
/// <remarks>
/// The one rule of names: dots become underscores; then the unit in words, where it is one (<c>s</c>: <c>_seconds</c>, <c>By</c>: <c>_bytes</c>);
/// then <c>_total</c> of a counter. A <c>.count</c> of the runtime's, which Prometheus keeps for histograms, is a plural.
/// </remarks>
internal sealed class MetricFamily
{
    readonly ConcurrentDictionary<LabelValues, MetricSeries> _series = [];
    readonly bool _told;

    public MetricFamily(Instrument instrument)
    {
        _told = instrument.IsObservable;
        (Kind, Bounds) = instrument switch
        {
            // The runtime calls counters what goes down, too.
            { Name: "dotnet.thread_pool.queue.length" or "dotnet.thread_pool.thread.count" } => (MetricKind.Gauge, []),
            Counter<long> or Counter<int> or Counter<double> or ObservableCounter<long> or ObservableCounter<int> or ObservableCounter<double> => (MetricKind.Counter, []),
            Histogram<double> histogram => (MetricKind.Histogram, histogram.Advice?.HistogramBucketBoundaries?.ToArray() ?? []),
            Histogram<int> histogram => (MetricKind.Histogram, histogram.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound).ToArray() ?? []),
            _ => (MetricKind.Gauge, (double[])[]),
        };
        if (Kind == MetricKind.Histogram && Bounds.Length == 0)
            throw new InvalidOperationException($"The histogram {instrument.Name} does not say its bounds.");
        Name = NameOf(instrument.Name, instrument.Unit);
        Help = instrument.Description ?? "";
    }

    /// <summary>Without the <c>_total</c> of a counter.</summary>
    public string Name { get; }

    public MetricKind Kind { get; }

    public string Help { get; }

    /// <summary>Upper bounds of the buckets of a histogram.</summary>
    public double[] Bounds { get; }

    public static string NameOf(string instrument, string? unit)
    {
        var name = instrument.EndsWith(".count", StringComparison.Ordinal) ? $"{instrument[..^6]}s" : instrument;
        name = name.Replace('.', '_');
        var suffix = unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            "By/s" => "_bytes_per_second",
            _ => "",
        };
        return name.EndsWith(suffix, StringComparison.Ordinal) ? name : name + suffix;
    }

    /// <summary>A measurement; of what is told at scrapes, the value as of this one.</summary>
    public void Measure(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, long scrape)
    {
        var series = Find(tags);
        if (_told)
            series.Tell(value, scrape);
        else if (Kind == MetricKind.Histogram)
            series.Record(value);
        else
            series.Add(value);
    }

    /// <summary>The series to be shown, in the order of their labels: what was told at an earlier scrape only is not there any more.</summary>
    public IEnumerable<MetricSeries> Shown(long scrape) => _series.Values
        .Where(series => !_told || series.ToldAt == scrape)
        .OrderBy(series => Encoding.UTF8.GetString(series.Labels), StringComparer.Ordinal);

    MetricSeries Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var values = LabelValues.Of(tags);
        if (_series.TryGetValue(values, out var found))
            return found;
        // Labels are of closed sets; should one not be, it costs its metric and not the memory.
        if (_series.Count >= ServerLimits.MetricSeriesMax)
            return _series.GetOrAdd(default, _ => new([], Bounds));
        var labels = MetricSeries.LabelsOf(tags);
        return _series.GetOrAdd(values, _ => new(labels, Bounds));
    }
}
