namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx start</c>: starts the server, in the background or here.</summary>
internal static class StartCommand
{
    static readonly Option<bool> Foreground = Options.Switch("--foreground", "Serve in this process, until Ctrl-C or SIGTERM.");

    public static Verb Create()
    {
        var verb = new Verb("start", "Start the server.")
        {
            Remarks =
            [
                "It returns when the server answers requests. The server goes on without the terminal; `dbx status` and `dbx stop` find it. " +
                "Its log is logs/eventdbx.log in the data directory; EVENTDBX_LOG_DIR names another directory, EVENTDBX_LOG how much it says " +
                "(error, warn, info, debug, trace).",
                "Options that name settings, `--data-dir` too, are kept in the configuration once the server is ready; `--data-dir` is not, where " +
                "the configured data directory holds a store and is another one. Spellings of a restriction: off, false, 0, no, none, " +
                "unrestricted, dev; default, true, 1, yes, on, prod, restricted, hybrid; strict, all, enforced.",
                "With `--foreground` a service manager that waits for it (NOTIFY_SOCKET, systemd's `Type=notify`) is told when the server answers requests and when " +
                "it stops, and that it lives, where WATCHDOG_USEC asks for that.",
                "With `--tls` and no certificate of your own (`dbx config --tls-cert`), one is made in the data directory, tls.crt. Clients trust it by " +
                "that file or by its fingerprint, which is printed here and by `dbx status`.",
            ],
            Examples =
            [
                new("dbx start", "Start it in the background."),
                new("dbx start --foreground --bind 127.0.0.1", "Serve this machine only, as long as this terminal wants."),
                new("dbx start --port 8080 --restrict=strict", "Change two settings, and start."),
                new("dbx start --tls", "Encrypt; then `curl --cacert ~/.eventdbx/tls.crt https://localhost:7070/health`."),
                new("dbx start --port 0 --json", "Any free port; which one, as JSON."),
            ],
            Check = StartFlags.Check,
            Run = (call, cancellation) => ServerLife.StartAsync(call, ServerLife.Prepare(call), call.Get(Foreground), cancellation),
        };
        foreach (var option in StartFlags.All.Prepend(Foreground))
            verb.Options.Add(option);
        return verb;
    }
}
