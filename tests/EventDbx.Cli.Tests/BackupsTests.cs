namespace EventDbx.Cli.Tests;

/// <summary>The backups that docs/backups.md describes, made as it stands there.</summary>
[CiTier("It follows a document, command by command.")]
public sealed class BackupsTests
{
    [Fact]
    public async Task Who_follows_the_document_has_the_backups_it_describes()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        var zstd = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(static directory => File.Exists(Path.Combine(directory, "zstd")));
        Assert.SkipUnless(zstd, "zstd is not installed: tools/install-backup-prerequisites.sh");
        using var home = new TemporaryDirectory();
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx");
        Assert.True(await walk.FollowAsync("docs", "backups.md") > 5);
    }
}
