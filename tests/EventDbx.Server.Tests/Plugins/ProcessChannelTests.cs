using EventDbx.Server.Plugins;
using EventDbx.Server.Plugins.Process;

namespace EventDbx.Server.Tests.Plugins;

using Delivery = EventDbx.Server.Plugins.Delivery;

[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ProcessChannelTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static IEnumerable<string> Events(IEnumerable<string> lines) => lines.Where(line => line.StartsWith("event ", StringComparison.Ordinal));

    [Fact]
    public async Task A_plugin_gets_init_first_and_then_events_numbered_from_0_and_what_it_acknowledges_is_taken()
    {
        await using PluginStage stage = new(new PluginClock(1));
        var channel = await stage.OpenAsync("acks");
        var events = await stage.AppendManyAsync(5, 2);

        Assert.Equal(new(5, null), await channel.DeliverAsync(events, Cancellation));
        Assert.Null(channel.Unsettled);
        await channel.SettleAsync(Cancellation);
        await channel.DisposeAsync();

        Assert.Equal([
            $"init probe 1.0.0 {Server.Plugins.Install.PluginTarget.Current}", "event 0 order/o-0 1", "event 1 order/o-1 1", "event 2 order/o-0 2", "event 3 order/o-1 2", "event 4 order/o-0 3", "end",
        ], stage.Lines()[1..]);
        Assert.All(stage.Processes(), process => Assert.False(PluginStage.IsRunning(process)));
    }

    [Fact]
    public async Task What_a_plugin_without_acknowledgements_was_written_is_settled_once_it_has_lived_with_it_and_one_process_takes_all()
    {
        ManualClock clock = new(DateTimeOffset.UnixEpoch);
        await using PluginStage stage = new(clock);
        var channel = await stage.OpenAsync("silent");
        var events = await stage.AppendManyAsync(600, 7);

        Assert.Equal(new(256, null), await channel.DeliverAsync(events[..256], Cancellation));
        Assert.Equal(events[0].Record.Position, channel.Unsettled);
        Assert.Equal(new(256, null), await channel.DeliverAsync(events[256..512], Cancellation));
        Assert.Equal(new(88, null), await channel.DeliverAsync(events[512..], Cancellation));
        Assert.True(channel.Unsettled > events[256].Record.Position);
        await stage.LinesAsync(lines => Events(lines).Count() == 600);
        clock.Now += TimeSpan.FromSeconds(2.9);
        Assert.NotNull(channel.Unsettled);
        clock.Now += TimeSpan.FromSeconds(0.2);
        await channel.SettleAsync(Cancellation);
        Assert.Null(channel.Unsettled);
        await channel.DisposeAsync();

        Assert.Equal(events.Select((e, i) => $"event {i} order/{e.Record.Aggregate.Id} {e.Record.Version}"), Events(stage.Lines()));
        Assert.Single(stage.Processes());
    }

    [Fact]
    public async Task What_a_plugin_that_died_has_not_read_perhaps_the_next_one_gets_again()
    {
        await using PluginStage stage = new(new HastyClock(10));
        var channel = await stage.OpenAsync("crash");
        var events = await stage.AppendManyAsync(40, 3);
        await DeliverAllAsync(stage, channel, events);

        // It dies at the third event; how many of the others were written to it by then does not matter.
        await stage.UntilAsync(() => stage.Log.Count(line => line.Message.Contains("has ended with code 7", StringComparison.Ordinal)), count => count == 1);
        await DeliverAllAsync(stage, channel, [await stage.AppendAsync("last")]);
        await channel.SettleAsync(Cancellation);
        await channel.DisposeAsync();

        var second = stage.Lines().SkipWhile(line => !line.StartsWith("start", StringComparison.Ordinal)).Skip(1).SkipWhile(line => !line.StartsWith("start", StringComparison.Ordinal)).ToList();
        Assert.Equal([.. events.Select((e, i) => $"event {i} order/{e.Record.Aggregate.Id} {e.Record.Version}"), "event 40 order/last 1"], Events(second));
    }

    [Fact]
    public async Task What_was_acknowledged_before_a_plugin_died_is_taken_and_it_is_down_for_longer_each_time()
    {
        await using PluginStage stage = new(new PluginClock(2));
        var channel = await stage.OpenAsync("crash-acks");
        var events = await stage.AppendManyAsync(10, 10);

        var first = await channel.DeliverAsync(events, Cancellation);
        var down = await stage.UntilAsync(() => channel.DeliverAsync([], Cancellation).GetAwaiter().GetResult(), outcome => outcome.Failure is not null);
        await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));
        await stage.UntilAsync(() => channel.DeliverAsync([], Cancellation).GetAwaiter().GetResult(), outcome => outcome.Failure is null);
        var second = await channel.DeliverAsync(events[2..], Cancellation);

        Assert.Equal((2, false), (first.Taken, first.Failure!.IsRefusal));
        Assert.Equal("it has ended with code 7", down.Failure!.Reason);
        Assert.InRange(down.Failure.RetryAfter!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal((2, false), (second.Taken, second.Failure!.IsRefusal));
        await stage.UntilAsync(() => stage.Log.Select(line => line.Message).Where(message => message.Contains("started again", StringComparison.Ordinal)).ToArray(), lines => lines.Length >= 2);
        Assert.Contains(stage.Log, line => line.Message == "label: it has ended with code 7; it is started again in 1.0 s");
        Assert.Contains(stage.Log, line => line.Message == "label: it has ended with code 7; it is started again in 2.0 s");
    }

    [Theory]
    [InlineData(0, 0.5, 1)]
    [InlineData(1, 0.5, 2)]
    [InlineData(5, 0.5, 32)]
    [InlineData(6, 0.5, 60)]
    [InlineData(1_000_000, 0.5, 60)]
    [InlineData(0, 0, 0.8)]
    [InlineData(9, 0.999999, 72)]
    public void The_pause_before_a_start_doubles_up_to_a_minute_a_fifth_more_or_less(int failures, double jitter, double seconds) =>
        Assert.Equal(seconds, ProcessSupervisor.PauseAfter(failures, jitter).TotalSeconds, tolerance: 0.001);

    [Fact]
    public async Task A_refused_event_holds_back_later_ones_of_its_aggregate_and_its_reason_is_told()
    {
        await using PluginStage stage = new(new PluginClock(1));
        var channel = await ExamplePluginTests.OpenPythonAsync(stage);
        Delivery[] events = [await stage.AppendAsync("a"), await stage.AppendAsync("b", """{"refuse":true}"""), await stage.AppendAsync("b"), await stage.AppendAsync("c")];

        var outcome = await channel.DeliverAsync(events, Cancellation);
        Assert.Equal(new(1, new(IsRefusal: true, "its payload says so")), outcome);
        Assert.Equal(["order/a 1 made"], stage.Lines());
        Assert.Equal(new(1, null), await channel.DeliverAsync([events[3]], Cancellation));
        Assert.Equal(["order/a 1 made", "order/c 1 made"], stage.Lines());
    }

    [Theory]
    [InlineData("asleep", "it has not read its standard input for 30 s")]
    [InlineData("mute", "it has acknowledged nothing for 30 s")]
    public async Task A_plugin_that_hangs_is_down_after_half_a_minute_and_killed(string mode, string reason)
    {
        await using PluginStage stage = new(mode == "mute" ? new PluginClock(10) : new HastyClock(10));
        var channel = await stage.OpenAsync(mode);
        var large = await stage.AppendAsync("o", $$"""{"text":"{{new string('x', 200_000)}}"}""");

        var outcome = await channel.DeliverAsync([large], Cancellation);

        Assert.Equal(0, outcome.Taken);
        Assert.Equal((false, reason), (outcome.Failure!.IsRefusal, outcome.Failure.Reason));
        await stage.UntilAsync(() => stage.Processes().Any(PluginStage.IsRunning), runs => !runs);
        await channel.DisposeAsync();
    }

    [Theory]
    [InlineData("garbage", "its standard output is not what docs/plugin-authors.md says: ")]
    [InlineData("forward", "its standard output is not what docs/plugin-authors.md says: It answers event 1, which it was not sent.")]
    public async Task A_plugin_that_answers_what_it_was_not_asked_is_down(string mode, string reason)
    {
        await using PluginStage stage = new(new PluginClock(1));
        var channel = await stage.OpenAsync(mode);

        var outcome = await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await stage.UntilAsync(() => stage.Log.Count(line => line.Message.Contains(reason, StringComparison.Ordinal)), count => count > 0);

        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
    }

    [Fact]
    public async Task One_that_acknowledges_late_is_started_anew_and_gets_everything_again()
    {
        await using PluginStage stage = new(new ManualClock(DateTimeOffset.UnixEpoch));
        var channel = await stage.OpenAsync("late");
        var events = await stage.AppendManyAsync(3, 3);

        Assert.Equal(new(3, null), await channel.DeliverAsync(events, Cancellation));
        Assert.Equal(events[0].Record.Position, channel.Unsettled);
        File.WriteAllText(stage.Output + ".go", "");
        await stage.UntilAsync(() => stage.Log.Count(line => line.Message.Contains("late", StringComparison.Ordinal)), count => count == 1);
        await DeliverAllAsync(stage, channel, [await stage.AppendAsync("last")]);

        Assert.Null(channel.Unsettled);
        Assert.Equal(["event 0 order/o-0 1", "event 1 order/o-1 1", "event 2 order/o-2 1", "event 3 order/last 1"], Events(stage.Lines()).TakeLast(4));
    }

    [Fact]
    public async Task A_plugin_inherits_the_environment_without_what_is_ours_and_no_open_file_and_leads_its_own_group()
    {
        Environment.SetEnvironmentVariable("EVENTDBX_PROBE_OF_TESTS", "secret");
        await using PluginStage stage = new();
        var channel = await stage.OpenAsync("environment", ("COLOUR", "blue"));
        channel.Start();

        var lines = await stage.LinesAsync(lines => lines.Length >= 4);

        Assert.Equal("COLOUR=blue EVENTDBX_PLUGIN_ACKS=1", lines[1]);
        Assert.Equal("ours []", lines[2]);
        Assert.StartsWith(File.Exists("/usr/bin/setsid") ? "group True" : "group False", lines[3], StringComparison.Ordinal);
        Assert.EndsWith($"cwd {Path.Combine(stage.Data, "plugins", "probe", "1.0.0", Server.Plugins.Install.PluginTarget.Current)} args ['two words', '']", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_whose_settings_call_acknowledgements_off_is_not_listened_to()
    {
        await using PluginStage stage = new();
        var channel = await stage.OpenAsync("garbage", ("EVENTDBX_PLUGIN_ACKS", "0"));

        Assert.Equal(new(1, null), await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation));
        await stage.LinesAsync(lines => Events(lines).Any());
    }

    [Fact]
    public async Task What_a_plugin_prints_is_in_the_log_bounded_and_plain()
    {
        await using PluginStage stage = new();
        var channel = await stage.OpenAsync("text");
        await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await stage.UntilAsync(() => stage.Log.Count, count => count >= 3);
        await channel.DisposeAsync();

        Assert.Equal(["label stdout: hello", "label stdout: \ufffd[31mred"], stage.Log.Select(line => line.Message).Where(line => line.Contains("stdout", StringComparison.Ordinal)));
        Assert.Equal([$"label stderr: {new string('x', 4096)}…", "label stderr: last"], stage.Log.Select(line => line.Message).Where(line => line.Contains("stderr", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Of_a_plugin_that_prints_without_end_five_hundred_lines_in_ten_seconds_are_in_the_log()
    {
        await using PluginStage stage = new(new ManualClock(DateTimeOffset.UnixEpoch));
        var channel = await stage.OpenAsync("noisy");
        await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await channel.DisposeAsync();

        Assert.Equal(500, stage.Log.Count(line => line.Message == "label stdout: line"));
    }

    [Fact]
    public async Task A_plugin_that_does_not_end_is_asked_to_and_then_killed()
    {
        await using PluginStage stage = new(new HastyClock(5));
        var channel = await stage.OpenAsync("stubborn");
        await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await stage.LinesAsync(lines => Events(lines).Any());

        await channel.DisposeAsync();

        Assert.Equal(["end", "term"], stage.Lines()[^2..]);
        Assert.All(stage.Processes(), process => Assert.False(PluginStage.IsRunning(process)));
    }

    [Fact]
    public async Task A_plugin_that_is_not_installed_or_not_executable_is_down_and_says_so()
    {
        await using PluginStage stage = new();
        var channel = stage.Open("search", []);
        var reason = $"plugin 'label' is unavailable: plugin search@1.0.0 is not installed for target {Server.Plugins.Install.PluginTarget.Current}";

        Assert.Equal(reason, (await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation))).Message);
        Assert.Equal((false, reason), (await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation)).Failure is { } failure ? (failure.IsRefusal, failure.Reason) : default);
        var installed = await stage.InstallAsync("other", Path.Combine(Checkout.TestData, "plugins", "plugin.py"));
        await stage.Open("other", []).CheckAsync(Cancellation);
        if (OperatingSystem.IsWindows())
            File.Delete(installed.BinaryPath);
        else
            File.SetUnixFileMode(installed.BinaryPath, UnixFileMode.UserRead);
        await Assert.ThrowsAsync<PluginDownException>(() => stage.Open("other", []).CheckAsync(Cancellation));
    }

    /// <summary>As a courier does: what was not taken is handed over again, once the plugin is there.</summary>
    static async Task DeliverAllAsync(PluginStage stage, ProcessChannel channel, List<Delivery> events)
    {
        for (var taken = 0; taken < events.Count;)
        {
            var outcome = await channel.DeliverAsync(events[taken..], Cancellation);
            Assert.False(outcome.Failure?.IsRefusal ?? false, outcome.Failure?.Reason);
            taken += outcome.Taken;
            if (outcome.Failure is { } down)
                await Task.Delay(down.RetryAfter ?? TimeSpan.FromMilliseconds(50), stage.Clock, Cancellation);
        }
    }
}
