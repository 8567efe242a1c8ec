namespace EventDbx.Cli.Tests;

/// <summary>The program itself, and the script that runs it from a checkout.</summary>
public sealed class BinaryTests
{
    [Fact]
    public async Task The_program_prints_results_to_standard_output_and_ends_with_its_exit_code()
    {
        using var home = new TemporaryDirectory();

        var version = await Program.RunAsync(Program.File, home.Path, home.Path, "--version");
        var saved = await Program.RunAsync(Program.File, home.Path, home.Path, "config", "--port", "1234", "--json");
        var wrong = await Program.RunAsync(Program.File, home.Path, home.Path, "config", "--prt", "1");

        Assert.Equal((ExitCode.Done, ""), (version.Code, version.Error));
        Assert.StartsWith("eventdbx ", version.Out, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, $"Configuration saved to {home[".eventdbx/config.toml"]}\n"), (saved.Code, saved.Error));
        Assert.StartsWith("{\n  \"port\": 1234,\n", saved.Out, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Usage, ""), (wrong.Code, wrong.Out));
    }

    [Fact]
    public async Task The_script_runs_through_a_link_from_another_directory()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "dbx.cmd is for Windows.");
        using var elsewhere = new TemporaryDirectory();
        File.CreateSymbolicLink(elsewhere["linked"], Path.Combine(Checkout.Root, "dbx"));

        var outcome = await Program.RunAsync(elsewhere["linked"], elsewhere.Path, home: null, "config", "--config", "here.toml", "--port", "1");

        Assert.Equal((ExitCode.Done, ""), (outcome.Code, outcome.Out));
        Assert.Contains("port = 1\n", await File.ReadAllTextAsync(elsewhere["here.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
