using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

public sealed class VerifyTests : IDisposable
{
    readonly CommandLine _line = new();

    [Theory]
    [InlineData("aggregate", "verify", "order", "o-1")]
    [InlineData("aggregate", "verify", "--aggregate", "order", "--aggregate-id", "o-1", "--quick")]
    public async Task Verify_prints_the_root_that_every_read_shows(params string[] arguments)
    {
        await GivenOrdersAsync();
        var root = JsonDocument.Parse((await _line.RunAsync("aggregate", "get", "order", "o-1")).Out).RootElement.GetProperty("merkle_root").GetString();

        var text = await _line.RunAsync(arguments);
        var json = await _line.RunAsync([.. arguments, "--json"]);

        Assert.Equal(new Outcome(ExitCode.Done, $"aggregate_type=order aggregate_id=o-1 merkle_root={root}\n", ""), text);
        Assert.Equal("{\n  \"aggregate_id\": \"o-1\",\n  \"aggregate_type\": \"order\",\n  \"merkle_root\": \"" + root + "\"\n}\n", json.Out);
    }

    [Fact]
    public async Task Verify_all_counts_what_it_has_verified()
    {
        await GivenOrdersAsync();
        await _line.RunAsync("aggregate", "archive", "order", "o-2");

        var text = await _line.RunAsync("verify", "--all");
        var json = JsonDocument.Parse((await _line.RunAsync("verify", "--all", "--json")).Out).RootElement;

        Assert.Matches("^verified 3 events and 1 other entries in 2 aggregates \\(1 archived\\) in [0-9.]+ s \\([0-9,]+ events/s\\)\nlog_size=4 log_root=[0-9a-f]{64}\n$", text.Out);
        Assert.Equal((ExitCode.Done, ""), (text.Code, text.Error));
        Assert.Equal((4, 3, 1, 2, 1), (Number("log_size"), Number("events"), Number("control_entries"), Number("aggregates"), Number("archived")));
        Assert.Contains($"log_root={json.GetProperty("log_root").GetString()}\n", text.Out, StringComparison.Ordinal);

        int Number(string name) => json.GetProperty(name).GetInt32();
    }

    [Fact]
    public async Task On_a_terminal_a_bar_shows_how_far_it_is_and_is_gone_at_the_end()
    {
        await GivenOrdersAsync();
        _line.Terminal = true;

        var verified = await _line.RunAsync("verify", "--all");

        Assert.Contains("entries of the log", verified.Error, StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[K", verified.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.Usage, "error: verify what? `dbx verify --all` verifies everything there is", "verify")]
    [InlineData(ExitCode.Usage, "error: unexpected `order`: this command takes no values by position.", "verify", "order", "o-1")]
    [InlineData(ExitCode.Failed, "Error: There is no store yet, and so nothing to verify.", "verify", "--all")]
    [InlineData(ExitCode.Failed, "Error: There is no aggregate order/o-1: there is no store yet.", "aggregate", "verify", "order", "o-1")]
    [InlineData(ExitCode.Usage, "error: ID is missing:", "aggregate", "verify", "order")]
    internal async Task What_is_not_there_or_makes_no_sense_is_refused_and_nothing_is_made(ExitCode code, string reason, params string[] arguments)
    {
        var refused = await _line.RunAsync(arguments);

        Assert.Equal((code, ""), (refused.Code, refused.Out));
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Theory, InlineData(), InlineData("--quick")]
    public async Task An_unknown_aggregate_is_refused(params string[] options)
    {
        await GivenOrdersAsync();

        Assert.Equal(
            new Outcome(ExitCode.Failed, "", "Error: There is no aggregate order/o-9.\n"),
            await _line.RunAsync(["aggregate", "verify", "order", "o-9", .. options]));
    }

    public void Dispose() => _line.Dispose();

    async Task GivenOrdersAsync()
    {
        foreach (var id in (string[])["o-1", "o-1", "o-2"])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", id, "placed", "--field", "a=b")).Code);
    }
}
