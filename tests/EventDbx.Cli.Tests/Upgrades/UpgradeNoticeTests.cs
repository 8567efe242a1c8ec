using System.Text.Json.Nodes;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary>What is said of newer releases after commands: to people on a terminal, seldom, and never in the way.</summary>
public sealed class UpgradeNoticeTests
{
    const string Says = "\nA newer EventDBX CLI release (v2.2.0) is available.\n  Upgrade:  dbx upgrade v2.2.0\n  Suppress: dbx upgrade --suppress v2.2.0\n";

    [Fact]
    public async Task On_a_terminal_a_newer_release_is_told_and_looked_for_every_six_hours()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        var clock = new SetClock();
        (bench.Line.Terminal, bench.Line.Clock) = (true, clock);

        Assert.Equal(Says, (await bench.Line.RunAsync("config")).Error);
        Assert.Equal(Says, (await bench.Line.RunAsync("config")).Error);
        Assert.Equal("/releases/latest", Assert.Single(bench.Stand.Requests).Target);
        clock.Ahead = TimeSpan.FromHours(5.9);
        await bench.Line.RunAsync("config");
        Assert.Single(bench.Stand.Requests);
        clock.Ahead = TimeSpan.FromHours(6);
        await bench.Line.RunAsync("config");
        Assert.Equal(2, bench.Stand.Requests.Count);
        // The clock went back.
        clock.Ahead = TimeSpan.FromHours(-1);
        await bench.Line.RunAsync("config");
        Assert.Equal(3, bench.Stand.Requests.Count);
        var state = State(bench);
        Assert.Equal(["ignored_version", "latest_known_version", "last_checked"], state.Select(static member => member.Key));
        Assert.Equal("v2.2.0", state["latest_known_version"]!.GetValue<string>());
        if (!OperatingSystem.IsWindows())
            Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(bench.Line.Directory[".eventdbx/upgrade-state.json"]), 8));
    }

    [Theory]
    [InlineData("no terminal")]
    [InlineData("JSON")]
    [InlineData("turned off")]
    [InlineData("from a checkout")]
    [InlineData("completion")]
    [InlineData("man")]
    [InlineData("upgrade")]
    [InlineData("help")]
    [InlineData("hidden")]
    [InlineData("doctor")]
    [InlineData("restore")]
    [InlineData("destroy")]
    public async Task Elsewhere_nothing_is_looked_for_and_nothing_said(string where)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Terminal = where != "no terminal";
        if (where == "turned off")
            bench.Line.Environment["DBX_NO_UPGRADE_CHECK"] = "";
        if (where == "from a checkout")
            bench.Line.Version = "2.1.0-dev";

        string[] arguments = where switch
        {
            "JSON" => ["config", "--json"],
            "completion" => ["completion", "bash"],
            "man" => ["man"],
            "upgrade" => ["upgrade", "v2.0.0"],
            "help" => ["--help"],
            "hidden" => ["__inspect", bench.Line.Directory.Path],
            "doctor" or "restore" or "destroy" => [where],
            _ => ["config"],
        };
        var outcome = await bench.Line.RunAsync(arguments);

        Assert.DoesNotContain("A newer", outcome.Out + outcome.Error, StringComparison.Ordinal);
        Assert.Empty(bench.Stand.Requests);
        Assert.False(File.Exists(bench.Line.Directory[".eventdbx/upgrade-state.json"]));
    }

    [Fact]
    public async Task A_server_that_never_answers_holds_up_a_command_for_a_second_and_is_left_alone_for_six_hours()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Instead = static _ => new(200, new byte[10]) { Withheld = 10, Stalls = true };
        bench.Line.Terminal = true;
        var began = TimeProvider.System.GetTimestamp();

        var first = await bench.Line.RunAsync("config");
        var took = TimeProvider.System.GetElapsedTime(began);
        var second = await bench.Line.RunAsync("config");

        Assert.Equal((ExitCode.Done, "", ExitCode.Done, ""), (first.Code, first.Error, second.Code, second.Error));
        // A second on a machine with nothing else to do; any look that waited for an answer would take thirty.
        Assert.True(took < TimeSpan.FromSeconds(20), $"{took}");
        Assert.Single(bench.Stand.Requests);
        Assert.Null(State(bench)["latest_known_version"]);
        Assert.NotNull(State(bench)["last_checked"]);
    }

    [Fact]
    public async Task Where_a_look_cannot_be_written_down_nobody_looks()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Terminal = true;
        Directory.CreateDirectory(bench.Line.Directory[".eventdbx/upgrade-state.json"]);

        Assert.Equal("", (await bench.Line.RunAsync("config")).Error);

        Assert.Empty(bench.Stand.Requests);
    }

    [Fact]
    public async Task A_directory_that_is_not_there_is_not_made_for_it()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Terminal = true;
        Directory.Delete(bench.Line.Directory[".eventdbx"], recursive: true);

        await bench.Line.RunAsync("config");

        Assert.False(File.Exists(bench.Line.Directory[".eventdbx/upgrade-state.json"]));
        Assert.Empty(bench.Stand.Requests);
    }

    [Fact]
    public async Task What_is_suppressed_while_a_command_runs_stays_so()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Terminal = true;
        bench.Stand.Instead = _ =>
        {
            (UpgradeState.Read(bench.Line.Directory[".eventdbx"], out string? _) with { IgnoredVersion = "v2.2.0" }).Write(bench.Line.Directory[".eventdbx"]);
            return null;
        };

        var outcome = await bench.Line.RunAsync("config");

        Assert.Equal("", outcome.Error);
        Assert.Equal("v2.2.0", State(bench)["ignored_version"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_directory_that_goes_while_a_command_runs_is_not_made_again_for_it()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Terminal = true;
        bench.Stand.Instead = _ =>
        {
            Directory.Delete(bench.Line.Directory[".eventdbx"], recursive: true);
            return null;
        };

        await bench.Line.RunAsync("config");

        Assert.Single(bench.Stand.Requests);
        Assert.False(Directory.Exists(bench.Line.Directory[".eventdbx"]));
    }

    [Fact]
    public void Many_that_write_at_once_leave_one_whole_file_and_none_of_them_fails()
    {
        using var directory = new TemporaryDirectory();

        Parallel.For(0, 200, i =>
        {
            new UpgradeState(LatestKnownVersion: new('9', i * 10), LastChecked: i).Write(directory.Path);
            var read = UpgradeState.Read(directory.Path, out var unreadable);
            Assert.Null(unreadable);
            Assert.Equal(read.LastChecked * 10, read.LatestKnownVersion!.Length);
        });

        Assert.Equal("upgrade-state.json", Path.GetFileName(Assert.Single(Directory.EnumerateFileSystemEntries(directory.Path))));
    }

    [Theory]
    [InlineData("upgrade-state.json", true)]
    [InlineData("upgrade-state.json.0123abcd.tmp", true)]
    [InlineData("upgrade-state.json.tmp", false)]
    [InlineData("upgrade-state.json.notes.tmp", false)]
    [InlineData("upgrade-state.json.old", false)]
    [InlineData(".0123abcd.tmp", false)]
    public void The_file_is_known_by_its_name_and_so_is_what_a_killed_write_leaves(string name, bool known) => Assert.Equal(known, UpgradeState.IsNamed(name));

    /// <summary>Nobody has asked for it, so nothing that comes back may cost the command that it ran beside.</summary>
    [Theory]
    [InlineData(500, "", null)]
    [InlineData(200, """{"tag_name":"\ud800"}""", null)]
    [InlineData(302, "", "//h:99999999/")]
    public async Task A_failure_is_silent_and_leaves_what_is_known(int status, string body, string? location)
    {
        await using var bench = new UpgradeBench();
        bench.Line.Terminal = true;
        bench.Stand.Instead = _ => new(status, System.Text.Encoding.UTF8.GetBytes(body)) { Location = location };
        bench.Line.Directory.Write(".eventdbx/upgrade-state.json", """{"ignored_version":null,"latest_known_version":"v2.2.0","last_checked":1}""");

        var outcome = await bench.Line.RunAsync("config");

        Assert.Equal((ExitCode.Done, Says), (outcome.Code, outcome.Error));
        Assert.Equal("v2.2.0", State(bench)["latest_known_version"]!.GetValue<string>());
        Assert.True(State(bench)["last_checked"]!.GetValue<long>() > 1);
    }

    [Fact]
    public async Task A_release_that_is_suppressed_is_told_no_more_until_there_is_another_or_it_is_cleared()
    {
        await using var bench = new UpgradeBench();
        bench.Line.Terminal = true;
        bench.Stand.Add("2.1.0");

        var suppressed = await bench.Line.RunAsync("upgrade", "--suppress", "latest");
        Assert.Equal((ExitCode.Done, "Suppressing upgrade reminders for v2.1.0\n"), (suppressed.Code, suppressed.Out));
        Assert.Equal("", (await bench.Line.RunAsync("config")).Error);
        Assert.Equal("Suppressing upgrade reminders for v2.2.0\n", (await bench.Line.RunAsync("upgrade", "--suppress", "2.2.0")).Out);
        Assert.Contains("(v2.1.0)", (await bench.Line.RunAsync("config")).Error, StringComparison.Ordinal);
        Assert.Equal("v2.2.0", State(bench)["ignored_version"]!.GetValue<string>());
        var cleared = await bench.Line.RunAsync("upgrade", "--clear-suppress");
        Assert.Equal((ExitCode.Done, "Upgrade reminders have been re-enabled.\n"), (cleared.Code, cleared.Out));
        Assert.Null(State(bench)["ignored_version"]);
        Assert.Equal("v2.1.0", State(bench)["latest_known_version"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("[]")]
    [InlineData("""{"last_checked":"soon"}""")]
    public async Task A_file_that_cannot_be_read_counts_as_empty_and_who_asks_is_warned(string content)
    {
        await using var bench = new UpgradeBench();
        bench.Line.Directory.Write(".eventdbx/upgrade-state.json", content);

        var outcome = await bench.Line.RunAsync("upgrade", "--suppress", "v2.2.0");

        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains("Warning: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("counts as empty", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("v2.2.0", State(bench)["ignored_version"]!.GetValue<string>());
    }

    static JsonObject State(UpgradeBench bench) => JsonNode.Parse(File.ReadAllText(bench.Line.Directory[".eventdbx/upgrade-state.json"]))!.AsObject();

    sealed class SetClock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }
}
