namespace EventDbx.Cli.Tests;

/// <summary>What docs/restoring.md shows is what restores and rebuilds do.</summary>
public sealed class RestoringDocTests
{
    [CiTier("It follows a document, command by command.")]
    [Fact]
    public async Task Whoever_follows_the_document_sees_what_it_shows()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        using var home = new TemporaryDirectory();
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx");
        Assert.True(await walk.FollowAsync("docs", "restoring.md") > 6);
    }

    [Fact]
    public Task Every_block_of_it_is_one_that_is_run_or_what_one_prints() => DocumentWalk.DemandBlocksAsync("docs", "restoring.md");
}
