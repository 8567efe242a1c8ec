namespace EventDbx.Cli.Tests;

/// <summary>The form that ships: one native program and its libraries.</summary>
public sealed class NativeBuildTests
{
    [Fact]
    public async Task The_release_builds_without_warnings_into_three_files_that_work()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "the native build takes a minute: ./test --slow runs it");
        Assert.SkipWhen(!OnPath("clang") && !OnPath("gcc"), "there is no C compiler: tools/install-aot-prerequisites.sh installs one");
        Assert.SkipWhen(OperatingSystem.IsWindows(), "tools/publish-aot.sh is for a shell");
        using var home = new TemporaryDirectory();

        var built = await Program.RunAsync(
            "env", home.Path, home: null, $"ARTIFACTS={home["artifacts"]}", Path.Combine(Checkout.Root, "tools", "publish-aot.sh"), "release");

        Assert.True(built.Code == ExitCode.Done, built.Out + built.Error);
        Assert.DoesNotContain("warning", built.Out + built.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(3, Directory.EnumerateFileSystemEntries(home["release"]).Count());
        await ImportsAsync(home);
    }

    /// <summary>The same as <see cref="ReceiptsTests"/>, with this program; and its own check of a store that was not closed.</summary>
    static async Task ImportsAsync(TemporaryDirectory home)
    {
        var program = home["release/dbx"];
        var file = new ReceiptGenerator(1, 1434, 8577).WriteFile(home["receipts.ndjson"]);

        var first = await Program.RunAsync(program, home.Path, home.Path, "import", file);
        var second = await Program.RunAsync(program, home.Path, home.Path, "import", file);
        using (var victim = await Program.StartAsync(home.Path, "import", "-"))
            await victim.KillAsync();
        var verified = await Program.RunAsync(program, home.Path, home.Path, "verify", "--all");
        var saved = await Program.RunAsync(program, home.Path, home.Path, "config", "--port", "1", "--json");

        Assert.StartsWith("imported 8,577 lines: 8,577 events appended, 0 known, 1,434 aggregates in ", first.Out, StringComparison.Ordinal);
        Assert.StartsWith("imported 8,577 lines: 0 events appended, 8,577 known, 0 aggregates in ", second.Out, StringComparison.Ordinal);
        Assert.StartsWith("verified 8,577 events and 1 other entries in 1,434 aggregates ", verified.Out, StringComparison.Ordinal);
        Assert.Contains("\"port\": 1,", saved.Out, StringComparison.Ordinal);
    }

    static bool OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(directory => File.Exists(Path.Combine(directory, program)));
}
