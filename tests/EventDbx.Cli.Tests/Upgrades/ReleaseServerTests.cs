using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary>What an address of releases may take, in bytes and in time; versions; and where this program may lie.</summary>
public sealed class ReleaseServerTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_larger_than_it_may_be_is_left_off_whether_or_not_it_says_so(bool says)
    {
        await using var stand = new ReleaseStand();
        using var directory = new TemporaryDirectory();
        stand.Instead = _ => new(200, new byte[100_000]) { SaysNoLength = !says };
        using var server = new ReleaseServer(stand.Address, "1", TimeProvider.System, new() { ArchiveBytesMax = 99_999 });

        var archive = await Assert.ThrowsAsync<IOException>(() => server.FetchAsync(new($"{stand.Address}/x"), directory["x"], progress: null, Cancellation));
        var small = await Assert.ThrowsAsync<IOException>(() => server.FetchAsync(new($"{stand.Address}/x"), 64 * 1024, Cancellation));

        Assert.Contains("has more than", archive.Message, StringComparison.Ordinal);
        Assert.Contains("has more than 65536 bytes", small.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    public async Task Who_says_nothing_more_is_given_up(int withheld)
    {
        await using var stand = new ReleaseStand();
        using var directory = new TemporaryDirectory();
        stand.Instead = _ => new(200, new byte[100]) { Withheld = withheld, Stalls = true };
        using var server = new ReleaseServer(stand.Address, "1", TimeProvider.System, new() { StallTimeout = TimeSpan.FromMilliseconds(200) });

        var given = await Assert.ThrowsAsync<IOException>(() => server.FetchAsync(new($"{stand.Address}/x"), directory["x"], progress: null, Cancellation));
        var listed = await Assert.ThrowsAsync<IOException>(() => server.ListAsync(1, Cancellation));

        Assert.Contains("does not answer in time", given.Message, StringComparison.Ordinal);
        Assert.Contains("does not answer in time", listed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Versions_are_ordered_as_semver_says()
    {
        string[] ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0-dev", "2.0.0"];
        var parsed = ordered.Select(static text => ReleaseVersion.TryParse(text, out var version) ? version : null).ToList();

        Assert.DoesNotContain(null, parsed);
        Assert.Equal(ordered, parsed.AsEnumerable().Reverse().Order().Select(static version => version!.ToString()));
        Assert.True(ReleaseVersion.TryParse("v2.1.0-dev", out var development) && development.IsDevelopment && development.Tag == "v2.1.0-dev");
    }

    [Theory]
    [InlineData("")]
    [InlineData("v")]
    [InlineData("1.2")]
    [InlineData("1.2.3.4")]
    [InlineData("01.2.3")]
    [InlineData("1.2.3-01")]
    [InlineData("1.2.3-a..b")]
    [InlineData("1.2.3-a/b")]
    [InlineData("1.2.3+build")]
    [InlineData("1.2.99999999999")]
    [InlineData(" 1.2.3")]
    public void Other_texts_are_no_versions(string text) => Assert.False(ReleaseVersion.TryParse(text, out _));

    [Theory]
    [InlineData(".dotnet/tools/.store/eventdbx.tool/2.1.0/tools/dbx", "dotnet tool update")]
    [InlineData("checkout/artifacts/bin/EventDbx.Cli/release/dbx", "git pull")]
    [InlineData("opt/eventdbx/dbx", "install.sh")]
    [InlineData("opt/2.1.0/dbx", "install.sh")]
    public async Task Where_something_else_has_installed_it_the_command_for_that_is_named(string place, string advice)
    {
        await using var bench = new UpgradeBench();
        bench.Line.Directory.Write("checkout/EventDbx.slnx", "");
        bench.Line.Self = [bench.Line.Directory.Write(place, "")];
        bench.Stand.Add("2.2.0");

        var refused = await bench.Line.RunAsync("upgrade");
        var printed = await bench.Line.RunAsync("upgrade", "--print-only");

        Assert.Equal(ExitCode.Failed, refused.Code);
        if (Installation.Of(bench.Line.Self, static _ => null) is Installation.Managed { What: "This runs in a container" })
            Assert.Skip("These tests run in a container, and it says so.");
        Assert.Contains(advice, refused.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, printed.Code);
        Assert.StartsWith("Installing EventDBX CLI (v2.2.0) via: ", printed.Out, StringComparison.Ordinal);
        Assert.Contains(advice, printed.Out, StringComparison.Ordinal);
        Assert.Equal("2.0.0", bench.Current);
    }

    [Fact]
    public void A_container_a_package_and_a_folder_are_known()
    {
        using var directory = new TemporaryDirectory();

        Assert.Contains("container", Assert.IsType<Installation.Managed>(Installation.Of([directory.Write("app/dbx", "")], static name => name == "DOTNET_RUNNING_IN_CONTAINER" ? "true" : null)).Advice, StringComparison.Ordinal);
        Assert.Contains("container", Assert.IsType<Installation.Managed>(Installation.Of([directory["app/dbx"]], static _ => null, static path => path == "/.dockerenv")).Advice, StringComparison.Ordinal);
        Assert.Contains("install.sh", Assert.IsType<Installation.Managed>(Installation.Of([directory["app/dbx"]], static _ => null, static _ => false)).Advice, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Contains("apt-get", Assert.IsType<Installation.Managed>(Installation.Of(["/usr/lib/eventdbx/dbx"], static _ => null, static _ => false)).Advice, StringComparison.Ordinal);
        // In an image of ours the programs lie where the package has them.
        Assert.Contains("container", Assert.IsType<Installation.Managed>(Installation.Of(["/usr/lib/eventdbx/dbx"], static name => name == "DOTNET_RUNNING_IN_CONTAINER" ? "true" : null, static _ => false)).Advice, StringComparison.Ordinal);
    }
}
