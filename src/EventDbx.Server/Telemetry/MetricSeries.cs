namespace EventDbx.Server.Telemetry;

/// <summary>The values of the labels of one series, in the order in which the instrument gives them.</summary>
internal readonly record struct LabelValues(string? First, string? Second, string? Third, string? Fourth)
{
    public static LabelValues Of(ReadOnlySpan<KeyValuePair<string, object?>> tags) => new(At(tags, 0), At(tags, 1), At(tags, 2), At(tags, 3));

    // Ours are strings, all of them; the runtime's are now and then something else.
    static string? At(ReadOnlySpan<KeyValuePair<string, object?>> tags, int at) => at < tags.Length ? tags[at].Value as string ?? tags[at].Value?.ToString() : null;
}

/// <summary>One series: a number, or a histogram. Written from many threads, without a lock.</summary>
/// <param name="labels">As they stand between the braces, in UTF-8; empty where there are none.</param>
/// <param name="bounds">Upper bounds of buckets; empty where it is a number.</param>
internal sealed class MetricSeries(byte[] labels, double[] bounds)
{
    readonly long[] _buckets = bounds.Length == 0 ? [] : new long[bounds.Length + 1];
    double _value;

    public ReadOnlySpan<byte> Labels => labels;

    /// <summary>The number; of a histogram, the sum.</summary>
    public double Value => Volatile.Read(ref _value);

    /// <summary>At which scrape it was told last, where it is told at scrapes.</summary>
    public long ToldAt { get; private set; }

    /// <summary>How many are in bucket <paramref name="bucket"/> itself.</summary>
    public long In(int bucket) => Volatile.Read(ref _buckets[bucket]);

    public void Tell(double value, long scrape)
    {
        Volatile.Write(ref _value, value);
        ToldAt = scrape;
    }

    public void Add(double value)
    {
        for (var before = Volatile.Read(ref _value); ;)
        {
            var seen = Interlocked.CompareExchange(ref _value, before + value, before);
            if (seen.Equals(before))
                return;
            before = seen;
        }
    }

    public void Record(double value)
    {
        var bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
            bucket++;
        Interlocked.Increment(ref _buckets[bucket]);
        Add(value);
    }

    /// <summary>Names and values as text formats have them.</summary>
    public static byte[] LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.Length == 0)
            return [];
        var text = new StringBuilder();
        foreach (var (name, value) in tags)
        {
            text.Append(text.Length == 0 ? "" : ",").Append(name.Replace('.', '_')).Append("=\"");
            foreach (var c in value as string ?? value?.ToString() ?? "")
            {
                _ = c switch
                {
                    '\\' => text.Append("\\\\"),
                    '"' => text.Append("\\\""),
                    '\n' => text.Append("\\n"),
                    _ => text.Append(c),
                };
            }

            text.Append('"');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
