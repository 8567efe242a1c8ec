namespace EventDbx.Cli.Tests;

public sealed class UsageTests
{
    [Theory]
    [InlineData("error: unknown command `confg`; did you mean `config`?", "confg")]
    [InlineData("error: unknown command `nothing-like-it`\n", "nothing-like-it")]
    [InlineData("error: unknown option `--prt`; did you mean `--port`?", "config", "--prt", "1")]
    [InlineData("error: unknown option `--prt`; did you mean `--port`?", "config", "--prt=1")]
    [InlineData("error: unknown option `--conifg`; did you mean `--config`?", "--conifg=x", "config")]
    [InlineData("error: unknown option `-x`\n", "config", "-x")]
    [InlineData("error: unexpected `x`: this command takes no values by position.", "config", "x")]
    [InlineData("error: unexpected `--port`: this command takes no values by position.", "config", "--", "--port")]
    [InlineData("error: `--port` needs a value: PORT.", "config", "--port")]
    [InlineData("error: `--port` is given 2 times; it takes one value.", "config", "--port", "1", "--port", "2")]
    [InlineData("error: `--port` must be a whole number from 1 to 65535, not `0`.", "config", "--port", "0")]
    [InlineData("error: `--admin-master-key` and `--clear-admin-master-key` exclude each other.",
        "config", "--admin-master-key", "x", "--clear-admin-master-key")]
    public async Task A_command_line_that_makes_no_sense_is_refused_with_a_reason(string reason, params string[] arguments)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(arguments);

        Assert.StartsWith(reason, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("\nUsage:\n  dbx", outcome.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
        Assert.False(File.Exists(line.ConfigPath));
    }

    [Fact]
    public async Task With_json_a_refusal_is_one_object_on_one_line()
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync("config", "--json", "--prt", "1");

        Assert.Equal("""{"code":"usage","message":"unknown option `--prt`; did you mean `--port`?","retryable":false}""" + "\n", outcome.Error);
        Assert.Equal(ExitCode.Usage, outcome.Code);
    }

    [Theory]
    [InlineData("--config", "here.toml", "config", "--port", "1234")]
    [InlineData("config", "--config", "here.toml", "--port", "1234")]
    [InlineData("config", "--port=1234", "--config=here.toml")]
    public async Task The_global_options_stand_anywhere(params string[] arguments)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(arguments);

        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains("port = 1234", await File.ReadAllTextAsync(line.Directory["here.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
