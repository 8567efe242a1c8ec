using System.Globalization;
using System.Text.RegularExpressions;

namespace EventDbx.Server.Tests.Telemetry;

/// <summary>A page of metrics, read as strictly as the formats are written: whatever breaks a rule of theirs fails the test that reads it.</summary>
internal sealed partial class MetricsPage
{
    readonly Dictionary<string, double> _samples = [];

    MetricsPage()
    {
    }

    /// <summary>By name: its type.</summary>
    public Dictionary<string, string> Families { get; } = [];

    /// <summary>By name and labels as they stand there.</summary>
    public IReadOnlyDictionary<string, double> Samples => _samples;

    /// <summary>One sample, or nothing where it is not there.</summary>
    public double? this[string sample] => _samples.TryGetValue(sample, out var value) ? value : null;

    /// <summary>Names of samples without their labels.</summary>
    public IEnumerable<string> Names => _samples.Keys.Select(sample => sample.Split('{')[0]).Distinct();

    /// <summary>The samples of a name, by labels.</summary>
    public Dictionary<string, double> Of(string name) => _samples
        .Where(sample => sample.Key == name || sample.Key.StartsWith(name + "{", StringComparison.Ordinal))
        .ToDictionary(sample => sample.Key[name.Length..], sample => sample.Value);

    public static MetricsPage Parse(string text, bool openMetrics = false)
    {
        var page = new MetricsPage();
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.Equal(openMetrics, text.EndsWith("\n# EOF\n", StringComparison.Ordinal));
        string? family = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            if (line == "# EOF")
                continue;
            if (HelpLine().Match(line) is { Success: true } help)
            {
                Assert.False(page.Families.ContainsKey(help.Groups[1].Value), $"{line}: once is enough");
                family = help.Groups[1].Value;
                continue;
            }

            if (TypeLine().Match(line) is { Success: true } type)
            {
                Assert.Equal(family, type.Groups[1].Value);
                page.Families.Add(type.Groups[1].Value, type.Groups[2].Value);
                continue;
            }

            var sample = Sample().Match(line);
            Assert.True(sample.Success && family is not null, line);
            var (name, kind) = (sample.Groups[1].Value, page.Families[family!]);
            // Samples stand under their family, with the suffixes of its type.
            Assert.True((kind, openMetrics) switch
            {
                ("histogram", _) => name == family + "_bucket" || name == family + "_sum" || name == family + "_count",
                ("counter", true) => name == family + "_total",
                ("counter", false) => name == family && name.EndsWith("_total", StringComparison.Ordinal),
                _ => name == family && !name.EndsWith("_total", StringComparison.Ordinal),
            }, $"{line} under {family}, a {kind}");
            page._samples.Add(name + sample.Groups[2].Value, double.Parse(sample.Groups[3].Value, NumberStyles.Float, CultureInfo.InvariantCulture));
        }

        page.HoldHistograms();
        return page;
    }

    /// <summary>Buckets never fall, and the last is the count.</summary>
    void HoldHistograms()
    {
        foreach (var name in Families.Where(family => family.Value == "histogram").Select(family => family.Key))
        {
            foreach (var series in Of(name + "_bucket").GroupBy(bucket => Bound().Replace(bucket.Key, "")))
            {
                var values = series.Select(bucket => bucket.Value).ToList();
                Assert.Equal(values.Order(), values);
                var labels = series.Key.Replace("{}", "", StringComparison.Ordinal).Replace(",}", "}", StringComparison.Ordinal);
                Assert.Equal(values[^1], this[name + "_count" + labels]);
                Assert.NotNull(this[name + "_sum" + labels]);
            }
        }
    }

    [GeneratedRegex(@"^# HELP ([a-z_:][a-z0-9_:]*) \S.*$")]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex("""^([a-z_:][a-z0-9_:]*)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (-?[0-9]+(?:\.[0-9]+)?(?:E[-+][0-9]+)?)$""")]
    private static partial Regex Sample();

    [GeneratedRegex("""le="[^"]*"|,(?=le=)""")]
    private static partial Regex Bound();
}
