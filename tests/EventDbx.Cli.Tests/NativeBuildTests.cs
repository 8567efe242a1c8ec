using System.Diagnostics;

namespace EventDbx.Cli.Tests;

/// <summary>The form that ships: one native program and its libraries.</summary>
public sealed class NativeBuildTests
{
    [Fact]
    public async Task The_release_builds_without_warnings_into_three_files_that_work()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "the native build takes a minute: ./test --slow runs it");
        Assert.SkipWhen(!OnPath("clang") && !OnPath("gcc"), "there is no C compiler: tools/install-aot-prerequisites.sh installs one");
        using var directory = new TemporaryDirectory();

        var (built, log) = await RunAsync(
            Dotnet, "publish", Path.Combine(Checkout.Root, "src", "EventDbx.Cli"), "-c", "Release", "-tl:off",
            "--artifacts-path", directory["artifacts"], "-o", directory["release"]);

        Assert.True(built == 0, log);
        Assert.DoesNotContain("warning", log, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(3, Directory.EnumerateFileSystemEntries(directory["release"]).Count());

        var (code, output) = await RunAsync(directory["release/dbx"], "config", "--config", directory["c.toml"], "--port", "1", "--json");
        Assert.True(code == 0, output);
        Assert.Contains("\"port\": 1,", output, StringComparison.Ordinal);
    }

    static string Dotnet => Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root ? Path.Combine(root, "dotnet") : "dotnet";

    static bool OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(directory => File.Exists(Path.Combine(directory, program)));

    /// <summary>The exit code, and both streams one after the other.</summary>
    static async Task<(int Code, string Text)> RunAsync(string program, params string[] arguments)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var error = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return (process.ExitCode, await output + await error);
    }
}
