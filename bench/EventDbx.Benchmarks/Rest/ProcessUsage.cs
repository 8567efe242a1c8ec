using System.Globalization;

namespace EventDbx.Benchmarks.Rest;

/// <summary>What another process has used, from <c>/proc</c>: processor time in ticks of 10 ms.</summary>
internal static class ProcessUsage
{
    static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(10);

    /// <summary>Of all threads, and of the children that have ended.</summary>
    public static TimeSpan Processor(int process) => Fields(process) is { } fields ? Processor(fields) : TimeSpan.Zero;

    /// <summary>Of a server that forks: the process and those that it started.</summary>
    public static TimeSpan ProcessorWithChildren(int process)
    {
        var all = Processor(process);
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var other)
                && Fields(other) is { } fields && Number(fields, 4) == process)
                all += Processor(fields);
        }

        return all;
    }

    /// <param name="name">A line of <c>/proc/PID/status</c>: <c>VmRSS</c>, <c>RssAnon</c>, <c>VmHWM</c>.</param>
    public static double MiB(int process, string name)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(name + ":", StringComparison.Ordinal));
        return double.Parse(line.AsSpan(name.Length + 1, line.Length - name.Length - 3), CultureInfo.InvariantCulture) / 1024;
    }

    public static int Threads(int process) => Directory.GetDirectories($"/proc/{process}/task").Length;

    static TimeSpan Processor(string[] fields) =>
        s_tick * (Number(fields, 14) + Number(fields, 15) + Number(fields, 16) + Number(fields, 17));

    /// <param name="number">As <c>proc(5)</c> counts the fields of <c>stat</c>; the third is the first behind the name.</param>
    static long Number(string[] fields, int number) => long.Parse(fields[number - 3], CultureInfo.InvariantCulture);

    /// <returns>Null when the process is gone.</returns>
    static string[]? Fields(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
