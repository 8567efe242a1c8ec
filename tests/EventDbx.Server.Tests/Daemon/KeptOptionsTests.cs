using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>Which options of a start are kept, and what that does to the key of a store.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class KeptOptionsTests : IAsyncDisposable
{
    readonly Dbx _dbx = new();

    public KeptOptionsTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals and sessions are Unix's.");

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Fact]
    public async Task A_data_directory_is_not_kept_over_one_that_holds_a_store_and_a_destroy_leaves_that_ones_key()
    {
        await _dbx.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        var trial = _dbx.Home["trial"];
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1", "--data-dir", trial);
        var destroyed = await _dbx.RunAsync("destroy", "--yes", "--data-dir", trial);

        Assert.Equal((0, 0), (started.Code, destroyed.Code));
        Assert.Contains($"The data directory {trial} holds for this run: {_dbx.DataDir}/config.toml stays with {_dbx.DataDir}, which holds a store.", started.Error, StringComparison.Ordinal);
        Assert.Contains($"The configuration stays: it belongs to the store in {_dbx.DataDir}, too", destroyed.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(trial));
        Assert.DoesNotContain("trial", await ConfigTextAsync(), StringComparison.Ordinal);
        Assert.Equal(0, (await _dbx.RunAsync("aggregate", "verify", "order", "o-1")).Code);
    }

    [Fact]
    public async Task A_data_directory_and_an_address_are_kept_and_a_restart_listens_there_again()
    {
        var data = _dbx.Home["data"];
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1", "--data-dir", data);
        try
        {
            Assert.Equal(0, started.Code);
            Assert.Contains($"data_dir = \"{data}\"\n", await ConfigTextAsync(), StringComparison.Ordinal);
            Assert.Contains("bind_addr = \"127.0.0.1\"\n", await ConfigTextAsync(), StringComparison.Ordinal);

            var restarted = await _dbx.RunAsync("restart", "--port=0");
            Assert.Equal(0, restarted.Code);
            Assert.Contains("  address=http://127.0.0.1:", (await _dbx.RunAsync("status")).Out, StringComparison.Ordinal);
        }
        finally
        {
            await _dbx.RunAsync("stop", "--data-dir", data);
        }
    }

    [Fact]
    public async Task A_server_that_does_not_start_leaves_the_settings_as_they_were()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await _dbx.RunAsync("config", "--list-page-size", "7");

        var refused = await _dbx.RunAsync(
            "start", "--bind=127.0.0.1", $"--port={((IPEndPoint)taken.LocalEndpoint).Port}", "--restrict=off", "--data-dir", _dbx.Home["data"]);

        Assert.Equal(1, refused.Code);
        Assert.DoesNotContain("Configuration saved", refused.Error, StringComparison.Ordinal);
        Assert.Contains("port = 7070\n", await ConfigTextAsync(), StringComparison.Ordinal);
        Assert.Contains("restrict = \"default\"\n", await ConfigTextAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(_dbx.Home["data"], await ConfigTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_server_does_not_keep_what_its_caller_had_open()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc says it.");
        var file = _dbx.Home.Write("script.lock", "");
        var held = await ShellAsync($"exec 9>'{file}'; flock 9; \"$0\" start --port=0 --bind=127.0.0.1 >&2");
        Assert.True(held.Code == 0, held.Error);
        var server = PidFile.Read(_dbx.DataDir)!;

        var free = await ShellAsync($"flock --nonblock '{file}' true");

        Assert.Equal(0, free.Code);
        Assert.DoesNotContain(
            file, Directory.EnumerateFiles($"/proc/{server.Pid}/fd").Select(fd => new FileInfo(fd).LinkTarget));
    }

    [Theory]
    [InlineData("\"$0\" aggregate apply order o-1 placed >/dev/full", "The command was carried out (version 1 of order/o-1 is event ")]
    [InlineData("\"$0\" config >/dev/full", "The command was carried out, but what it has to say")]
    public async Task An_output_that_cannot_be_written_is_no_command_that_failed(string command, string said)
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no full device.");

        var full = await ShellAsync(command);

        Assert.Equal(1, full.Code);
        Assert.Contains($"Error: {said}", full.Error, StringComparison.Ordinal);
        Assert.Contains("could not be written to standard output: No space left on device", full.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Caused by", full.Error, StringComparison.Ordinal);
    }

    async Task<Outcome> ShellAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script, CommandLine.Program])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _dbx.Home.Path,
        };
        start.Environment["HOME"] = _dbx.Home.Path;
        using var process = Process.Start(start)!;
        return await Dbx.EndOfAsync(process);
    }

    Task<string> ConfigTextAsync() => File.ReadAllTextAsync(Path.Combine(_dbx.DataDir, "config.toml"), TestContext.Current.CancellationToken);
}
