using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Enumeration;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Telemetry;

/// <summary>The process, under the names that Prometheus has for it. The runtime tells of itself under <c>dotnet_</c>.</summary>
internal static class ProcessGauges
{
    const string Descriptors = "/proc/self/fd";

    public static void Observe(Meter meter)
    {
        var recent = new Recent<Figures>(Read);
        meter.CreateObservableCounter("process.cpu", () => recent.Value.Cpu.TotalSeconds, "s", "Processor time, user and system.");
        meter.CreateObservableGauge("process.resident_memory", () => recent.Value.Resident, "By", "Resident memory.");
        meter.CreateObservableGauge("process.virtual_memory", () => recent.Value.Virtual, "By", "Virtual memory.");
        meter.CreateObservableGauge("process.start_time", () => recent.Value.StartTime, "s", "When the process began, in seconds since 1970.");
        meter.CreateObservableGauge("process.threads", () => recent.Value.Threads, "{thread}", "Threads of the operating system.");
        meter.CreateObservableGauge("process.open_fds", () => recent.Value.OpenDescriptors, "{descriptor}", "Open descriptors (Windows: handles).");
        if (!OperatingSystem.IsWindows() && Posix.DescriptorsMax() is { } max)
            meter.CreateObservableGauge("process.max_fds", () => max, "{descriptor}", "Descriptors that the system lets this process have open.");
    }

    static Figures Read()
    {
        using var process = Process.GetCurrentProcess();
        return new(
            process.TotalProcessorTime, process.WorkingSet64, process.VirtualMemorySize64, process.Threads.Count,
            new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0,
            Directory.Exists(Descriptors) ? CountOf(Descriptors) : process.HandleCount);
    }

    static int CountOf(string directory) => new FileSystemEnumerable<bool>(directory, static (ref _) => true).Count();

    sealed record Figures(TimeSpan Cpu, long Resident, long Virtual, int Threads, double StartTime, int OpenDescriptors);
}
