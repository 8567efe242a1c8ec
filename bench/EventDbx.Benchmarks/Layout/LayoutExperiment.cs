namespace EventDbx.Benchmarks.Layout;

internal static class LayoutExperiment
{
    public static void Run(Arguments arguments)
    {
    }
}
