using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>What goes wrong in the life of a server, as the real program lives it.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class DaemonTroubleTests : IAsyncDisposable
{
    readonly Dbx _dbx = new();

    public DaemonTroubleTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals and sessions are Unix's.");

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Fact]
    public async Task A_process_that_is_not_the_server_is_never_signalled_whatever_the_PID_file_says()
    {
        using var sleep = Process.Start(new ProcessStartInfo("sleep", "600"))!;
        try
        {
            var sleeping = ProcessIdentity.Find(sleep.Id)!.Value;
            var foreign = new PidFile(sleep.Id, "2025-01-01T00:00:00Z", sleeping.Start);
            Directory.CreateDirectory(_dbx.DataDir);

            foreign.Write(_dbx.DataDir);
            Assert.Equal((0, "Removed stale EventDBX server pid file.\n"), Said(await _dbx.RunAsync("stop")));

            var server = await _dbx.StartServerAsync();
            foreach (var wrong in (PidFile[])[foreign, server with { ProcessStart = server.ProcessStart - 1 }, server with { ProcessStart = null }])
            {
                wrong.Write(_dbx.DataDir);
                var refused = await _dbx.RunAsync("stop");
                Assert.Equal((1, ""), (refused.Code, refused.Out));
                Assert.Contains("No process was signalled.", refused.Error, StringComparison.Ordinal);
            }

            Assert.True(sleeping.Runs);
            Assert.True(server.Identity!.Value.Runs);
            server.Write(_dbx.DataDir);
            Assert.Equal(0, (await _dbx.RunAsync("stop")).Code);
            Assert.False(server.Identity!.Value.Runs);
        }
        finally
        {
            sleep.Kill();
        }
    }

    [Fact]
    public async Task A_command_that_has_the_directory_is_no_server_and_is_left_alone()
    {
        Directory.CreateDirectory(_dbx.DataDir);
        using var held = Database.Hold(_dbx.DataDir, "a test", TimeSpan.Zero);

        var status = await _dbx.RunAsync("status");
        var stop = await _dbx.RunAsync("stop");
        var start = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1", "--lock-timeout=0.1");

        Assert.Equal("EventDBX server is not running.\n", status.Out);
        Assert.Equal("No running EventDBX server found.\n", stop.Out);
        Assert.All((Outcome[])[status, stop], outcome => Assert.Contains($"in use by process {Environment.ProcessId} (a test)", outcome.Error, StringComparison.Ordinal));
        Assert.Equal((4, ""), (start.Code, start.Out));
        Assert.Contains($"in use by process {Environment.ProcessId} (a test)", start.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_is_interrupted_ends_the_server_it_was_waiting_for()
    {
        Directory.CreateDirectory(_dbx.DataDir);
        using var held = Database.Hold(_dbx.DataDir, "a test", TimeSpan.Zero);
        using var start = _dbx.Start("start", "--port=0", "--bind=127.0.0.1", "--lock-timeout=600");
        var log = Path.Combine(_dbx.DataDir, "logs", "eventdbx.log");
        await Dbx.WaitForAsync(() => File.Exists(log) && File.ReadAllText(log).Contains('\n', StringComparison.Ordinal));
        var pid = int.Parse(File.ReadAllText(log).Split("pid=")[1].Split(' ')[0], CultureInfo.InvariantCulture);
        Assert.NotNull(ProcessIdentity.Find(pid));

        Dbx.Signal(start.Id, Signals.Interrupt);
        // It waits for the lock where no signal reaches it; it is ended when that has been given up on.
        var end = await Dbx.EndOfAsync(start);

        Assert.Equal((1, ""), (end.Code, end.Out));
        Assert.EndsWith("Error: interrupted\n", end.Error, StringComparison.Ordinal);
        Assert.Null(ProcessIdentity.Find(pid));
    }

    [Fact]
    public async Task With_another_key_than_the_store_s_it_is_refused_with_the_server_s_own_words()
    {
        await _dbx.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        _dbx.Environment["EVENTDBX_DEK"] = Convert.ToBase64String(new byte[32]);
        var config = _dbx.Home.Write("other.toml", $"data_dir = \"{_dbx.DataDir}\"\n");

        var refused = await _dbx.RunAsync("start", "--config", config, "--port=0", "--bind=127.0.0.1");

        Assert.Equal((4, ""), (refused.Code, refused.Out));
        Assert.Contains("key", refused.Error, StringComparison.Ordinal);
        Assert.StartsWith("Error: ", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(_dbx.Environment["EVENTDBX_DEK"], refused.Error + await LogTextAsync(), StringComparison.Ordinal);
        Assert.False(PidFile.IsIn(_dbx.DataDir));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_and_nothing_is_left_behind()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        var refused = await _dbx.RunAsync("start", "--bind=127.0.0.1", $"--port={port}");

        Assert.Equal((1, ""), (refused.Code, refused.Out));
        Assert.Contains($"Error: Port {port} of 127.0.0.1 cannot be listened on: ", refused.Error, StringComparison.Ordinal);
        Assert.Contains("`--port` chooses another one", refused.Error, StringComparison.Ordinal);
        Assert.False(PidFile.IsIn(_dbx.DataDir));
        Assert.Equal((0, "EventDBX server is not running.\n"), Said(await _dbx.RunAsync("status")));
    }

    [Fact]
    public async Task A_port_of_replication_that_is_taken_is_named_with_the_way_to_another()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        _dbx.Environment["EVENTDBX_SOCKET_BIND_ADDR"] = $"127.0.0.1:{port}";

        var refused = await _dbx.RunAsync("start", "--bind=127.0.0.1", "--port=0");

        Assert.Equal((1, ""), (refused.Code, refused.Out));
        Assert.Contains($"Error: Replication cannot listen on 127.0.0.1:{port}: ", refused.Error, StringComparison.Ordinal);
        Assert.Contains("`dbx config --socket-bind IP:PORT` chooses another one", refused.Error, StringComparison.Ordinal);
        Assert.False(PidFile.IsIn(_dbx.DataDir));
        _dbx.Environment.Clear();
        await _dbx.StartServerAsync();
    }

    [Fact]
    public async Task Where_the_path_is_too_long_for_a_socket_the_lock_file_says_where_it_is()
    {
        _dbx.Environment["XDG_RUNTIME_DIR"] = _dbx.Home.Path;
        var data = _dbx.Home[string.Join('/', Enumerable.Repeat("a-long-name-of-a-directory", 5))];

        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1", "--data-dir", data);
        try
        {
            var holder = Database.FindHolder(data)!;
            Assert.Equal(0, started.Code);
            Assert.StartsWith(_dbx.Home["eventdbx/"], holder.Socket, StringComparison.Ordinal);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, ModeOf(holder.Socket!));
            Assert.Contains($"  data_dir={data}\n", (await _dbx.RunAsync("status")).Out, StringComparison.Ordinal);
        }
        finally
        {
            Assert.Equal(0, (await _dbx.RunAsync("stop")).Code);
        }
    }

    [Fact]
    public async Task A_server_that_hangs_is_killed_after_the_timeout_and_status_says_that_it_does_not_answer()
    {
        var server = await _dbx.StartServerAsync();
        Dbx.Signal(server.Pid, "STOP");

        // It is patient for seconds.
        if (TestTiers.Current != TestTier.Default)
        {
            var status = await _dbx.RunAsync("status");
            Assert.StartsWith($"EventDBX server (pid {server.Pid}) has {_dbx.DataDir} open since ", status.Out, StringComparison.Ordinal);
            Assert.Contains("does not answer: no answer on ", status.Out, StringComparison.Ordinal);
        }

        var stopped = await _dbx.RunAsync("stop", "--timeout=0.2");
        Assert.Equal(0, stopped.Code);
        Assert.Contains($"The server (pid {server.Pid}) did not stop within 0.2 s and is killed", stopped.Error, StringComparison.Ordinal);
        Assert.False(PidFile.IsIn(_dbx.DataDir));
    }

    static (int Code, string Out) Said(Outcome outcome) => (outcome.Code, outcome.Out);

    static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);

    Task<string> LogTextAsync() => File.ReadAllTextAsync(Path.Combine(_dbx.DataDir, "logs", "eventdbx.log"), TestContext.Current.CancellationToken);
}
