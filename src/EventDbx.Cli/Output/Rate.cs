using System.Globalization;

namespace EventDbx.Cli.Output;

/// <summary>How long something took and how fast that is, for people: <c>0.9 s (9,500 events/s)</c>.</summary>
internal static class Rate
{
    public static string Of(long count, double seconds, string what) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(seconds < 10 ? Math.Max(0.1, Math.Round(seconds, 1)) : Math.Round(seconds)):0.#} s ({Rounded(count / Math.Max(seconds, 0.001)):N0} {what}/s)");

    /// <summary>To two digits: the rest is chance.</summary>
    static double Rounded(double rate)
    {
        var unit = rate < 100 ? 1 : Math.Pow(10, Math.Floor(Math.Log10(rate)) - 1);
        return Math.Round(rate / unit) * unit;
    }
}
