using System.Globalization;

namespace EventDbx.Server.Daemon;

/// <summary>How long something has lasted, in the published form: <c>2h 5m 3s</c>.</summary>
public static class Uptime
{
    /// <summary>Days, hours, minutes, seconds; zero parts are left out, and seconds where three larger parts stand.</summary>
    public static string Text(TimeSpan time)
    {
        if (time < TimeSpan.Zero)
            return "unknown duration";
        if (time < TimeSpan.FromSeconds(1))
            return "under 1s";
        List<string> parts = [];
        foreach (var (count, unit) in ((int, char)[])[(time.Days, 'd'), (time.Hours, 'h'), (time.Minutes, 'm')])
        {
            if (count > 0)
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{count}{unit}"));
        }

        if (time.Seconds > 0 && parts.Count < 3)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{time.Seconds}s"));
        return string.Join(' ', parts);
    }
}
