using System.Diagnostics;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary>An upgrade that is killed at a random moment: <c>dbx</c> is the old version or the new one, and whole.</summary>
[CiTier("It kills processes again and again.")]
public sealed class UpgradeKillTests(ITestOutputHelper output)
{
    /// <summary>Neither the one that is meant nor the one before: an upgrade removes it.</summary>
    const string Third = "1.14.0";

    /// <summary>Of the third version, so that removing it takes as long as that of a real one.</summary>
    const int ThirdFiles = 2000;

    [Fact]
    public async Task Killed_anywhere_the_old_version_or_the_new_one_is_meant()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The programs of these releases are shell scripts.");
        await using var bench = new UpgradeBench();
        var old = await InstallProgramAsync(bench);
        bench.Stand.Add("9.0.0");
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        Assert.Contains(Third, bench.Laid);
        await UpgradeAsync(bench, static over => Task.Delay(Timeout.Infinite, over));
        Assert.Equal("eventdbx 9.0.0", await bench.SaidAsync());
        var (olds, news) = (0, 0);
        var meant = TimeSpan.Zero;

        for (var cycle = 0; cycle < TestTiers.Choose(5, 30, 300); cycle++)
        {
            Undo(bench, old);
            // The first one has no time for anything, and the second one for all but its end: so both outcomes are there. The others are drawn about the moment at which the one becomes the other.
            var took = await UpgradeAsync(bench, cycle switch
            {
                0 => static _ => Task.CompletedTask,
                1 => over => MeantAsync(bench, old, over),
                _ => over => Task.Delay(meant * (0.5 + random.NextDouble()), over),
            });
            if (cycle == 1)
                meant = took;
            var said = await bench.SaidAsync();
            Assert.True(said == $"eventdbx {old}" || said == "eventdbx 9.0.0", $"cycle {cycle}: {said}");
            Assert.Equal(said["eventdbx ".Length..], bench.Current);
            Assert.True(IsWholeOrGone(bench), $"cycle {cycle}: half of {Third}");
            _ = said == "eventdbx 9.0.0" ? news++ : olds++;
        }

        output.WriteLine($"{olds} times the old one, {news} times the new one");
        Assert.True(olds > 0 && news > 0, $"seed {seed}: {olds} times the old one and {news} times the new one, where both were to be seen");
        // Whatever they have left, the next one goes through and clears it away.
        Undo(bench, old);
        await UpgradeAsync(bench, static over => Task.Delay(Timeout.Infinite, over));
        Assert.Equal("eventdbx 9.0.0", await bench.SaidAsync());
        Assert.Equal([old, "9.0.0"], bench.Laid);
    }

    /// <summary>What is left of it would still say its version, and be gone back to.</summary>
    [Fact]
    public async Task Killed_while_an_old_version_is_removed_that_one_is_whole_or_gone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The programs of these releases are shell scripts.");
        await using var bench = new UpgradeBench();
        var old = await InstallProgramAsync(bench);
        bench.Stand.Add("9.0.0");

        await UpgradeAsync(bench, async over =>
        {
            while (!over.IsCancellationRequested && FilesOfThird(bench) == ThirdFiles + 1)
                await Task.Yield();
        });

        Assert.Equal("9.0.0", bench.Current);
        Assert.True(IsWholeOrGone(bench), $"{FilesOfThird(bench)} files of {Third} are left");
        Undo(bench, old);
        await UpgradeAsync(bench, static over => Task.Delay(Timeout.Infinite, over));
        Assert.Equal([old, "9.0.0"], bench.Laid);
    }

    /// <summary>Each step as a kill after it leaves it: the installation is copied there, started, and upgraded once more.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task At_each_step_the_old_version_or_the_new_one_is_meant_and_the_next_upgrade_goes_through(bool broken)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("9.0.0");
        bench.Install(Third);
        // One that lies there already and does not run changes places with the new one.
        if (broken)
            bench.Line.Directory.Write("prefix/lib/eventdbx/9.0.0/dbx", "half a program");
        List<string> steps = [];
        using var server = new ReleaseServer(bench.Stand.Address, "1", TimeProvider.System);
        await InstallAsync(bench.Root, server, bench.Stand, step =>
        {
            steps.Add(step);
            Copy(bench.Line.Directory["prefix"], bench.Line.Directory[$"at-{step}"]);
        });

        Assert.Equal(["fetched", "unpacked", "tried", "placed", "linked", "meant", "aside", "cleared"], steps);
        foreach (var step in steps)
        {
            var program = bench.Line.Directory[$"at-{step}/bin/dbx"];
            var expected = steps.IndexOf(step) < steps.IndexOf("meant") ? UpgradeBench.Old : "9.0.0";
            Assert.Equal((step, $"eventdbx {expected}"), (step, (await CompletionTests.RunAsync(program, "", "--version")).Out.Trim()));
            var root = bench.Line.Directory[$"at-{step}/lib/eventdbx"];
            Assert.Equal((step, steps.IndexOf(step) < steps.IndexOf("aside")), (step, Directory.Exists(Path.Combine(root, Third))));
            await InstallAsync(root, server, bench.Stand, static _ => { });
            Assert.Equal((step, "eventdbx 9.0.0"), (step, (await CompletionTests.RunAsync(program, "", "--version")).Out.Trim()));
            Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(root), static path => Path.GetFileName(path).StartsWith('.') && !path.EndsWith("/.lock", StringComparison.Ordinal));
            Assert.True(File.Exists(Path.Combine(root, UpgradeBench.Old, "dbx")), step);
        }
    }

    static async Task InstallAsync(string root, ReleaseServer server, ReleaseStand stand, Action<string> reached)
    {
        Assert.True(ReleaseVersion.TryParse("9.0.0", out var version));
        var upgrader = new Upgrader(root, server, ReleaseKeys.Read(stand.PublicKey, "test"), TimeProvider.System) { Reached = reached };
        var plan = await upgrader.PlanAsync(await server.FindAsync(version, TestContext.Current.CancellationToken), version, TestContext.Current.CancellationToken);
        await upgrader.InstallAsync(plan, progress: null, TestContext.Current.CancellationToken);
    }

    /// <summary>With links as they are.</summary>
    static void Copy(string from, string to)
    {
        using var copying = Process.Start("cp", ["-a", from, to]);
        copying.WaitForExit();
        Assert.Equal(0, copying.ExitCode);
    }

    /// <summary>The program as it was built, as the version that is meant.</summary>
    static async Task<string> InstallProgramAsync(UpgradeBench bench)
    {
        var version = Release.Version;
        var place = Path.Combine(bench.Root, version);
        Directory.CreateDirectory(place);
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory).Where(static file => Path.GetFileName(file) is var name
            && (name.EndsWith(".dll", StringComparison.Ordinal) || name is "dbx" or "dbx.deps.json" or "dbx.runtimeconfig.json") && !name.StartsWith("xunit", StringComparison.Ordinal)))
        {
            File.Copy(file, Path.Combine(place, Path.GetFileName(file)));
        }

        Directory.CreateSymbolicLink(Path.Combine(place, "runtimes"), Path.Combine(AppContext.BaseDirectory, "runtimes"));
        Directory.Delete(Path.Combine(bench.Root, UpgradeBench.Old), recursive: true);
        Undo(bench, version);
        Assert.Equal($"eventdbx {version}", await bench.SaidAsync());
        return version;
    }

    static void Undo(UpgradeBench bench, string old)
    {
        File.Delete(Path.Combine(bench.Root, "current"));
        File.CreateSymbolicLink(Path.Combine(bench.Root, "current"), old);
        if (Directory.Exists(Path.Combine(bench.Root, "9.0.0")))
            Directory.Delete(Path.Combine(bench.Root, "9.0.0"), recursive: true);
        if (Directory.Exists(Path.Combine(bench.Root, Third)))
            return;
        bench.Install(Third);
        for (var i = 0; i < ThirdFiles; i++)
            File.WriteAllText(Path.Combine(bench.Root, Third, $"library-{i}"), "");
    }

    static int FilesOfThird(UpgradeBench bench)
    {
        try
        {
            return Directory.EnumerateFiles(Path.Combine(bench.Root, Third)).Count();
        }
        catch (DirectoryNotFoundException)
        {
            return 0;
        }
    }

    static bool IsWholeOrGone(UpgradeBench bench) => FilesOfThird(bench) == ThirdFiles + 1 || !Directory.Exists(Path.Combine(bench.Root, Third));

    /// <summary>Until the new version is the one that is meant.</summary>
    static async Task MeantAsync(UpgradeBench bench, string old, CancellationToken over)
    {
        while (bench.Current == old)
            await Task.Delay(TimeSpan.FromMilliseconds(1), over);
    }

    /// <summary>Kills it at a moment, unless it has ended by then; that is no failure, and without a kill it has to succeed.</summary>
    /// <returns>How long it took.</returns>
    static async Task<TimeSpan> UpgradeAsync(UpgradeBench bench, Func<CancellationToken, Task> moment)
    {
        var start = new ProcessStartInfo(bench.Bin, ["upgrade"]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["HOME"] = bench.Line.Directory.Path;
        foreach (var (name, value) in bench.Line.Environment)
            start.Environment[name] = value;
        var began = TimeProvider.System.GetTimestamp();
        using var process = Process.Start(start)!;
        var (said, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var over = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var ended = process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var killed = await Task.WhenAny(moment(over.Token), ended) != ended;
        if (killed)
            process.Kill();
        await ended;
        await over.CancelAsync();
        Assert.True(killed || process.ExitCode == 0, $"{await said} {await error}");
        return TimeProvider.System.GetElapsedTime(began);
    }
}
