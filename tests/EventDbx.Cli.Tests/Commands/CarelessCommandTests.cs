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

    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    public async Task An_empty_file_of_schemas_takes_none_away(string empty)
    {
        await _line.RunAsync("schema", "create", "order", "--events", "placed");
        _line.Input = empty;
        _line.Directory.Write("schemas.json", empty);

        foreach (var file in (string[])["-", "schemas.json"])
        {
            var refused = await _line.RunAsync("schema", "apply", file, "--prune");
            Assert.Equal(ExitCode.Failed, refused.Code);
            Assert.Contains("is empty; a file without schemas is {}", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("schema", "show", "order")).Code);
        _line.Input = "{}";
        Assert.Equal("schema=order dropped", (await _line.RunAsync("schema", "apply", "-", "--prune")).Out.Split('\n')[0]);
    }

    [Fact]
    public async Task What_is_stored_steers_no_terminal_and_begins_no_line()
    {
        const string evil = "x\u001b[31m\nversion=9\u009b\u202e";
        const string shown = "x\\u001b[31m\\nversion=9\\u009b\\u202e";
        var payload = $"{{\"{evil.Replace("\u001b", "\\u001b", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\":1}}";
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--payload", payload);
        await _line.RunAsync("aggregate", "snapshot", "order", "o-1", "--comment", evil);

        foreach (var terminal in (bool[])[false, true])
        {
            _line.Terminal = terminal;
            _line.Environment["NO_COLOR"] = "1";
            foreach (var command in (string[][])
            [
                ["aggregate", "snapshots", "order", "o-1"], ["aggregate", "diff", "order", "o-1", "--from", "0"], ["aggregate", "get", "order", "o-1"],
                ["aggregate", "archive", "order", "o-1", "--comment", evil], ["schema", "field", "set", "order", evil, "none"],
            ])
            {
                var outcome = await _line.RunAsync(command);
                Assert.DoesNotContain('\u001b', outcome.Out + outcome.Error);
                Assert.DoesNotContain('\u009b', outcome.Out + outcome.Error);
                Assert.DoesNotContain('\u202e', outcome.Out + outcome.Error);
                Assert.DoesNotContain("\nversion=9", outcome.Out + outcome.Error, StringComparison.Ordinal);
            }

            await _line.RunAsync("aggregate", "restore", "order", "o-1");
        }

        _line.Terminal = false;
        Assert.EndsWith($"comment={shown}\n", (await _line.RunAsync("aggregate", "snapshots", "order", "o-1")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arguments_that_are_not_UTF_8_are_refused_and_the_character_that_stands_for_them_is_not()
    {
        foreach (var arguments in (string[])["$'bad\\xff' x e", "o x e --payload $'{\"a\":\"\\xff\"}'"])
        {
            var refused = await Program.RunAsync("/bin/bash", _line.Directory.Path, _line.Directory.Path, "-c", $"exec \"$0\" aggregate apply {arguments}", Program.File);
            Assert.Equal(ExitCode.Usage, refused.Code);
            Assert.Contains("is not UTF-8", refused.Error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(_line.Directory[".eventdbx"]));
        Assert.Equal(ExitCode.Done, (await Program.RunAsync(Program.File, _line.Directory.Path, _line.Directory.Path, "aggregate", "apply", "\ufffd", "x", "e")).Code);
    }

    [Fact]
    public async Task Versions_may_be_as_large_as_they_are_published()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "get", "order", "o-1", "--version", "18446744073709551615")).Code);
        Assert.Contains("expected version 18446744073709551615", (await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--expected-version", "18446744073709551615")).Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("aggregate", "get", "order", "o-1", "--version", "18446744073709551616")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("schema", "create", "part", "--events", "made", "-s", "18446744073709551615")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "diff", "order", "o-1", "--from", "0", "--to", "18446744073709551615")).Code);
    }

    [Theory]
    [InlineData("schema", "apply", ".")]
    [InlineData("aggregate", "apply", "order", "o-1", "placed", "--payload", "@.")]
    public async Task A_directory_where_a_file_is_due_is_named_as_one(params string[] arguments) =>
        Assert.Contains(". is a directory, where a file is due.", (await _line.RunAsync(arguments)).Error, StringComparison.Ordinal);

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
