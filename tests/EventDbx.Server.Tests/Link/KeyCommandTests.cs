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
        Assert.Contains($"data_encryption_keys_retired = [\"{Key(before, "data_encryption_key")}\"]", Config(), StringComparison.Ordinal);
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

        var again = await _line.RunAsync("key", "rotate", "--new-key", "env:NEXT");
        Assert.Contains("already", again.Out, StringComparison.Ordinal);
        Assert.Contains("nothing is to be changed", again.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Change it now", again.Error, StringComparison.Ordinal);
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
        Assert.Contains("\"from\": \"directory\"", (await _line.RunAsync("audit", "list", "--kind", "document_accepted", "--json")).Out.Replace("\":\"", "\": \"", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("recover", "--accept-document", "tokens.json")).Code);
    }

    [Fact]
    public async Task Two_stores_under_one_configuration_both_open_after_one_is_rotated_and_the_other_may_be_too()
    {
        await FillAsync();
        var other = _line.Directory["other"];
        await _line.RunAsync("--data-dir", other, "aggregate", "create", "order", "b-1");
        var before = Config();

        var rotated = await _line.RunAsync("key", "rotate");
        var mine = await _line.RunAsync("aggregate", "list");
        var theirs = await _line.RunAsync("--data-dir", other, "aggregate", "list");
        var shown = await _line.RunAsync("--data-dir", other, "key", "show-location");
        Assert.Contains("opens with a retired key", (await _line.RunAsync("--data-dir", other, "doctor")).Out, StringComparison.Ordinal);
        var kept = await _line.RunAsync("--data-dir", other, "key", "forget-retired", "--yes");
        var config = await _line.RunAsync("config");
        var json = await _line.RunAsync("config", "--json");
        var follows = await _line.RunAsync("--data-dir", other, "key", "rotate");
        var now = Config();
        var forgotten = await _line.RunAsync("--data-dir", other, "key", "forget-retired", "--yes");
        var after = await _line.RunAsync("--data-dir", other, "aggregate", "list");

        var old = Key(before, "data_encryption_key")!.Trim('"');
        Assert.Equal((ExitCode.Done, ExitCode.Done, ExitCode.Done), (rotated.Code, mine.Code, theirs.Code));
        Assert.DoesNotContain("retired key", mine.Error, StringComparison.Ordinal);
        Assert.Contains("opens with a retired key", theirs.Error, StringComparison.Ordinal);
        Assert.Contains("RETIRED key fits", shown.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, kept.Code);
        Assert.All([config.Out, json.Out, shown.Out, kept.Error, theirs.Error], text => Assert.DoesNotContain(old, text, StringComparison.Ordinal));
        Assert.Contains("data_encryption_keys_retired", config.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, follows.Code);
        Assert.Contains($"data_encryption_keys_retired = [\"{old}\"]", now, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, ExitCode.Done), (forgotten.Code, after.Code));
        Assert.DoesNotContain("retired", after.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(old, Config(), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list")).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_store_with_another_key_is_not_rotated_and_the_configuration_stays_as_it_is(bool running)
    {
        await FillAsync();
        var foreign = _line.Directory["foreign.toml"];
        await _line.RunAsync("--config", foreign, "--data-dir", _line.Directory["elsewhere"], "aggregate", "create", "order", "x-1");
        var before = await File.ReadAllTextAsync(foreign, TestContext.Current.CancellationToken);
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var rotated = await _line.RunAsync("--config", foreign, "--data-dir", _line.DataDirectory, "key", "rotate");
        var given = await _line.RunAsync("--config", foreign, "--data-dir", _line.DataDirectory, "key", "rotate", "--new-key", NewKey());

        Assert.All([rotated.Code, given.Code], code => Assert.Equal(running ? ExitCode.Failed : ExitCode.Refused, code));
        Assert.Equal(before, await File.ReadAllTextAsync(foreign, TestContext.Current.CancellationToken));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("--config", foreign, "--data-dir", _line.Directory["elsewhere"], "aggregate", "list")).Code);
        if (running)
            Assert.Contains("No key in", rotated.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_copy_of_the_configuration_that_the_server_was_not_started_with_is_refused_and_a_link_to_it_is_not()
    {
        await FillAsync();
        var (copy, link) = (_line.Directory["copy.toml"], _line.Directory["link.toml"]);
        File.Copy(_line.ConfigPath, copy);
        File.CreateSymbolicLink(link, _line.ConfigPath);
        var before = Config();
        await using (var server = await RunningServer.StartAsync(_line))
        {
            var refused = await _line.RunAsync("--config", copy, "--data-dir", _line.DataDirectory, "key", "rotate");
            Assert.Equal(ExitCode.Failed, refused.Code);
            Assert.Contains("was started with the configuration", refused.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("data_encryption_key_next", await File.ReadAllTextAsync(copy, TestContext.Current.CancellationToken), StringComparison.Ordinal);

            var linked = await _line.RunAsync("--config", link, "--data-dir", _line.DataDirectory, "key", "rotate");
            Assert.Equal(ExitCode.Done, linked.Code);
        }

        Assert.NotEqual(Key(before, "data_encryption_key"), Key(Config(), "data_encryption_key"));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list")).Code);
    }

    [Fact]
    public async Task A_variable_for_a_server_elsewhere_is_not_heeded_by_a_rotation()
    {
        await FillAsync();
        _line.Environment["EVENTDBX_SERVER"] = "http://127.0.0.1:1";

        var rotated = await _line.RunAsync("key", "rotate");

        Assert.Equal(ExitCode.Done, rotated.Code);
        Assert.Contains("not heeded", rotated.Error, StringComparison.Ordinal);
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
