using System.Diagnostics;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>kill -9 of <c>dbx restore</c> itself, at moments that are drawn: with the old state goes its configuration, with the new one its own.</summary>
/// <remarks>The steps by their names: <c>SwapTests</c>; the engine alone, more often: <c>ExchangeKillTests</c>.</remarks>
public sealed class RestoreKillTests
{
    [CiTier("It starts and kills the program again and again; each step by its name, and the engine alone, are tried before.")]
    [Fact]
    public async Task Killed_anywhere_a_restore_leaves_the_old_store_with_its_configuration_or_the_new_one_with_its_own()
    {
        const int seed = 6962;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        using var here = new CommandLine();
        await FillAsync(here, 9);
        var archive = here.Directory["dbx.backup"];
        await here.SucceedAsync("backup", "--output", archive);
        using var there = new CommandLine();
        await FillAsync(there, 2);
        var (data, before) = (there.Directory[".eventdbx"], there.Directory["before"]);
        Copy(data, before);
        var old = there.ConfigText;
        string[] restore = ["restore", "--input", archive, "--data-dir", data, "--force"];
        var watch = Stopwatch.StartNew();
        using (var whole = Program.Begin(there.Directory.Path, restore))
            Assert.Equal(ExitCode.Done, (await whole.EndAsync()).Code);
        var took = watch.Elapsed;
        var (were, became) = (0, 0);
        for (var kills = TestTiers.Choose(3, 3, 20); kills > 0; kills--)
        {
            Directory.Delete(data, recursive: true);
            Copy(before, data);
            using (var program = Program.Begin(there.Directory.Path, restore))
            {
                // As likely early as late; one that has come to its end by then is no loss.
                await Task.Delay(took * random.NextDouble() * 1.1, TestContext.Current.CancellationToken);
                await program.KillAsync();
            }

            await there.SucceedAsync("verify", "--all");
            var events = System.Text.Json.JsonDocument.Parse((await there.SucceedAsync("aggregate", "get", "order", "o-1", "--json")).Out).RootElement.GetProperty("version").GetInt32();
            var kept = Directory.GetFiles(data, "config.toml.before-*");
            if (events == 2)
            {
                Assert.Equal((old, 0), (there.ConfigText, kept.Length));
                were++;
            }
            else
            {
                Assert.Equal((9, old), (events, await File.ReadAllTextAsync(Assert.Single(kept), TestContext.Current.CancellationToken)));
                became++;
            }

            await there.SucceedAsync("aggregate", "apply", "order", "o-1", "placed", "--field", "n=1");
            // A configuration in the making is replaced by the next one that is written.
            Assert.DoesNotContain(
                Directory.GetFileSystemEntries(data).Select(Path.GetFileName),
                static name => name!.StartsWith("event_store.s", StringComparison.Ordinal) || name.StartsWith("event_store.before", StringComparison.Ordinal) || (name.EndsWith(".tmp", StringComparison.Ordinal) && name != "config.toml.tmp"));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{were} as it was, {became} as it was to be; a whole one took {took}");
    }

    static async Task FillAsync(CommandLine line, int events)
    {
        for (var i = 0; i < events; i++)
            await line.SucceedAsync("aggregate", "apply", "order", "o-1", "placed", "--field", $"n={i}");
    }

    static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
