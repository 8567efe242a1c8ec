namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx restart</c>: stops the server, if one runs, and starts it.</summary>
internal static class RestartCommand
{
    public static Verb Create()
    {
        var verb = new Verb("restart", "Stop the server, if it runs, and start it.")
        {
            Remarks =
            [
                "The options are those of `dbx start`. Port 0 is for one run: it is given again, or falls back to the configuration.",
            ],
            Examples =
            [
                new("dbx restart", "Take up a changed configuration."),
                new("dbx restart --port 8080", "And change a setting on the way."),
            ],
            Check = StartFlags.Check,
            Run = RunAsync,
        };
        foreach (var option in StartFlags.All.Append(ServerLife.Timeout))
            verb.Options.Add(option);
        return verb;
    }

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        // A server that could not be started again is not stopped.
        var file = ServerLife.Prepare(call);
        var outcome = await ServerLife.StopAsync(call, file.Config.DataDir, cancellation).ConfigureAwait(false);
        var text = outcome.Text(call.Shell.Clock);
        // One JSON document on standard output is enough.
        if (call.Json)
            await call.NoteAsync(text).ConfigureAwait(false);
        else
            await call.Shell.Out.WriteLineAsync(text).ConfigureAwait(false);
        return await ServerLife.StartAsync(call, file, foreground: false, cancellation).ConfigureAwait(false);
    }
}
