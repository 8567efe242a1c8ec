namespace EventDbx.Cli.Tests;

/// <summary>The audit that docs/auditing.md describes, done as it stands there.</summary>
[CiTier("It follows a document, command by command.")]
public sealed class AuditingTests
{
    [Fact]
    public async Task An_auditor_who_follows_the_document_proves_what_it_says_they_prove()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        using var home = new TemporaryDirectory();
        await using var walk = await DocumentWalk.BeginAsync(home, "dbx", "dbx-verify");
        Assert.True(await walk.FollowAsync("docs", "auditing.md") > 15);
    }
}
