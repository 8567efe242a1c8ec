using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tests.Link;

/// <summary>kill -9 of <c>dbx key rotate</c> itself: between the steps that touch the configuration by their system calls, and at random moments. What becomes of the store alone: <c>RotationKillTests</c>.</summary>
[CiTier("It starts commands as processes and kills them, for seconds each.")]
public sealed class KeyRotateKillTests : IDisposable
{
    /// <summary>Exit code of who was killed.</summary>
    const int Killed = 128 + 9;

    readonly CommandLine _line = new();

    // A directory of its own, so that what is synced in it is the configuration.
    string ConfigPath => _line.Directory["conf/config.toml"];

    public void Dispose() => _line.Dispose();

    /// <param name="finishing">False: while the new key is written down, before it is used. True: while it becomes the key, after the store has it.</param>
    /// <param name="call">The system call that it is killed in front of.</param>
    /// <param name="of">Behind the path of the configuration: to which file the call has to belong; null: its directory.</param>
    /// <param name="renamed">Whether the configuration is the next one by then.</param>
    [Theory]
    [InlineData(false, "openat", ".lock", false)]
    [InlineData(false, "openat", ".tmp", false)]
    [InlineData(false, "fsync", ".tmp", false)]
    [InlineData(false, "?rename,?renameat,?renameat2", ".tmp", false)]
    [InlineData(false, "fsync", null, true)]
    [InlineData(true, "openat", ".tmp", false)]
    [InlineData(true, "fsync", ".tmp", false)]
    [InlineData(true, "?rename,?renameat,?renameat2", ".tmp", false)]
    [InlineData(true, "fsync", null, true)]
    public async Task Killed_before_any_step_of_the_configuration_it_is_the_old_one_or_the_next_one_and_the_same_command_goes_on(bool finishing, string call, string? of, bool renamed)
    {
        await SkipWithoutStraceAsync();
        await FillAsync();
        var old = Saved().DataEncryptionKey!;
        if (finishing)
        {
            // What is written down already is not written again: the first step that it comes to is one of the end.
            await KillAtAsync("fsync", null);
            Assert.NotNull(Saved().DataEncryptionKeyNext);
        }

        var next = Saved().DataEncryptionKeyNext;
        await KillAtAsync(call, of);

        var saved = Saved();
        Assert.Equal((finishing && renamed ? next : old, renamed != finishing), (saved.DataEncryptionKey, saved.DataEncryptionKeyNext is not null));
        Assert.Equal(finishing && renamed ? [old] : (string[])[], saved.DataEncryptionKeysRetired);
        var shown = await ShownAsync();
        Assert.Equal(
            (true, finishing && !renamed ? "data_encryption_key_next" : "data_encryption_key", finishing ? 2 : 1),
            (shown["fits"]!.GetValue<bool>(), shown["fits_by"]!.GetValue<string>(), shown["generation"]!.GetValue<int>()));
        await AnswersAsync();

        await SucceedAsync("key", "rotate");
        saved = Saved();
        Assert.Null(saved.DataEncryptionKeyNext);
        Assert.Contains(old, saved.DataEncryptionKeysRetired);
        Assert.Equal("data_encryption_key", (await ShownAsync())["fits_by"]!.GetValue<string>());
        await AnswersAsync();
        Assert.Equal(["config.toml", "config.toml.lock"], Directory.GetFiles(_line.Directory["conf"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public Task Killed_at_any_moment_the_store_opens_with_what_is_in_the_configuration_verifies_and_is_rotated_by_the_same_command() => Seeded.RunAsync(async random =>
    {
        await FillAsync();
        var began = TimeProvider.System.GetTimestamp();
        using (var whole = Start())
        {
            await whole.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, whole.ExitCode);
        }

        var duration = TimeProvider.System.GetElapsedTime(began);
        var found = new SortedDictionary<string, int>(StringComparer.Ordinal);
        HashSet<string> known = [.. KeysOf(Saved())];
        for (var kills = TestTiers.Choose(2, 5, 20); kills > 0; kills--)
        {
            var (before, generation) = (Saved(), (await ShownAsync())["generation"]!.GetValue<int>());
            using (var rotation = Start())
            {
                await Task.WhenAny(rotation.WaitForExitAsync(TestContext.Current.CancellationToken), Task.Delay(duration * (0.2 + random.NextDouble()), TestContext.Current.CancellationToken));
                rotation.Kill();
                await rotation.WaitForExitAsync(TestContext.Current.CancellationToken);
            }

            var saved = Saved();
            var shown = await ShownAsync();
            Assert.True(shown["fits"]!.GetValue<bool>(), "No key in the configuration is the store's.");
            // Nothing that was ever the only key of something is lost.
            known.UnionWith(KeysOf(saved));
            Assert.Superset(known, KeysOf(saved).ToHashSet());
            var what = saved.DataEncryptionKey != before.DataEncryptionKey ? "came to its end"
                : saved.DataEncryptionKeyNext is null ? "was not begun"
                : shown["rotation_unfinished"]!.GetValue<bool>() ? "in the midst of the store"
                : shown["generation"]!.GetValue<int>() > generation ? "the store is done, the configuration is not" : "the key is written down";
            found[what] = found.GetValueOrDefault(what) + 1;
            await AnswersAsync();

            await SucceedAsync("key", "rotate");
            Assert.Null(Saved().DataEncryptionKeyNext);
            known.UnionWith(KeysOf(Saved()));
            Assert.Equal("data_encryption_key", (await ShownAsync())["fits_by"]!.GetValue<string>());
        }

        await AnswersAsync();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', found.Select(static one => $"{one.Value} times: {one.Key}")));
    });

    /// <summary>Runs a rotation that is killed as it enters a system call on a file of the configuration for the first time.</summary>
    async Task KillAtAsync(string call, string? of)
    {
        var path = of is null ? Path.GetDirectoryName(ConfigPath)! : ConfigPath + of;
        using var traced = Start("strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", $"trace={call}", "-e", $"inject={call}:signal=SIGKILL", CommandLine.Program);
        await traced.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Killed, traced.ExitCode);
    }

    static async Task SkipWithoutStraceAsync()
    {
        const string what = "strace is not installed, or may not trace: tools/install-crash-prerequisites.sh";
        Assert.SkipUnless(OperatingSystem.IsLinux(), "strace is of Linux.");
        try
        {
            using var traced = Process.Start(new ProcessStartInfo("strace", ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "true"]) { RedirectStandardError = true })!;
            await traced.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.SkipUnless(traced.ExitCode == 0, what);
        }
        catch (Win32Exception)
        {
            Assert.Skip(what);
        }
    }

    /// <summary>The built program as a process, behind another one that runs it or by itself.</summary>
    Process Start(params string[] before)
    {
        string[] all = [.. before.Length == 0 ? [CommandLine.Program] : before, "--config", ConfigPath, "--lock-timeout", "60", "key", "rotate"];
        var start = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = _line.Directory.Path };
        start.Environment["HOME"] = _line.Directory.Path;
        return Process.Start(start)!;
    }

    async Task FillAsync()
    {
        _line.Directory.Write("conf/config.toml", $"# By hand.\ndata_dir = \"{_line.Directory["data"]}\"\n");
        foreach (var id in (string[])["o-1", "o-2", "o-3"])
            await SucceedAsync("aggregate", "apply", "order", id, "made", "--field", "word=sesame");
        await SucceedAsync("token", "generate", "--group", "a", "--user", "b");
    }

    async Task AnswersAsync()
    {
        await SucceedAsync("verify", "--all");
        Assert.Contains("sesame", (await SucceedAsync("aggregate", "get", "order", "o-2")).Out, StringComparison.Ordinal);
        Assert.Contains("\"b\"", (await SucceedAsync("token", "list", "--json")).Out, StringComparison.Ordinal);
    }

    async Task<JsonNode> ShownAsync() => JsonNode.Parse((await SucceedAsync("key", "show-location", "--json")).Out)!;

    async Task<Outcome> SucceedAsync(params string[] arguments)
    {
        var outcome = await _line.RunAsync(["--config", ConfigPath, "--lock-timeout", "60", .. arguments]);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code} {outcome.Error}");
        return outcome;
    }

    ServerConfig Saved() => ConfigFile.Load(ConfigPath, _line.Directory.Path, null, TimeProvider.System).Saved;

    static IEnumerable<string> KeysOf(ServerConfig saved) => ((string?[])[saved.DataEncryptionKey, saved.DataEncryptionKeyNext, .. saved.DataEncryptionKeysRetired]).OfType<string>();
}
