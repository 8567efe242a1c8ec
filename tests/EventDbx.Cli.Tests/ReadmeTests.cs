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

    [CiTier("It follows a document, command by command.")]
    [Fact]
    public async Task The_walk_of_the_Admin_API_works_over_TLS_as_well()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        using var home = new TemporaryDirectory();
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx");
        var asked = 0;
        var ran = await walk.FollowSectionAsync(
            "The Admin API",
            text =>
            {
                asked = text.Split("http://127.0.0.1:7171").Length - 1;
                return text.Replace("http://127.0.0.1:7171", "--cacert ~/.eventdbx/tls.crt https://127.0.0.1:7171", StringComparison.Ordinal)
                    .Replace("./dbx start\n", "./dbx start --tls\n", StringComparison.Ordinal);
            },
            "README.md");

        Assert.True(ran > 3 && asked > 5);
        Assert.True(File.Exists(home[".eventdbx/tls.crt"]));
    }
}
