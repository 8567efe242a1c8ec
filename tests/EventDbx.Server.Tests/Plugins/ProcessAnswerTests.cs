using EventDbx.Server.Plugins;
using EventDbx.Server.Plugins.Process;

namespace EventDbx.Server.Tests.Plugins;

using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>What a plugin answers, event by event, and what it leaves behind.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ProcessAnswerTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_events_that_are_under_way_together_each_has_its_own_answer()
    {
        await using PluginStage stage = new(new PluginClock(1));
        var channel = await ExamplePluginTests.OpenPythonAsync(stage);
        Delivery[] events =
        [
            await stage.AppendAsync("a"), await stage.AppendAsync("b", """{"refuse":true}"""), await stage.AppendAsync("c"), await stage.AppendAsync("d", """{"refuse":true}"""), await stage.AppendAsync("e"),
            await stage.AppendAsync("b"), await stage.AppendAsync("f"),
        ];

        var outcome = await channel.DeliverAsync(events, Cancellation);

        DeliveryFailure refusal = new(IsRefusal: true, "its payload says so");
        Assert.Equal((1, refusal, 0), (outcome.Taken, outcome.Failure, outcome.Together));
        Assert.Equal([null, refusal, null], outcome.Behind!);
        // What stands behind a second one of an aggregate was not handed over.
        Assert.Equal(["order/a 1 made", "order/c 1 made", "order/e 1 made"], stage.Lines());
    }

    [Fact]
    public async Task What_a_plugin_acknowledged_is_never_sent_to_it_again_and_what_it_refused_once_per_attempt()
    {
        await using PluginStage stage = new();
        await using CourierStand stand = new();
        stand.Config = stand.Config with { PluginMaxAttempts = 2 };
        await stand.FromStartAsync();
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 600).Select(i => i % 15 == 7 ? $"bad{i}" : $"a{i}")));
        var channel = await stage.OpenAsync("refuses");
        await using Courier courier = new(stand.Definition, stand.Surroundings with { Clock = TimeProvider.System }, stand.Queue, _ => channel, stand.Figures);
        courier.Start();
        await stand.NowAsync(() => stand.Queue.Count("p") is { Waiting: 0, Dead: 40 } && courier.Status?.Reached == 600);

        var sent = stage.Lines().Where(line => line.StartsWith("event ", StringComparison.Ordinal)).CountBy(line => line.Split(' ')[2]).ToDictionary();
        Assert.Equal(600, sent.Count);
        Assert.All(sent, one => Assert.Equal(one.Key.StartsWith("order/bad", StringComparison.Ordinal) ? 2 : 1, one.Value));
        Assert.Equal((560, 80, 0), (stand.Figures.Taken, stand.Figures.Refused, stand.Figures.Down));
    }

    [Fact]
    public void Reasons_of_refusals_are_kept_until_they_were_asked_for_and_not_longer()
    {
        PluginAnswers answers = new();
        for (var i = 0; i < 4; i++)
            answers.Next();
        Assert.True(answers.Answer(0, " why "));
        Assert.True(answers.Answer(2, new string('x', 100_000)));
        Assert.False(answers.Answer(4, "not sent"));
        Assert.Equal(("why", null, Limits.DeliveryErrorCharactersMax, 2), (answers.FindRefusal(0), answers.FindRefusal(1), answers.FindRefusal(2)!.Length, answers.Kept));

        answers.Forget();
        Assert.True(answers.Answer(3, "too late for anybody to ask"));
        Assert.Equal(0, answers.Kept);
        answers.Next();
        Assert.True(answers.Answer(4, "in time"));
        Assert.Equal("in time", answers.FindRefusal(4));
    }

    [Fact]
    public async Task The_first_that_is_not_settled_is_the_one_that_stands_first_in_the_log_and_not_the_one_that_was_written_first()
    {
        ManualClock clock = new(DateTimeOffset.UnixEpoch);
        await using PluginStage stage = new(clock);
        var channel = await stage.OpenAsync("text");
        var events = await stage.AppendManyAsync(5, 5);

        await channel.DeliverAsync([events[4]], Cancellation);
        clock.Now += TimeSpan.FromSeconds(2);
        await channel.DeliverAsync([events[1], events[3]], Cancellation);
        Assert.Equal(events[1].Record.Position, channel.Unsettled);
        await stage.LinesAsync(lines => lines.Count(line => line.StartsWith("event ", StringComparison.Ordinal)) == 3);
        clock.Now += TimeSpan.FromSeconds(1.5);
        Assert.Equal(events[1].Record.Position, channel.Unsettled);
        clock.Now += TimeSpan.FromSeconds(2);
        await channel.SettleAsync(Cancellation);
        Assert.Null(channel.Unsettled);
    }

    [Fact]
    public async Task What_a_plugin_that_died_has_not_read_perhaps_the_next_one_gets_even_if_no_event_follows()
    {
        await using PluginStage stage = new(new HastyClock(10));
        var channel = await stage.OpenAsync("crash");
        var events = await stage.AppendManyAsync(6, 6);
        Assert.Equal(new(6, null), await channel.DeliverAsync(events, Cancellation));

        // It dies at the third one.
        var lines = await stage.LinesAsync(lines => lines.SkipLast(1).Any() && lines[^1] == "event 5 order/o-5 1");
        Assert.Equal(2, stage.Processes().Length);
        Assert.Equal(events.Select((e, i) => $"event {i} order/{e.Record.Aggregate.Id} 1"), lines[^6..]);
    }

    [Fact]
    public async Task What_counted_as_read_by_a_plugin_that_acknowledges_late_goes_again_however_long_ago_and_however_much_it_was()
    {
        ManualClock clock = new(DateTimeOffset.UnixEpoch);
        await using PluginStage stage = new(clock);
        var channel = await stage.OpenAsync("later");
        var events = await stage.AppendManyAsync(300, 300);
        Assert.Equal(new(256, null), await channel.DeliverAsync(events[..256], Cancellation));
        Assert.Equal(new(44, null), await channel.DeliverAsync(events[256..], Cancellation));
        clock.Now += TimeSpan.FromSeconds(20);
        await stage.UntilAsync(() => channel.Unsettled, unsettled => unsettled is null);

        File.WriteAllText(stage.Output + ".go", "");
        var lines = await stage.LinesAsync(lines => lines[^1] == "event 299 order/o-299 1");

        Assert.Equal(2, stage.Processes().Length);
        Assert.Equal(events.Select((e, i) => $"event {i} order/{e.Record.Aggregate.Id} 1"), lines[^300..]);
    }

    [Theory]
    [InlineData("parent")]
    [InlineData("parent-crash")]
    public async Task What_a_plugin_has_started_ends_with_it(string mode)
    {
        Assert.SkipUnless(PluginStart.LeadsGroup, "There is no setsid on this machine.");
        await using PluginStage stage = new(new HastyClock(10));
        var channel = await stage.OpenAsync(mode);
        await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await stage.LinesAsync(lines => lines.Any(line => line.StartsWith("event ", StringComparison.Ordinal)));
        var child = Child(stage);

        if (mode == "parent")
        {
            Assert.True(PluginStage.IsRunning(child));
            await channel.DisposeAsync();
        }
        else
        {
            await stage.UntilAsync(() => stage.Log.Count(line => line.Message.Contains("has ended with code 7", StringComparison.Ordinal)), count => count > 0);
        }

        // Before anybody is told that it has ended: the next one would want its port.
        Assert.False(PluginStage.IsRunning(child));
    }

    [Fact]
    public async Task What_a_plugin_has_started_and_does_not_end_when_it_is_asked_is_killed_after_a_while()
    {
        Assert.SkipUnless(PluginStart.LeadsGroup, "There is no setsid on this machine.");
        await using PluginStage stage = new(new HastyClock(5));
        var channel = await stage.OpenAsync("parent-stubborn");
        await channel.DeliverAsync([await stage.AppendAsync("o")], Cancellation);
        await stage.LinesAsync(lines => lines.Any(line => line.StartsWith("event ", StringComparison.Ordinal)));

        await channel.DisposeAsync();

        Assert.False(PluginStage.IsRunning(Child(stage)));
    }

    static int Child(PluginStage stage) => int.Parse(stage.Lines().First(line => line.StartsWith("child ", StringComparison.Ordinal))[6..], System.Globalization.CultureInfo.InvariantCulture);
}
