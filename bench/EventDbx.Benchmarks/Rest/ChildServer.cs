using System.Globalization;
using System.Reflection;

namespace EventDbx.Benchmarks.Rest;

/// <summary>A server in a process of its own, so that its processor time is not the load generator's.</summary>
/// <remarks>This program again, with a verb that serves: prints its port, and stops when its standard input ends.</remarks>
internal sealed class ChildServer : IDisposable
{
    readonly Process _process;

    ChildServer(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public TimeSpan Processor => ProcessUsage.Processor(_process.Id);

    public static ChildServer Start(params string[] arguments)
    {
        var program = Environment.ProcessPath!;
        ProcessStartInfo start = new(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Insert(0, Assembly.GetExecutingAssembly().Location);
        var process = Process.Start(start)!;
        var port = process.StandardOutput.ReadLine() ?? throw new IOException($"{arguments[0]} ended before it served.");
        return new(process, int.Parse(port, CultureInfo.InvariantCulture));
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10)))
            _process.Kill();
        _process.Dispose();
    }
}
