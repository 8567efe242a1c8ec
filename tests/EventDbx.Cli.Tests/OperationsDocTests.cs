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
    public async Task Every_block_of_it_is_one_that_is_run_or_what_one_prints()
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", "operations.md"), TestContext.Current.CancellationToken);
        Assert.All(Fence().Matches(text), fence => Assert.Contains(fence.Groups[1].Value, (string[])["sh", "text", ""]));
        Assert.Equal(Fence().Count(text), 2 * Fence().Matches(text).Count(fence => fence.Groups[1].Length > 0));
    }

    [GeneratedRegex("^```(.*)$", RegexOptions.Multiline)]
    private static partial Regex Fence();
}
