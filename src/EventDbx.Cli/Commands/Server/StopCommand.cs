namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx stop</c>: ends the server of the data directory.</summary>
internal static class StopCommand
{
    public static Verb Create() => new("stop", "Stop the server.")
    {
        Remarks =
        [
            "The server takes no more connections, finishes the requests it has, and closes the store. Only a process that is certainly the " +
            "server of this directory is signalled: lock, PID file and the process's own start must agree.",
        ],
        Examples =
        [
            new("dbx stop", "Stop it."),
            new("dbx stop --timeout 60", "Give it a minute before it is killed."),
        ],
        Options = { ServerLife.Timeout },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var outcome = await ServerLife.StopAsync(call, await call.FindDataDirAsync().ConfigureAwait(false), cancellation).ConfigureAwait(false);
        if (!call.Json)
        {
            await call.Shell.Out.WriteLineAsync(outcome.Text(call.Shell.Clock)).ConfigureAwait(false);
            return ExitCode.Done;
        }

        var json = new JsonText().BeginObject().Member("stopped", outcome.Server is not null);
        if (outcome.Server is { } server)
            json.Member("pid", (long)server.Pid).Member("started_at", server.StartedAt);
        json.Member("removed_stale_pid_file", outcome.LeftPidFile).EndObject();
        await call.Shell.Out.WriteAsync(json.ToString()).ConfigureAwait(false);
        return ExitCode.Done;
    }
}
