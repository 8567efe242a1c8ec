using System.Buffers;
using System.Diagnostics.Metrics;

namespace EventDbx.Server.Telemetry;

/// <summary>The metrics of one server, added up: those of its own meters, told apart by object and not by name, and some of the runtime's.</summary>
/// <remarks>Several servers of a process listen beside each other, and each hears itself alone.</remarks>
internal sealed class MetricsListener : IDisposable
{
    /// <summary>Of the runtime's meter: process-wide, and with labels of closed sets.</summary>
    static readonly string[] OfRuntime =
    [
        "dotnet.gc.collections", "dotnet.gc.heap.total_allocated", "dotnet.gc.last_collection.heap.size", "dotnet.gc.pause.time",
        "dotnet.monitor.lock_contentions", "dotnet.thread_pool.queue.length", "dotnet.thread_pool.thread.count", "dotnet.thread_pool.work_item.count",
    ];

    readonly IReadOnlyList<Meter> _meters;
    readonly MeterListener _listener = new();
    readonly SortedDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    readonly Lock _gate = new();
    long _scrape;

    public MetricsListener(params IReadOnlyList<Meter> meters)
    {
        _meters = meters;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (!IsShown(instrument, _meters))
                return;
            var family = new MetricFamily(instrument);
            lock (_families)
                _families.Add(family.Name, family);
            listener.EnableMeasurementEvents(instrument, family);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, family) => Measure(family, value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, family) => Measure(family, value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, family) => Measure(family, value, tags));
        _listener.Start();
    }

    /// <summary>Whether an instrument is one of those meters', or one of the runtime's that are shown beside them.</summary>
    public static bool IsShown(Instrument instrument, IReadOnlyList<Meter> meters)
    {
        for (var i = 0; i < meters.Count; i++)
        {
            if (ReferenceEquals(meters[i], instrument.Meter))
                return true;
        }

        return instrument.Meter.Name == "System.Runtime" && OfRuntime.AsSpan().Contains(instrument.Name);
    }

    /// <summary>Asks for what is told at scrapes, and writes everything down.</summary>
    public void Write(IBufferWriter<byte> output, MetricsFormat format)
    {
        // One scrape after the other: each shows what was told at itself.
        lock (_gate)
        {
            Volatile.Write(ref _scrape, _scrape + 1);
            try
            {
                _listener.RecordObservableInstruments();
            }
            catch (AggregateException)
            {
                // What cannot be told while something is being closed is left out; the rest is there.
            }

            lock (_families)
            {
                foreach (var family in _families.Values)
                    MetricsText.Write(output, family, _scrape, format);
            }

            MetricsText.End(output, format);
        }
    }

    public void Dispose() => _listener.Dispose();

    void Measure(object? family, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => ((MetricFamily)family!).Measure(value, tags, Volatile.Read(ref _scrape));
}
