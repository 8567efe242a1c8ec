using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Encryption;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx key rotate</c>, with a server and without.</summary>
public sealed class KeyCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rotation_makes_a_key_keeps_it_first_and_takes_the_old_one_away(bool running)
    {
        await FillAsync();
        var before = Config();
        await using (var server = running ? await RunningServer.StartAsync(_line) : null)
        {
            var rotated = await _line.RunAsync("key", "rotate", "--json");

            Assert.Equal(ExitCode.Done, rotated.Code);
            var result = JsonNode.Parse(rotated.Out)!;
            Assert.Equal((2, 3), (result["generation"]!.GetValue<int>(), result["keys"]!.GetValue<int>()));
            Assert.Contains("data_encryption_key", rotated.Error, StringComparison.Ordinal);
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-9", "made")).Code);
        }

        Assert.NotEqual(Key(before, "data_encryption_key"), Key(Config(), "data_encryption_key"));
        Assert.Null(Key(Config(), "data_encryption_key_next"));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("verify", "--all")).Code);
        await File.WriteAllTextAsync(_line.ConfigPath, before, TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Refused, (await _line.RunAsync("aggregate", "list")).Code);
    }

    [Fact]
    public async Task Interrupted_before_the_configuration_says_so_it_opens_and_is_ended_by_the_same_command()
    {
        await FillAsync();
        var (before, next) = (Config(), NewKey());
        await _line.RunAsync("key", "rotate", "--new-key", next);
        var half = before.Replace("data_encryption_key = ", $"data_encryption_key_next = \"{next}\"\ndata_encryption_key = ", StringComparison.Ordinal);
        await File.WriteAllTextAsync(_line.ConfigPath, half, TestContext.Current.CancellationToken);

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list")).Code);
        var other = await _line.RunAsync("key", "rotate", "--new-key", NewKey());
        var ended = await _line.RunAsync("key", "rotate");

        Assert.Equal(ExitCode.Failed, other.Code);
        Assert.Contains("unfinished", other.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, ended.Code);
        Assert.Contains("already", ended.Out, StringComparison.Ordinal);
        Assert.Equal((next, null), (Key(Config(), "data_encryption_key"), Key(Config(), "data_encryption_key_next")));
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("key", "rotate", "--new-key", next)).Code);
    }

    [Fact]
    public async Task A_key_that_is_kept_elsewhere_is_rotated_to_one_that_is_given_and_it_says_what_to_change()
    {
        _line.Environment["EVENTDBX_DEK"] = NewKey();
        _line.Environment["NEXT"] = NewKey();
        await _line.RunAsync("config", "--port", "7071");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");

        var without = await _line.RunAsync("key", "rotate");
        var rotated = await _line.RunAsync("key", "rotate", "--new-key", "env:NEXT");
        var old = await _line.RunAsync("aggregate", "list");
        _line.Environment["EVENTDBX_DEK"] = _line.Environment["NEXT"];
        var now = await _line.RunAsync("aggregate", "list");

        Assert.Equal(ExitCode.Usage, without.Code);
        Assert.Equal(ExitCode.Done, rotated.Code);
        Assert.Contains("EVENTDBX_DEK to the new key", rotated.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Refused, ExitCode.Done), (old.Code, now.Code));
        Assert.All([without.Error, rotated.Error, rotated.Out, old.Error], text => Assert.DoesNotContain(_line.Environment["NEXT"], text, StringComparison.Ordinal));
        Assert.DoesNotContain(_line.Environment["NEXT"], Config(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plain_store_and_none_at_all_are_refused()
    {
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("key", "rotate", "--new-key", NewKey())).Code);
        await _line.RunAsync("config", "--encryption", "off");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");

        var refused = await _line.RunAsync("key", "rotate", "--new-key", NewKey());

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("not encrypted", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_ledger_is_accepted_on_the_command_line()
    {
        await FillAsync();
        await _line.RunAsync("token", "generate", "--group", "a", "--user", "b");
        var path = Path.Combine(_line.DataDirectory, "tokens.json");
        var older = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        await _line.RunAsync("token", "generate", "--group", "a", "--user", "c");
        await File.WriteAllBytesAsync(path, older, TestContext.Current.CancellationToken);

        var refused = await _line.RunAsync("token", "list");
        var accepted = await _line.RunAsync("recover", "--accept-document", "tokens.json");
        var listed = await _line.RunAsync("token", "list");

        Assert.Equal(ExitCode.Difference, refused.Code);
        Assert.Contains("older", refused.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, "accepted tokens.json as it is\n"), (accepted.Code, accepted.Out));
        Assert.Equal(ExitCode.Done, listed.Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("recover", "--accept-document", "tokens.json")).Code);
    }

    async Task FillAsync()
    {
        foreach (var id in (string[])["o-1", "o-2", "o-3"])
            await _line.RunAsync("aggregate", "apply", "order", id, "made", "--field", "word=sesame");
    }

    static string NewKey()
    {
        using var key = DataKey.Generate();
        return key.ToBase64();
    }

    string Config() => File.ReadAllText(_line.ConfigPath);

    static string? Key(string config, string name) =>
        config.Split('\n').FirstOrDefault(line => line.StartsWith(name + " = ", StringComparison.Ordinal))?[(name.Length + 4)..^1];
}
