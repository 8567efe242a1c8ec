using EventDbx.Server.Checkpoints;

namespace EventDbx.Cli.Tests;

/// <summary>The settings of checkpoints: a list among them.</summary>
public sealed class ConfigWitnessTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public static string Vkey { get; } = KeyOf("w.example", NoteAlgorithm.Cosignature);

    public static string OtherVkey { get; } = KeyOf("v.example", NoteAlgorithm.Cosignature);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Witnesses_are_a_list_of_strings_over_as_many_lines_as_one_likes()
    {
        var config = Load($"""
            [log]
            origin = "example.com/orders"
            witnesses = [
              "{Vkey} https://w.example/sub", # ours
              "{OtherVkey} http://127.0.0.1:7465",
            ]
            quorum = 2
            """).Config;
        Assert.Equal(("example.com/orders", 2), (config.LogOrigin, config.LogQuorum));
        Assert.Equal(
            ["w.example https://w.example/sub/add-checkpoint", "v.example http://127.0.0.1:7465/add-checkpoint"],
            WitnessAddress.Of(config).Select(witness => $"{witness.Key.Name} {witness.AddCheckpoint}"));
        StartCheck.Demand(config);
    }

    [Fact]
    public async Task A_save_replaces_the_list_and_keeps_what_stands_around_it()
    {
        var text = $"# ours\n[log]\nwitnesses = [\n  \"{Vkey} https://w.example\",\n] # end\nquorum = 1\n";
        _directory.Write("config.toml", text);
        await Load(null).UpdateAsync(config => config with { LogWitnesses = new([$"{Vkey} https://w.example", $"{OtherVkey} https://v.example"]) }, TestContext.Current.CancellationToken);
        var saved = await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken);
        Assert.Contains("\n# ours\n", saved, StringComparison.Ordinal);
        Assert.Contains($"[log]\nwitnesses = [\"{Vkey} https://w.example\", \"{OtherVkey} https://v.example\"] # end\nquorum = 1\n", saved, StringComparison.Ordinal);
        Assert.Equal(2, Load(null).Config.LogWitnesses.Count);

        await Load(null).UpdateAsync(config => config with { LogWitnesses = Server.Configuration.ConfigList.Empty, LogQuorum = 0 }, TestContext.Current.CancellationToken);
        Assert.DoesNotContain("witnesses", await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_save_that_changes_something_else_does_not_touch_the_list()
    {
        var text = $"[log]\nwitnesses = [ \"{Vkey}   https://w.example\" ]\n";
        _directory.Write("config.toml", text);
        await Load(null).UpdateAsync(config => config with { Port = 7071 }, TestContext.Current.CancellationToken);
        Assert.Contains(text, await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("witnesses = 3", "must be a list of \"VKEY URL\"")]
    [InlineData("witnesses = \"VKEY https://w.example\"", "must be a list of \"VKEY URL\"")]
    [InlineData("witnesses = [3]", "must be a list of \"VKEY URL\"")]
    [InlineData("witnesses = [\"\"]", "must be a list of \"VKEY URL\"")]
    [InlineData("witnesses = [\"VKEY\"]", "there is no URL behind the key")]
    [InlineData("witnesses = [\"VKEY ftp://w.example\"]", "with URLs of http or https")]
    [InlineData("witnesses = [\"VKEY https://w.example?a=b\"]", "without a query")]
    [InlineData("witnesses = [\"LOGKEY https://w.example\"]", "is one of a log (01)")]
    [InlineData("witnesses = [\"XVKEY https://w.example\"]", "its id is not that of its name and key")]
    [InlineData("witnesses = [\"VKEY https://w.example\", \"VKEY https://v.example\"]", "a list in which each witness stands once")]
    [InlineData("quorum = -1", "must be a whole number from 0")]
    [InlineData("origin = \"a b\"", "must be a name without white space and plus")]
    [InlineData("origin = \"a+b\"", "must be a name without white space and plus")]
    [InlineData("origin = \"example.com/\"", "must be a name without white space and plus")]
    [InlineData("origin = \"example.com/e2\"", "none of another epoch")]
    [InlineData("origin = \"\\uFEFFexample.com\"", "must be a name without white space and plus")]
    [InlineData("origin = \"exa\\u200Dmple.com\"", "must be a name without white space and plus")]
    public void What_is_no_setting_of_checkpoints_is_refused_with_its_line(string line, string why)
    {
        var text = line.Replace("LOGKEY", KeyOf("l.example", NoteAlgorithm.Signature), StringComparison.Ordinal).Replace("VKEY", Vkey, StringComparison.Ordinal);
        var refused = Assert.Throws<ConfigException>(() => Load($"[log]\n{text}\n"));
        Assert.Contains("line 2", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("example.com/east")]
    [InlineData("e2")]
    [InlineData("example.com/e2/log")]
    public void An_origin_that_only_looks_like_another_epoch_is_taken(string origin) =>
        Assert.Equal(origin, Load($"[log]\norigin = \"{origin}\"\n").Config.LogOrigin);

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void There_are_no_more_witnesses_than_a_checkpoint_has_room_for(int count, bool taken)
    {
        var text = string.Join(", ", Enumerable.Range(0, count).Select(i => $"\"{KeyOf($"w{i}.example", NoteAlgorithm.Cosignature)} https://w{i}.example\""));
        if (taken)
            Assert.Equal(count, Load($"[log]\nwitnesses = [{text}]\n").Config.LogWitnesses.Count);
        else
            Assert.Contains("up to 63 witnesses", Assert.Throws<ConfigException>(() => Load($"[log]\nwitnesses = [{text}]\n")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_quorum_that_could_never_be_reached_stops_the_start()
    {
        var config = Load($"[log]\nwitnesses = [\"{Vkey} https://w.example\"]\nquorum = 2\n").Config;
        Assert.Contains("log.quorum is 2, and log.witnesses names 1", Assert.Throws<ConfigException>(() => StartCheck.Demand(config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_sets_shows_and_clears_them()
    {
        using var line = new CommandLine();
        Assert.Equal(ExitCode.Failed, (await line.RunAsync(["config", "--log-quorum", "1"])).Code);
        Assert.Equal(ExitCode.Done, (await line.RunAsync(["config", "--log-witnesses", $"{Vkey} https://w.example", "--log-quorum", "1", "--log-origin", "example.com/o"])).Code);
        var shown = (await line.RunAsync(["config"])).Out;
        Assert.Contains($"[log]\norigin = \"example.com/o\"\nwitnesses = [\"{Vkey} https://w.example\"]\nquorum = 1\n", shown, StringComparison.Ordinal);
        Assert.Contains($"\"{Vkey} https://w.example\"\n", (await line.RunAsync(["config", "--json"])).Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await line.RunAsync(["config", "--log-witnesses", "nobody"])).Code);
        Assert.Equal(ExitCode.Done, (await line.RunAsync(["config", "--clear-log-witnesses"])).Code);
        Assert.Contains("[log]\norigin = \"example.com/o\"\nquorum = 0\n", (await line.RunAsync(["config"])).Out, StringComparison.Ordinal);
    }

    static string KeyOf(string name, NoteAlgorithm algorithm)
    {
        using var key = SigningKey.Of(name, algorithm, Enumerable.Range(0, 32).Select(i => (byte)(i + name[0])).ToArray());
        return key.Public.ToString();
    }

    ConfigFile Load(string? text)
    {
        if (text is not null)
            _directory.Write("config.toml", text);
        return ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System);
    }
}
