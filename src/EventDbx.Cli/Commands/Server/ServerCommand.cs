using EventDbx.Server.Daemon;

namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx __server</c>: the process that is the server, started by <c>dbx start</c>.</summary>
internal static class ServerCommand
{
    public static Verb Create()
    {
        var verb = new Verb(ServerChild.Command, "Serve; for dbx itself.")
        {
            Hidden = true,
            OutlivesTerminal = true,
            Examples = [],
            Check = StartFlags.Check,
            Run = RunAsync,
        };
        foreach (var option in StartFlags.All)
            verb.Options.Add(option);
        return verb;
    }

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        using var independent = ServerChild.Detach();
        return await ServerLife.ServeAsync(
            call, call.LoadConfig(), echo: false, ready => ServerChild.ReportAsync(ready, call.Shell.Out), cancellation).ConfigureAwait(false);
    }
}
