using EventDbx.Server.Plugins;
using EventDbx.Server.Plugins.Process;

namespace EventDbx.Server.Tests.Plugins;

using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>The plugins of <c>examples/</c>, installed and run as their users do.</summary>
public sealed class ExamplePluginTests
{
    static readonly string Examples = Path.Combine(Checkout.Root, "examples", "plugins");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_one_in_Python_takes_events_in_order_and_refuses_those_it_does_not_want()
    {
        await using PluginStage stage = new(new PluginClock(1));

        await WorksAsync(stage, await OpenPythonAsync(stage));
    }

    [Fact]
    public async Task The_one_in_CSharp_does_the_same()
    {
        await using PluginStage stage = new(new PluginClock(1));
        var built = Path.Combine(Checkout.Root, "artifacts", "bin", "EventDbx.Examples.Plugin", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)));
        var files = Directory.GetFiles(built).Where(file => Path.GetExtension(file) != ".pdb");
        var bundle = Path.Combine(stage.Data, "bundle.tar.gz");
        await File.WriteAllBytesAsync(bundle, Archives.TarGz(tar =>
        {
            foreach (var file in files)
                tar.WriteEntry(file, Path.GetFileName(file));
        }), Cancellation);
        await stage.InstallAsync("audit-trail", bundle, OperatingSystem.IsWindows() ? "audit-trail.exe" : "audit-trail");
        // The program starts the .NET that the tests run on.
        var runtime = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

        await WorksAsync(stage, stage.Open("audit-trail", [stage.Output], ("DOTNET_ROOT", runtime)));
    }

    [Fact]
    public void They_are_short()
    {
        Assert.InRange(File.ReadLines(Path.Combine(Examples, "csharp", "Program.cs")).Count(), 1, 99);
        Assert.InRange(File.ReadLines(Path.Combine(Examples, "python", "plugin.py")).Count(), 1, 150);
    }

    internal static async Task<ProcessChannel> OpenPythonAsync(PluginStage stage)
    {
        await Prerequisite.RequireAsync("python3");
        await stage.InstallAsync("audit-trail", Path.Combine(Examples, "python", "plugin.py"));
        return stage.Open("audit-trail", [stage.Output]);
    }

    static async Task WorksAsync(PluginStage stage, ProcessChannel channel)
    {
        var events = await stage.AppendManyAsync(400, 9);
        List<Delivery> more = [await stage.AppendAsync("ü", """{"text":"ä"}"""), await stage.AppendAsync("refused", """{"refuse":true}""")];

        await channel.CheckAsync(Cancellation);
        Assert.Equal(new(256, null), await channel.DeliverAsync(events[..256], Cancellation));
        Assert.Equal(new(144, null), await channel.DeliverAsync(events[256..], Cancellation));
        Assert.Equal(new(1, new(IsRefusal: true, "its payload says so")), await channel.DeliverAsync(more, Cancellation));
        Assert.Null(channel.Unsettled);
        await channel.DisposeAsync();

        Assert.Equal([.. events.Select(e => $"order/{e.Record.Aggregate.Id} {e.Record.Version} made"), "order/ü 1 made"], stage.Lines());
    }
}
