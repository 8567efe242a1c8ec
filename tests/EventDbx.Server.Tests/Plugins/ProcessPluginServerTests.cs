using System.Diagnostics;
using System.Globalization;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A process plugin under a real server, set up by the commands.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ProcessPluginServerTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_plugin_runs_beside_the_server_gets_every_event_and_ends_when_the_server_is_killed()
    {
        await Prerequisite.RequireAsync("python3");
        using TemporaryDirectory home = new();
        var output = home["output.txt"];
        using (var server = await ServerProcess.StartAsync(home.Path))
        {
            await RunAsync(home, "plugin", "install", "probe", "1.0.0", "--source", Path.Combine(Checkout.TestData, "plugins", "plugin.py"));
            await RunAsync(home, "plugin", "config", "process", "--name", "label", "--plugin", "probe", "--version", "1.0.0",
                "--arg", "acks", "--arg", output, "--arg", Path.Combine(Checkout.Root, "examples", "plugins", "python", "plugin.py"));
            // It is started before there is an event for it.
            await LinesAsync(output, lines => lines.Length >= 2);
            await ApplyAsync(home);
            await ApplyAsync(home);
            await LinesAsync(output, lines => lines.Length >= 4);
            await server.KillAsync();
        }

        // The end of its input is all that tells it; nobody is left to end it.
        var first = await LinesAsync(output, lines => lines[^1] == "end");
        var process = int.Parse(first[0][6..], CultureInfo.InvariantCulture);
        await UntilAsync(() => !PluginStage.IsRunning(process), () => $"process {process} runs still");
        using (var server = await ServerProcess.StartAsync(home.Path))
        {
            await ApplyAsync(home);
            await LinesAsync(output, lines => lines[^1].EndsWith("order/o-1 3", StringComparison.Ordinal));
            await server.KillAsync();
        }

        var events = (await LinesAsync(output, lines => lines[^1] == "end")).Where(line => line.StartsWith("event", StringComparison.Ordinal)).Select(line => line.Split(' ')[^1]).ToList();
        Assert.Equal(["1", "2"], events[..2]);
        // What was acknowledged just before the kill may come again; nothing is missing, and nothing is out of order.
        Assert.Equal(["1", "2", "3"], events.Distinct());
        Assert.Equal(events[2..].Order(StringComparer.Ordinal), events[2..]);
    }

    static Task ApplyAsync(TemporaryDirectory home) => RunAsync(home, "aggregate", "apply", "--aggregate", "order", "--aggregate-id", "o-1", "--event", "made", "--field", "a=1");

    static async Task RunAsync(TemporaryDirectory home, params string[] arguments)
    {
        var outcome = await ServerProcess.RunAsync(home.Path, arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Out}{outcome.Error}");
    }

    static async Task<string[]> LinesAsync(string file, Func<string[], bool> enough)
    {
        string[] lines = [];
        await UntilAsync(() => File.Exists(file) && (lines = File.ReadAllLines(file)).Length > 0 && enough(lines), () => $"there is only: {string.Join('\n', lines)}");
        return lines;
    }

    static async Task UntilAsync(Func<bool> there, Func<string> otherwise)
    {
        for (var started = Stopwatch.GetTimestamp(); !there();)
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), otherwise());
            await Task.Delay(20, Cancellation);
        }
    }
}
