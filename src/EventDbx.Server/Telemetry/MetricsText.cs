using System.Buffers;
using System.Globalization;

namespace EventDbx.Server.Telemetry;

/// <summary>The two forms in which Prometheus reads metrics.</summary>
internal enum MetricsFormat
{
    /// <summary>Version 0.0.4.</summary>
    Text,

    /// <summary>Version 1.0.0.</summary>
    OpenMetrics,
}

/// <summary>Metrics as text. Sources: Prometheus "Exposition formats", OpenMetrics 1.0.</summary>
internal static class MetricsText
{
    const int NumberBytesMax = 32;

    /// <summary>The content type of a form.</summary>
    public static string TypeOf(MetricsFormat format) => format switch
    {
        MetricsFormat.Text => "text/plain; version=0.0.4; charset=utf-8",
        MetricsFormat.OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };

    /// <summary>One metric with all its series; nothing where it has none.</summary>
    public static void Write(IBufferWriter<byte> output, MetricFamily family, long scrape, MetricsFormat format)
    {
        var begun = false;
        foreach (var series in family.Shown(scrape))
        {
            if (!begun)
                WriteHead(output, family, format);
            begun = true;
            if (family.Kind == MetricKind.Histogram)
                WriteHistogram(output, family, series, format);
            else
                WriteSample(output, family.Name, family.Kind == MetricKind.Counter ? "_total" : "", series.Labels, default, series.Value);
        }
    }

    public static void End(IBufferWriter<byte> output, MetricsFormat format)
    {
        if (format == MetricsFormat.OpenMetrics)
            output.Write("# EOF\n"u8);
    }

    static void WriteHead(IBufferWriter<byte> output, MetricFamily family, MetricsFormat format)
    {
        // In OpenMetrics the family of a counter has no _total, only its samples do.
        var name = family.Kind == MetricKind.Counter && format == MetricsFormat.Text ? family.Name + "_total" : family.Name;
        var help = family.Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        if (format == MetricsFormat.OpenMetrics)
            help = help.Replace("\"", "\\\"", StringComparison.Ordinal);
        WriteText(output, $"# HELP {name} {help}\n# TYPE {name} {KindOf(family.Kind)}\n");
    }

    static string KindOf(MetricKind kind) => kind switch
    {
        MetricKind.Gauge => "gauge",
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
    };

    static void WriteHistogram(IBufferWriter<byte> output, MetricFamily family, MetricSeries series, MetricsFormat format)
    {
        Span<byte> bound = stackalloc byte[NumberBytesMax];
        var sum = series.Value;
        var count = 0L;
        for (var i = 0; i <= family.Bounds.Length; i++)
        {
            count += series.In(i);
            WriteSample(output, family.Name, "_bucket", series.Labels, i == family.Bounds.Length ? "+Inf"u8 : bound[..FormatBound(family.Bounds[i], bound, format)], count);
        }

        WriteSample(output, family.Name, "_sum", series.Labels, default, sum);
        WriteSample(output, family.Name, "_count", series.Labels, default, count);
    }

    static void WriteSample(IBufferWriter<byte> output, string name, string suffix, ReadOnlySpan<byte> labels, ReadOnlySpan<byte> bound, double value)
    {
        WriteText(output, name);
        WriteText(output, suffix);
        if (labels.Length > 0 || bound.Length > 0)
        {
            output.Write("{"u8);
            output.Write(labels);
            if (bound.Length > 0)
            {
                output.Write(labels.Length > 0 ? ",le=\""u8 : "le=\""u8);
                output.Write(bound);
                output.Write("\""u8);
            }

            output.Write("}"u8);
        }

        output.Write(" "u8);
        output.Advance(Format(value, output.GetSpan(NumberBytesMax)));
        output.Write("\n"u8);
    }

    /// <summary>OpenMetrics writes the bounds of buckets as floats, always.</summary>
    static int FormatBound(double bound, Span<byte> to, MetricsFormat format)
    {
        var length = Format(bound, to);
        if (format == MetricsFormat.Text || to[..length].IndexOfAny("."u8) >= 0)
            return length;
        ".0"u8.CopyTo(to[length..]);
        return length + 2;
    }

    static int Format(double value, Span<byte> to)
    {
        var written = 0;
        var done = double.IsInteger(value) && Math.Abs(value) < 1e15
            ? ((long)value).TryFormat(to, out written, default, CultureInfo.InvariantCulture)
            : value.TryFormat(to, out written, default, CultureInfo.InvariantCulture);
        return done ? written : throw new InvalidOperationException("A number is longer than a number can be.");
    }

    static void WriteText(IBufferWriter<byte> output, string text) => output.Advance(Encoding.UTF8.GetBytes(text, output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length))));
}
