using System.Net;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Logs;
using EventDbx.Server.Tokens;
using Microsoft.Extensions.Logging;

namespace EventDbx.Cli.Commands.Server;

/// <summary>What several commands do to a server: start it in the background, be it, stop it.</summary>
internal static class ServerLife
{
    public static Option<TimeSpan?> Timeout { get; } = new("--timeout")
    {
        HelpName = "SECONDS",
        Description = "How long a running server may take to stop before it is killed (default: 15).",
        CustomParser = Options.Seconds,
    };

    /// <summary>Checks that a server could be started like this; what would refuse it later refuses it before anything is changed.</summary>
    public static ConfigFile Prepare(Call call)
    {
        var file = call.LoadConfig();
        StartCheck.Demand(StartFlags.Over(call, file.Config));
        _ = LogOf(call, file.Config);
        return file;
    }

    /// <summary>Makes the keys that are missing, starts the server as asked for, and once it is ready keeps what the options name as settings.</summary>
    public static async Task<ExitCode> StartAsync(Call call, ConfigFile file, bool foreground, CancellationToken cancellation)
    {
        if (ServerRun.AlreadyRunning(file.Config.DataDir) is { } running)
            throw running;
        await call.NoteMisspeltVariablesAsync().ConfigureAwait(false);
        if (foreground)
        {
            using var service = ServiceNotice.Of(call.Shell.Environment, call.Shell.Clock);
            ServiceNotice.KeepToItself();
            return await ServeAsync(call, file, echo: true, async ready =>
            {
                // Otherwise they have been read here already, as lines of the log.
                foreach (var notice in LogOf(call, file.Config).Level > LogLevel.Warning ? ready.Notices : [])
                    await call.NoteAsync(notice).ConfigureAwait(false);
                await call.NoteAsync($"{ready.Text} serving {ready.DataDir}; log {ready.LogFile}").ConfigureAwait(false);
                if (ready.TlsText is { } tls)
                    await call.NoteAsync(tls).ConfigureAwait(false);
                await KeepAsync(call, file, cancellation).ConfigureAwait(false);
            }, cancellation, service).ConfigureAwait(false);
        }

        // Before the child looks for them: whoever is at the terminal must read where a new key lies, and what is wrong with it.
        var found = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
        new KeysInHand(found).Dispose();
        _ = await AuthSettings.EnsureAsync(call.LoadConfig(), cancellation).ConfigureAwait(false);

        string[] arguments =
        [
            $"--config={file.Path}", $"--data-dir={file.Config.DataDir}",
            .. StartFlags.Arguments(call),
            .. call.Get(GlobalOptions.LockTimeout) is { } wait ? [FormattableString.Invariant($"--lock-timeout={wait.TotalSeconds:0.######}")] : Array.Empty<string>(),
            .. call.Json ? ["--json"] : Array.Empty<string>(),
        ];
        var log = LogOf(call, file.Config);
        var outcome = await ServerChild.StartAsync(
            call.Shell.Self, arguments, new Dictionary<string, string> { [LogSettings.DirectoryVariable] = log.Directory },
            call.Shell.Error, cancellation).ConfigureAwait(false);
        if (outcome.Ready is not { } ready)
            return Ended(outcome.ExitCode, log);

        foreach (var notice in ready.TlsText is { } tls ? ready.Notices.Prepend(tls) : ready.Notices)
            await call.NoteAsync(notice).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(ready) : ready.Text + "\n").ConfigureAwait(false);
        await KeepAsync(call, file, cancellation).ConfigureAwait(false);
        return ExitCode.Done;
    }

    /// <summary>Is the server, in this process, until it is told to stop.</summary>
    public static async Task<ExitCode> ServeAsync(
        Call call, ConfigFile file, bool echo, Func<ServerReady, Task> ready, CancellationToken cancellation, ServiceNotice? service = null)
    {
        var config = StartFlags.Over(call, file.Config);
        StartCheck.Demand(config);
        var database = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
        using var keys = new KeysInHand(database);
        var auth = await AuthSettings.EnsureAsync(file, cancellation).ConfigureAwait(false);
        await new ServerRun(
            new ServerOptions
            {
                Config = config,
                ConfigFile = file,
                Auth = auth,
                Database = database with
                {
                    Restriction = config.Restrict,
                    Progress = echo ? null : call.Shell.Error.WriteLine,
                },
                Bind = IPAddress.Parse(config.BindAddr),
                Port = StartFlags.RunPort(call, config),
                PeerEndPoint = PeerEndpoint.Of(config, StartFlags.RunPort(call, config)),
                RunCommand = new PortCommands(file, config.DataDir, call.Shell).RunAsync,
                SocketPath = SocketPlace.For(config.DataDir, call.Shell.Environment),
                Version = Release.Version,
                Clock = call.Shell.Clock,
            },
            LogOf(call, config))
        {
            Errors = call.Shell.Error,
            Echo = echo,
            Service = service,
        }.RunAsync(ready, cancellation).ConfigureAwait(false);
        return ExitCode.Done;
    }

    public static async Task<StopOutcome> StopAsync(Call call, string dataDirectory, CancellationToken cancellation) =>
        await ServerStop.RunAsync(
            dataDirectory, call.Get(Timeout) ?? ServerStop.TimeoutDefault, call.NoteAsync, call.Shell.Clock, cancellation).ConfigureAwait(false);

    static LogSettings LogOf(Call call, ServerConfig config) =>
        LogSettings.Of(config.DataDir, call.Shell.Environment, call.Shell.WorkingDirectory);

    /// <summary>Only for a server that is ready: options that no server could be started with are not kept.</summary>
    static async Task KeepAsync(Call call, ConfigFile file, CancellationToken cancellation)
    {
        var keepDirectory = call.Has(GlobalOptions.DataDir);
        if (keepDirectory && OtherStoreOf(file) is { } other)
        {
            keepDirectory = false;
            await call.NoteAsync(
                $"The data directory {file.Config.DataDir} holds for this run: {file.Path} stays with {other}, which holds a store. " +
                $"`dbx config --data-dir {file.Config.DataDir}` changes that.").ConfigureAwait(false);
        }

        // Nothing is written that was not asked for: all settings may come from the environment, and the file be read-only.
        if (!StartFlags.NameSettings(call) && !keepDirectory)
            return;
        var asked = false;
        try
        {
            await file.UpdateAsync(
                before =>
                {
                    var after = StartFlags.Over(call, before);
                    if (keepDirectory)
                        after = after with { DataDir = file.Config.DataDir };
                    asked = after != before;
                    return after;
                }, cancellation).ConfigureAwait(false);
        }
        catch (Exception unwritten) when (unwritten is IOException or UnauthorizedAccessException or ConfigException)
        {
            await call.NoteAsync($"The server runs, but its options were not kept for the next start: {unwritten.Message}").ConfigureAwait(false);
            return;
        }

        if (asked)
            await call.NoteAsync($"Configuration saved to {file.Path}").ConfigureAwait(false);
    }

    /// <summary>A store that the configuration is that of, other than this run's; null where there is none.</summary>
    static string? OtherStoreOf(ConfigFile file) =>
        ((string[])[file.SavedDataDir, file.ConfiguredDataDir]).FirstOrDefault(
            directory => Path.TrimEndingDirectorySeparator(directory) != Path.TrimEndingDirectorySeparator(file.Config.DataDir) && Database.ExistsIn(directory));

    static ExitCode Ended(int code, LogSettings log)
    {
        // It has said itself what was wrong, unless it was killed or crashed.
        if (code is > 0 and <= (int)ExitCode.Refused)
            return (ExitCode)code;
        throw new DaemonException(FormattableString.Invariant(
            $"The server process ended before it was ready, with exit code {code}. {log.File} may say more; so does `dbx start --foreground`."));
    }

    static string Json(ServerReady ready) => new JsonText().BeginObject()
        .Member("running", true)
        .Member("pid", (long)ready.Pid)
        .Member("port", (long)ready.Port)
        .Member("started_at", ready.StartedAt)
        .Member("restriction", ready.Restriction)
        .Member("data_dir", ready.DataDir)
        .Member("log_file", ready.LogFile)
        .Member("tls_certificate", ready.Certificate)
        .Member("tls_fingerprint", ready.Fingerprint)
        .EndObject().ToString();
}
