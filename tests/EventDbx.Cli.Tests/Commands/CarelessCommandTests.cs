namespace EventDbx.Cli.Tests.Commands;

/// <summary>What a shell does when a variable is empty, a disk is full, or a key is set twice.</summary>
public sealed class CarelessCommandTests : IDisposable
{
    static readonly string Dek = Convert.ToBase64String([.. Enumerable.Repeat((byte)7, 32)]);

    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task The_key_of_a_store_anywhere_is_not_replaced_by_config()
    {
        await _line.RunAsync("--data-dir", "elsewhere", "aggregate", "apply", "order", "o-1", "placed");
        var before = _line.ConfigText;

        var here = await _line.RunAsync("config", "--dek", Dek);
        var moved = await _line.RunAsync("config", "--data-dir", "third", "--dek", Dek);

        Assert.Equal((ExitCode.Failed, ExitCode.Failed), (here.Code, moved.Code));
        Assert.Equal(before, _line.ConfigText);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("--data-dir", "elsewhere", "aggregate", "get", "order", "o-1")).Code);
    }

    [Theory]
    [InlineData("--data-dir", "", "aggregate", "list")]
    [InlineData("--config", "", "aggregate", "list")]
    [InlineData("config", "--dek", "-", "--admin-master-key", "-")]
    [InlineData("config", "--admin-master-key", "-", "--port", "7071")]
    public async Task What_leads_nowhere_is_a_usage_error_and_changes_nothing(params string[] arguments)
    {
        _line.Input = " \n";

        var outcome = await _line.RunAsync(arguments);

        Assert.Equal(ExitCode.Usage, outcome.Code);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task A_cache_of_nothing_is_a_setting_like_any_other()
    {
        await _line.RunAsync("config", "--cache-threshold", "0");

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "get", "order", "o-1")).Code);
    }

    [Fact]
    public async Task Forty_commands_leave_a_handful_of_logs()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        for (var i = 0; i < 40; i++)
            await _line.RunAsync("aggregate", "get", "order", "o-1");

        Assert.InRange(Directory.GetFiles(_line.Directory[".eventdbx/event_store"], "*.log").Length, 1, 12);
    }

    [Fact]
    public async Task A_full_disk_behind_standard_output_is_a_failure_with_an_exit_code()
    {
        if (!File.Exists("/dev/full"))
            Assert.Skip("there is no /dev/full here");
        await using var full = new StreamWriter(new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0));
        using var shell = new Shell
        {
            In = TextReader.Null, OpenIn = () => Stream.Null, Self = [Program.File], Out = full, Error = TextWriter.Null,
            Environment = _ => null, WorkingDirectory = _line.Directory.Path,
        };

        var code = await CommandTree.RunAsync(["--help"], shell, TestContext.Current.CancellationToken);

        Assert.Equal(ExitCode.Failed, (ExitCode)code);
    }
}
