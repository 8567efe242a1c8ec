namespace EventDbx.Cli.Tests;

/// <summary>What the README tells a newcomer to type works as it stands, in an empty home.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task Its_commands_run_in_an_empty_home_and_print_what_it_shows()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        using var home = new TemporaryDirectory();
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx");
        Assert.True(await walk.FollowAsync("README.md") > 5);
        if (!OperatingSystem.IsWindows())
        {
            foreach (var secret in (string[])["token", "token.txt"])
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(home[secret]));
        }
    }
}
