using EventDbx.Cli.Tests.Packages;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>What is mounted, or cannot be written, cannot be exchanged: <c>dbx restore</c> and <c>dbx doctor --rebuild</c> say so before they begin to work.</summary>
/// <remarks>
/// Each runs in a namespace of mounts of its own, which ends with it: outside nothing is mounted at any time. Root is stopped by no permission, but by a file system that is read-only.
/// The proof that nothing was begun is a second fault, which is found as soon as anything is.
/// </remarks>
[CiTier("It runs the program three times for each place.")]
public sealed class UnexchangeableTests : IDisposable
{
    const string OfItsOwn = """mount --bind "$D/event_store" "$D/event_store" """;
    const string Below = """mount --bind "$D/event_store/CURRENT" "$D/event_store/CURRENT" """;

    readonly CommandLine _line = new();

    string Data => _line.Directory[".eventdbx"];

    [Theory]
    [InlineData(OfItsOwn, "event_store is a mount point of its own")]
    [InlineData(Below, "event_store/CURRENT is a mount point within")]
    [InlineData("""mount -t tmpfs none "$D/plugins/search" """, "plugins/search is a mount point within")]
    [InlineData("""mount --bind "$D/tokens.json" "$D/tokens.json" """, "tokens.json is a mount point of its own")]
    [InlineData("""mount --bind "$D/config.toml" "$D/config.toml" """, "config.toml is a mount point of its own")]
    [InlineData("""mount --bind "$D" "$D" && mount -o remount,bind,ro "$D" """, "cannot be used")]
    [InlineData("""mount --bind "$C" "$C" && mount -o remount,bind,ro "$C" """, "its file system is read-only", "--config", "conf/dbx.toml")]
    [InlineData("""mount --bind "$C" "$C" && mount -o remount,bind,ro "$C" """, "its file system is read-only", "--config", "conf/not/there.toml")]
    public async Task A_restore_into_what_cannot_be_exchanged_is_refused_before_the_archive_is_unpacked(string mount, string says, params string[] further)
    {
        var archive = await PrepareAsync();
        string[] restore = ["restore", "--input", archive, "--data-dir", Data, "--force", .. further];
        // Its manifest can be read; who reads on finds that it is damaged.
        var bytes = await File.ReadAllBytesAsync(archive, TestContext.Current.CancellationToken);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(archive, bytes, TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Difference, (await MountedAsync("true", restore)).Code);
        var before = _line.Directory.Fingerprint("");

        var refused = await MountedAsync(mount, restore);

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, _line.Directory.Fingerprint(""));
    }

    [Fact]
    public async Task A_data_directory_that_is_a_mount_point_itself_is_restored_into_and_rebuilt_in()
    {
        var archive = await PrepareAsync();
        const string Mount = """mount --bind "$D" "$D" """;

        foreach (var command in (string[][])[["restore", "--input", archive, "--data-dir", Data, "--force"], ["doctor", "--rebuild"]])
        {
            var done = await MountedAsync(Mount, command);
            Assert.True(done.Code == ExitCode.Done, done.Error);
        }

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("verify", "--all")).Code);
    }

    [Theory]
    [InlineData(OfItsOwn, "event_store is a mount point of its own")]
    [InlineData(Below, "event_store/CURRENT is a mount point within")]
    [InlineData("""mount --bind "$D" "$D" && mount -o remount,bind,ro "$D" """, "cannot be used")]
    public async Task A_rebuild_of_what_cannot_be_exchanged_is_refused_before_the_log_is_read(string mount, string says)
    {
        await PrepareAsync();
        File.Delete(Path.Combine(Data, "watermark"));
        Assert.Contains("`watermark`", (await MountedAsync("true", "doctor", "--rebuild")).Error, StringComparison.Ordinal);
        var before = _line.Directory.Fingerprint("");

        var refused = await MountedAsync(mount, "doctor", "--rebuild");

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, _line.Directory.Fingerprint(""));
    }

    public void Dispose() => _line.Dispose();

    /// <summary>A store with a piece of each kind beside it, and a backup of it.</summary>
    async Task<string> PrepareAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Tools.Has("unshare"), "Namespaces of mounts are Linux's; unshare is in util-linux.");
        Assert.SkipUnless((await Program.RunAsync("unshare", _line.Directory.Path, home: null, [.. Namespace, "true"])).Code == ExitCode.Done, "This user may not make a namespace of mounts here.");
        Directory.CreateDirectory(_line.Directory["conf"]);
        foreach (var command in (string[][])[["aggregate", "apply", "order", "o-1", "placed"], ["token", "generate", "--group", "ops", "--user", "kim"]])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync(command)).Code);
        Directory.CreateDirectory(Path.Combine(Data, "plugins", "search"));
        var archive = _line.Directory["dbx.backup"];
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", archive)).Code);
        return archive;
    }

    /// <summary>Runs the program where something is mounted: <c>$D</c> is the data directory, <c>$C</c> one for configurations.</summary>
    Task<Outcome> MountedAsync(string mount, params string[] arguments) => Program.RunAsync(
        "unshare", _line.Directory.Path, _line.Directory.Path, [.. Namespace, "sh", "-ec", $"D=$1 C=$2; shift 2; {mount}; exec \"$@\"", "sh", Data, _line.Directory["conf"], Program.File, .. arguments]);

    static string[] Namespace => Environment.UserName == "root" ? ["--mount", "--propagation", "private"] : ["--user", "--map-root-user", "--mount", "--propagation", "private"];
}
