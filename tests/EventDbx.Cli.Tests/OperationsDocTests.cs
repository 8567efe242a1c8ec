using EventDbx.Cli.Tests.Upgrades;

namespace EventDbx.Cli.Tests;

/// <summary>What docs/operations.md tells those who run a server works as it stands there.</summary>
public sealed class OperationsDocTests
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
}
