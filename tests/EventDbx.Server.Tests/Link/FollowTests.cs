using System.Text;
using System.Text.Json;
using EventDbx.Cli;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>replay --follow</c>: events as they are committed.</summary>
public sealed class FollowTests
{
    [Fact]
    public async Task Events_are_printed_as_they_are_committed_until_it_is_interrupted()
    {
        using var line = new CommandLine();
        await line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        await using var server = await RunningServer.StartAsync(line);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var output = new Heard();
        using var shell = new Shell
        {
            In = TextReader.Null, OpenIn = () => Stream.Null, Self = [CommandLine.Program], Out = output, Error = TextWriter.Null,
            Environment = name => name == "HOME" ? line.Directory.Path : null, WorkingDirectory = line.Directory.Path,
        };
        var following = CommandTree.RunAsync(["aggregate", "replay", "order", "o-1", "--follow", "--json"], shell, stop.Token);

        await output.ReachAsync(1);
        for (var version = 2; version <= 4; version++)
        {
            await line.RunAsync("aggregate", "apply", "order", "o-1", $"event-{version}");
            await output.ReachAsync(version);
        }

        await stop.CancelAsync();
        Assert.Equal((int)ExitCode.Done, await following);
        Assert.Equal(
            ["placed", "event-2", "event-3", "event-4"],
            output.Lines.Select(said => JsonDocument.Parse(said).RootElement.GetProperty("event_type").GetString()));
    }

    [Fact]
    public async Task So_many_are_followed_as_are_asked_for_and_a_directory_that_is_open_here_is_not()
    {
        using var line = new CommandLine();
        await line.RunAsync("aggregate", "apply", "order", "o-1", "placed");

        var refused = await line.RunAsync("aggregate", "replay", "order", "o-1", "--follow");
        await using var server = await RunningServer.StartAsync(line);
        var one = await line.RunAsync("aggregate", "replay", "order", "o-1", "--follow", "--take", "1");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("takes no other writer", refused.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, "placed"), (one.Code, JsonDocument.Parse(one.Out).RootElement.GetProperty("event_type").GetString()));
        Assert.Equal(ExitCode.Failed, (await line.RunAsync("aggregate", "replay", "order", "none", "--follow")).Code);
    }

    /// <summary>What was written so far, for whoever waits for it.</summary>
    sealed class Heard : StringWriter
    {
        readonly Lock _lock = new();
        readonly StringBuilder _text = new();

        public string[] Lines
        {
            get
            {
                lock (_lock)
                    return _text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            }
        }

        public override Task WriteAsync(string? value)
        {
            lock (_lock)
                _text.Append(value);
            return Task.CompletedTask;
        }

        public async Task ReachAsync(int lines)
        {
            while (Lines.Length < lines)
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
