using EventDbx.Server.Logs;
using EventDbx.Server.Plugins;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

// The engine has a namespace of that name.
using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>Events as lines of the log.</summary>
public sealed class LogChannelTests
{
    static async Task<LogLine> LineOfAsync(string level, string? template, Delivery one)
    {
        List<LogLine> lines = [];
        await using var channel = PluginChannels.Open(Sinks.Plugin(new() { Kind = PluginKind.Log, Level = level, Template = template }, "trail"), Sinks.Surroundings(log: lines.Add));
        await channel.CheckAsync(TestContext.Current.CancellationToken);
        Assert.Equal(new DeliveryOutcome(1, null), await channel.DeliverAsync([one], TestContext.Current.CancellationToken));
        Assert.Null(channel.Unsettled);
        return Assert.Single(lines);
    }

    [Theory]
    [InlineData("trace", LogLevel.Trace)]
    [InlineData("debug", LogLevel.Debug)]
    [InlineData("info", LogLevel.Information)]
    [InlineData("WARN", LogLevel.Warning)]
    [InlineData("Error", LogLevel.Error)]
    public async Task An_event_is_a_line_of_its_level_that_names_it_and_has_no_payload(string level, LogLevel expected)
    {
        var line = await LineOfAsync(level, null, Sinks.Event(1, payload: """{"card":"canary"}"""));

        Assert.Equal((expected, "plugin", "trail: aggregate=order id=o-1 event=order-paid"), (line.Level, line.Source, line.Message));
    }

    [Theory]
    [InlineData("verbose")]
    [InlineData("")]
    [InlineData("1")]
    public void A_level_that_there_is_not_is_refused(string level) =>
        Assert.Contains("unsupported log level", Assert.Throws<RefusedException>(() => PluginChannels.Open(Sinks.Plugin(new() { Kind = PluginKind.Log, Level = level }), Sinks.Surroundings())).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{event} on {aggregate}/{id}", "order-paid on order/o-1")]
    [InlineData("{id}{id} {ID} {} {", "o-1o-1 {ID} {} {")]
    [InlineData("{{event}}", "{order-paid}")]
    [InlineData("", "")]
    public async Task A_template_is_filled_in(string template, string expected) =>
        Assert.Equal("trail: " + expected, (await LineOfAsync("info", template, Sinks.Event(1))).Message);

    [Fact]
    public async Task A_name_is_no_template_and_forges_no_line()
    {
        var line = await LineOfAsync("info", "{aggregate} {id}", Sinks.Event(1, aggregate: "{event}\u2028x", type: "{id}"));
        Assert.Equal("trail: {id} {event}\u2028x", line.Message);
        Assert.Single(LogText.Of(line).TrimEnd('\n').Split('\n', '\u2028'));

        Assert.Equal("trail: aggregate=order id=\"o event=paid\" event=order-paid", (await LineOfAsync("info", null, Sinks.Event(1, aggregate: "o event=paid"))).Message);
    }
}
