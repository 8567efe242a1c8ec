using System.Text.RegularExpressions;
using EventDbx.Cli.Tests.Upgrades;

namespace EventDbx.Cli.Tests;

/// <summary>What docs/operations.md tells those who run a server works as it stands there.</summary>
public sealed partial class OperationsDocTests
{
    [Fact]
    public async Task Whoever_follows_the_document_sees_what_it_shows()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "./test --slow follows it: a minute.");
        using var home = new TemporaryDirectory();
        // What there is to upgrade to is not asked of the network.
        await using var releases = new ReleaseStand();
        releases.Add("9.0.0");
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx");
        walk.Environment["EVENTDBX_RELEASES_URL"] = releases.Address;
        walk.Environment["EVENTDBX_RELEASE_KEYS"] = home.Write("release-keys", $"{releases.PublicKey}\n");
        Assert.True(await walk.FollowAsync("docs", "operations.md") > 15);
    }

    [Fact]
    public Task Every_block_of_it_is_one_that_is_run_or_what_one_prints() => DocumentWalk.DemandBlocksAsync("docs", "operations.md");

    /// <summary>Those of a machine that is not here: a mirror, an installed release.</summary>
    [Fact]
    public async Task Every_command_within_a_line_of_it_is_one_that_there_is()
    {
        var commands = Inline().Matches(await TextAsync("operations.md")).Select(command => command.Groups[1].Value).ToList();

        Assert.Contains("promote", commands);
        Assert.Contains("start --tls", commands);
        Assert.All(commands, command => Assert.True(IsUnderstood(command), command));
        Assert.All((string[])["promot", "key turn", "start --tsl", "queue retry all"], command => Assert.False(IsUnderstood(command), command));
    }

    [Fact]
    public async Task Every_metric_that_it_names_stands_in_the_list_of_metrics()
    {
        var listed = Metric().Matches(await TextAsync("metrics.md")).Select(static metric => metric.Value).ToHashSet();
        var named = Metric().Matches(await TextAsync("operations.md")).Select(static metric => metric.Value).ToList();

        Assert.Contains("dbx_follower_lag_entries", named);
        Assert.All(named, metric => Assert.Contains(metric, listed));
    }

    static Task<string> TextAsync(string document) => File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", document), TestContext.Current.CancellationToken);

    /// <summary>Whether it is a command, with options that it has and values where they need one.</summary>
    static bool IsUnderstood(string command)
    {
        var parse = CommandTree.Parse(command.Split(' '));
        if (parse.UnmatchedTokens.Count > 0 || parse.CommandResult.Command is not Verb verb || parse.Errors.Count > 0)
            return false;
        try
        {
            verb.Fill(parse, []);
            return true;
        }
        catch (UsageException)
        {
            return false;
        }
    }

    [GeneratedRegex("`dbx ([^`]+)`")]
    private static partial Regex Inline();

    [GeneratedRegex(@"\bdbx_[a-z_]+[a-z]\b")]
    private static partial Regex Metric();
}
