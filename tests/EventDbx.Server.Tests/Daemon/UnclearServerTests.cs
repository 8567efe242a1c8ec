using System.Diagnostics;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>A server that is to be found and stopped although something about it is missing or wrong.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class UnclearServerTests : IAsyncDisposable
{
    readonly Dbx _dbx = new();

    public UnclearServerTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals and sessions are Unix's.");

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Fact]
    public async Task Without_its_PID_file_it_is_stopped_once_it_says_itself_who_it_is_and_not_while_it_is_silent()
    {
        var server = await _dbx.StartServerAsync();
        PidFile.Remove(_dbx.DataDir);
        File.Move(_dbx.Home[".eventdbx/dbx.sock"], _dbx.Home[".eventdbx/away"]);
        var silent = await _dbx.RunAsync("stop");
        Assert.Equal((1, true), (silent.Code, server.Identity!.Value.Runs));
        Assert.Contains("has not finished starting, and was not signalled", silent.Error, StringComparison.Ordinal);

        File.Move(_dbx.Home[".eventdbx/away"], _dbx.Home[".eventdbx/dbx.sock"]);
        var stopped = await _dbx.RunAsync("stop");

        Assert.Equal(0, stopped.Code);
        Assert.StartsWith($"EventDBX server stopped (pid {server.Pid}) after ", stopped.Out, StringComparison.Ordinal);
        Assert.False(server.Identity!.Value.Runs);
    }

    [Fact]
    public async Task A_configuration_that_cannot_be_used_keeps_nobody_from_asking_and_stopping()
    {
        var server = await _dbx.StartServerAsync();
        File.AppendAllText(_dbx.Home[".eventdbx/config.toml"], "prot = 1\n");

        var refused = await _dbx.RunAsync("config");
        var status = await _dbx.RunAsync("status");
        _dbx.Environment["EVENTDBX_PORT"] = "many";
        _dbx.Environment["EVENTDBX_DATA_DIR"] = _dbx.Home["nowhere"];
        var nowhere = await _dbx.RunAsync("status");
        var stopped = await _dbx.RunAsync("stop", "--data-dir", _dbx.DataDir);

        Assert.Equal(1, refused.Code);
        Assert.All((Outcome[])[status, nowhere, stopped], outcome =>
        {
            Assert.Equal(0, outcome.Code);
            Assert.StartsWith("The configuration cannot be used: ", outcome.Error, StringComparison.Ordinal);
            Assert.Contains("prot", outcome.Error, StringComparison.Ordinal);
        });
        Assert.StartsWith("EventDBX server is running on port ", status.Out, StringComparison.Ordinal);
        Assert.Equal("EventDBX server is not running.\n", nowhere.Out);
        Assert.StartsWith($"EventDBX server stopped (pid {server.Pid})", stopped.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_under_nohup_outlives_a_hang_up_in_the_foreground()
    {
        var start = new ProcessStartInfo("bash", ["-c", "trap '' HUP; exec \"$0\" start --foreground --port=0 --bind=127.0.0.1", CommandLine.Program])
        {
            RedirectStandardError = true, WorkingDirectory = _dbx.Home.Path,
        };
        start.Environment["HOME"] = _dbx.Home.Path;
        using var server = Process.Start(start)!;
        await Dbx.UntilAsync(server.StandardError, "EventDBX server is running on port ");

        Dbx.Signal(server.Id, "HUP");

        Assert.StartsWith("EventDBX server is running on port ", (await _dbx.RunAsync("status")).Out, StringComparison.Ordinal);
        Assert.StartsWith($"EventDBX server stopped (pid {server.Id})", (await _dbx.RunAsync("stop")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_running_server_does_not_know_yet_and_what_is_misspelt_is_said()
    {
        _dbx.Environment["EVENTDBX_BIND_ADR"] = "127.0.0.1";
        _dbx.Environment["EVENTDBX_SOMETHING_ELSE"] = "1";
        const string misspelt = "The environment variable EVENTDBX_BIND_ADR has no effect; did you mean EVENTDBX_BIND_ADDR?\n";
        var before = await _dbx.RunAsync("config", "--list-page-size", "7");
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");

        var shown = await _dbx.RunAsync("config");
        var changed = await _dbx.RunAsync("config", "--list-page-size", "8");

        var note = $"The running server (pid {PidFile.Read(_dbx.DataDir)!.Pid}) takes it up at its next start";
        Assert.Contains(note, changed.Error, StringComparison.Ordinal);
        Assert.All((Outcome[])[before, shown], outcome => Assert.DoesNotContain("The running server", outcome.Error, StringComparison.Ordinal));
        Assert.All((Outcome[])[before, started, shown, changed], outcome =>
        {
            Assert.Equal(0, outcome.Code);
            Assert.Contains(misspelt, outcome.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("SOMETHING_ELSE", outcome.Error, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task A_bad_secret_of_the_environment_is_put_down_to_its_variable()
    {
        _dbx.Environment["EVENTDBX_AUTH_SECRET"] = "c2hvcnQ=";

        var refused = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");

        Assert.Equal(1, refused.Code);
        Assert.Contains("Error: EVENTDBX_AUTH_SECRET: `auth.secret` must be ", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("c2hvcnQ=", refused.Error, StringComparison.Ordinal);
    }
}
