using System.Globalization;
using System.Net;
using System.Text.Json;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>The life of a server as the real program lives it.</summary>
public sealed class DaemonTests : IAsyncDisposable
{
    const string Time = @"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z";

    readonly Dbx _dbx = new();

    public DaemonTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals and sessions are Unix's.");

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Fact]
    public async Task A_server_starts_in_the_background_says_what_it_is_and_stops()
    {
        var started = await _dbx.RunAsync("start", "--port", "0", "--bind", "127.0.0.1");
        var file = PidFile.Read(_dbx.DataDir)!;
        Assert.Equal(0, started.Code);
        Assert.Matches($@"^EventDBX server is running on port \d+ \(pid {file.Pid}\) since {Time} \(restrict=default\)\n$", started.Out);
        Assert.Contains("A data encryption key was made.", started.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Warning", started.Error, StringComparison.Ordinal);
        Assert.All(
            (string[])["config.toml", "eventdbx.pid", "dbx.sock", "logs/eventdbx.log"],
            name => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, ModeOf(Path.Combine(_dbx.DataDir, name))));

        var status = await _dbx.RunAsync("status");
        var json = JsonDocument.Parse((await _dbx.RunAsync("status", "--json")).Out).RootElement;
        var port = json.GetProperty("port").GetInt32();
        Assert.Equal((0, ""), (status.Code, status.Error));
        Assert.Matches(
            $@"^EventDBX server is running on port {port} \(pid {file.Pid}\) — restrict=default — up for [^\n]+ \(since {Time}\)
  address=http://127\.0\.0\.1:{port}
  address=tcp://127\.0\.0\.1:\d+
  address=unix:{_dbx.DataDir}/dbx\.sock
  exposure=loopback
  durability=sync
  encryption=on
  data_dir={_dbx.DataDir}
  log_file={_dbx.DataDir}/logs/eventdbx\.log
  log_size=\d+
$", status.Out);
        Assert.Equal((true, true, file.Pid, "loopback", "default"), (
            json.GetProperty("running").GetBoolean(), json.GetProperty("answers").GetBoolean(), json.GetProperty("pid").GetInt32(),
            json.GetProperty("exposure").GetString(), json.GetProperty("restriction").GetString()));
        using (var client = new HttpClient())
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri($"http://127.0.0.1:{port}/health"), TestContext.Current.CancellationToken)).StatusCode);

        var second = await _dbx.RunAsync("start");
        Assert.Equal((1, "", $"Error: EventDBX server already running (pid {file.Pid})\n"), (second.Code, second.Out, second.Error));

        var stopped = await _dbx.RunAsync("stop");
        Assert.Equal((0, ""), (stopped.Code, stopped.Error));
        Assert.Matches($@"^EventDBX server stopped \(pid {file.Pid}\) after [^(]+ \(started {Time}\)\n$", stopped.Out);
        Assert.False(Path.Exists(Path.Combine(_dbx.DataDir, "eventdbx.pid")));
        Assert.False(Path.Exists(Path.Combine(_dbx.DataDir, "dbx.sock")));
        // The store was closed, not dropped.
        Assert.True(File.Exists(Path.Combine(_dbx.DataDir, "event_store.inventory")));
        Assert.Equal((0, "No running EventDBX server found.\n"), Said(await _dbx.RunAsync("stop")));
        Assert.Equal((0, "EventDBX server is not running.\n"), Said(await _dbx.RunAsync("status")));
        Assert.DoesNotContain("port = 0", await ConfigTextAsync(), StringComparison.Ordinal);
    }

    [Theory, InlineData("TERM"), InlineData("INT"), InlineData("HUP")]
    public async Task In_the_foreground_it_serves_until_a_signal_and_ends_with_0(string signal)
    {
        Assert.SkipWhen(Signals.IsIgnored(signal), $"SIG{signal} is ignored here.");
        using var server = _dbx.Start("start", "--foreground", "--port=0", "--bind=127.0.0.1");

        var ready = await Dbx.UntilAsync(server.StandardError, "EventDBX server is running on port ");
        Assert.Equal(server.Id, PidFile.Read(_dbx.DataDir)!.Pid);
        Dbx.Signal(server.Id, signal);
        var end = await Dbx.EndOfAsync(server);

        Assert.Contains($"(pid {server.Id}) since ", ready, StringComparison.Ordinal);
        Assert.Equal((0, ""), (end.Code, end.Out));
        Assert.Contains(" info  server stopped\n", end.Error, StringComparison.Ordinal);
        Assert.False(PidFile.IsIn(_dbx.DataDir));
    }

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Fact]
    public async Task After_a_kill_status_and_stop_remove_what_it_left_and_a_start_goes_on()
    {
        await Dbx.KillAsync(await _dbx.StartServerAsync());
        var next = await _dbx.StartServerAsync();
        await Dbx.KillAsync(next);
        Assert.Equal((0, "EventDBX server is not running (removed stale pid file).\n"), Said(await _dbx.RunAsync("status")));
        Assert.Equal((0, "EventDBX server is not running.\n"), Said(await _dbx.RunAsync("status")));

        next.Write(_dbx.DataDir);
        Assert.Equal((0, "Removed stale EventDBX server pid file.\n"), Said(await _dbx.RunAsync("stop")));
        Assert.Equal((0, "No running EventDBX server found.\n"), Said(await _dbx.RunAsync("stop")));
    }

    [Fact]
    public async Task It_has_a_session_of_its_own_and_no_stream_of_who_started_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc says it.");
        var server = await _dbx.StartServerAsync();
        var fields = (await File.ReadAllTextAsync($"/proc/{server.Pid}/stat", TestContext.Current.CancellationToken)).Split(") ")[^1].Split(' ');

        Assert.Equal(server.Pid.ToString(CultureInfo.InvariantCulture), fields[3]);
        Assert.All(
            (int[])[0, 1, 2], stream => Assert.Equal("/dev/null", File.ResolveLinkTarget($"/proc/{server.Pid}/fd/{stream}", returnFinalTarget: false)!.FullName));
        Assert.Equal("/", File.ResolveLinkTarget($"/proc/{server.Pid}/cwd", returnFinalTarget: false)!.FullName);
        Assert.DoesNotContain(
            ConfigFileSecret(await ConfigTextAsync()), await File.ReadAllTextAsync($"/proc/{server.Pid}/cmdline", TestContext.Current.CancellationToken),
            StringComparison.Ordinal);

        Dbx.Signal(server.Pid, "HUP");
        var status = await _dbx.RunAsync("status");
        Assert.StartsWith("EventDBX server is running on port ", status.Out, StringComparison.Ordinal);
    }

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Fact]
    public async Task A_restart_takes_up_what_was_changed_and_does_not_stop_what_could_not_be_started_again()
    {
        var first = await _dbx.StartServerAsync();

        var impossible = await _dbx.RunAsync("restart", "--no-rest", "--no-graphql", "--no-grpc");
        Assert.Equal((2, ""), (impossible.Code, impossible.Out));
        Assert.True(first.Identity!.Value.Runs);

        var restarted = await _dbx.RunAsync("restart", "--restrict=strict", "--port=0", "--bind=127.0.0.1");
        Assert.Matches($@"^EventDBX server stopped \(pid {first.Pid}\) after .+\nEventDBX server is running on port .+ \(restrict=strict\)\n$", restarted.Out);
        Assert.Contains("Configuration saved to", restarted.Error, StringComparison.Ordinal);
        Assert.Contains("restrict = \"strict\"\n", await ConfigTextAsync(), StringComparison.Ordinal);

        // Not given, it stays as configured.
        Assert.Contains("(restrict=strict)", (await _dbx.RunAsync("restart", "--port=0", "--bind=127.0.0.1")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Destroy_stops_the_server_and_leaves_nothing_of_ours_and_everything_else()
    {
        var server = await _dbx.StartServerAsync();
        _dbx.Home.Write(".eventdbx/notes.txt", "mine");

        var cancelled = await _dbx.RunAsync("destroy");
        Assert.Equal((0, "Destroy command cancelled.\n"), Said(cancelled));
        Assert.True(server.Identity!.Value.Runs);

        var destroyed = await _dbx.RunAsync("destroy", "--yes");
        Assert.Equal((0, $"All EventDBX data and configuration removed from {_dbx.DataDir}\n"), Said(destroyed));
        Assert.Contains($"Left, for it is not EventDBX's: {_dbx.DataDir}/notes.txt", destroyed.Error, StringComparison.Ordinal);
        Assert.False(server.Identity!.Value.Runs);
        Assert.Equal([Path.Combine(_dbx.DataDir, "notes.txt")], Directory.GetFileSystemEntries(_dbx.DataDir));
    }

    static (int Code, string Out) Said(Outcome outcome) => (outcome.Code, outcome.Out);

    static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);

    static string ConfigFileSecret(string text) => text.Split("data_encryption_key = \"")[1].Split('"')[0];

    Task<string> ConfigTextAsync() => File.ReadAllTextAsync(Path.Combine(_dbx.DataDir, "config.toml"), TestContext.Current.CancellationToken);
}
