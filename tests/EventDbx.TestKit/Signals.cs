using System.Globalization;

namespace EventDbx.TestKit;

/// <summary>Signals to programs that tests start.</summary>
/// <remarks>What these tests were started with ignored, such programs ignore too: SIGHUP under <c>nohup</c>, SIGINT in the background of a shell.</remarks>
public static class Signals
{
    /// <summary>Ctrl-C; where that is ignored, what means the same to our programs.</summary>
    public static string Interrupt => IsIgnored("INT") ? "TERM" : "INT";

    /// <summary>Whether a program that is started here ignores it.</summary>
    /// <param name="name">As <c>kill</c> names it.</param>
    public static bool IsIgnored(string name)
    {
        if (!OperatingSystem.IsLinux())
            return false;
        const string Line = "SigIgn:";
        var line = File.ReadLines("/proc/self/status").First(static line => line.StartsWith(Line, StringComparison.Ordinal));
        var ignored = ulong.Parse(line.AsSpan(Line.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var number = name switch
        {
            "HUP" => 1,
            "INT" => 2,
            "TERM" => 15,
            _ => throw new ArgumentException(name, nameof(name)),
        };
        return (ignored & (1UL << (number - 1))) != 0;
    }
}
