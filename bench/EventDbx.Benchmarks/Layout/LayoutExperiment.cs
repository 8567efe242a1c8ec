namespace EventDbx.Benchmarks.Layout;

/// <summary>The two questions that fix the storage format: docs/decisions/0003-storage-layout.md.</summary>
internal static class LayoutExperiment
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 1000);
        var part = arguments.Text("part");
        if (part is null or "state")
            StateExperiment.Run(scratch.Path, arguments.Int("events", 20_000), arguments.Int("repeat", 3));
        if (part is null or "log")
            LogExperiment.Run(scratch.Path, arguments.Int("log-events", 500_000), arguments.Int("repeat", 3));
    }
}
