using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;
using EventDbx.Server.Logs;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Daemon;

/// <summary>A server in this process from its start to its orderly end: log, host, PID file.</summary>
/// <param name="Options">How the host is started; its log is ours.</param>
/// <param name="Log">Where the log lies, and how much it says.</param>
public sealed record ServerRun(ServerOptions Options, LogSettings Log)
{
    /// <summary>How long requests under way may take once a stop is asked for; then they are cut off.</summary>
    public static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(10);

    /// <summary>Standard error.</summary>
    public required TextWriter Errors { get; init; }

    /// <summary>Whether the log goes to standard error, too.</summary>
    public bool Echo { get; init; }

    /// <summary>The service manager that is told how the server is; null: nobody is.</summary>
    public ServiceNotice? Service { get; init; }

    string Directory => Path.GetFullPath(Options.Database.Directory);

    /// <summary>Runs until <paramref name="stop"/>.</summary>
    /// <param name="ready">Told once, when requests are answered.</param>
    /// <param name="stop">Ends it; what was under way is finished first.</param>
    /// <exception cref="StoreRefusedException">The directory was not opened.</exception>
    /// <exception cref="DaemonException">Another server has the directory, or the address is taken.</exception>
    public async Task RunAsync(Func<ServerReady, Task> ready, CancellationToken stop)
    {
        if (!OperatingSystem.IsWindows())
            Posix.RaiseDescriptors();
        using var log = new ServerLog(Log, Errors, Echo, Options.Clock);
        try
        {
            var host = await StartAsync(log, stop).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
                await ServeAsync(host, log, ready, stop).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            log.Write(LogLevel.Error, "ended by a failure", failure);
            throw;
        }
    }

    async Task<ServerHost> StartAsync(ServerLog log, CancellationToken stop)
    {
        var progress = Options.Database.Progress;
        Service?.Starting();
        var options = Options with
        {
            Log = log.Write,
            LogFrom = Log.Level,
            Database = Options.Database with
            {
                Holder = ServerPresence.Holder,
                Progress = line =>
                {
                    log.Write(LogLevel.Information, line);
                    Service?.Tell(line);
                    progress?.Invoke(line);
                },
            },
        };
        log.Write(LogLevel.Information, FormattableString.Invariant(
            $"starting version={Options.Version} pid={Environment.ProcessId} data_dir={LogText.Value(Directory)}"));
        try
        {
            return await ServerHost.StartAsync(options, stop).ConfigureAwait(false);
        }
        catch (StoreRefusedException refused) when (refused.InUse && AlreadyRunning(Directory) is { } running)
        {
            throw running;
        }
        catch (Exception refused) when (refused is not DaemonException && IsAboutTheAddress(refused))
        {
            throw new DaemonException(
                $"Port {Options.Port} of {Options.Bind} cannot be listened on: {refused.GetBaseException().Message}. Another program may have it; " +
                "`--port` chooses another one, `--bind` another address.", refused);
        }
    }

    /// <summary>The refusal of a second server; null where there is no first one.</summary>
    public static DaemonException? AlreadyRunning(string dataDirectory) =>
        Database.FindHolder(dataDirectory) is { HeldBy: ServerPresence.Holder } holder
            ? new DaemonException(FormattableString.Invariant($"EventDBX server already running (pid {holder.Pid})"))
            : null;

    async Task ServeAsync(ServerHost host, ServerLog log, Func<ServerReady, Task> ready, CancellationToken stop)
    {
        var status = host.Status();
        var notices = StartNotices.Of(Options.Config, status, host.InClear, host.Admin.Exposed);
        if (host.Database.OpenedWith == KeyAtHand.Retired)
            notices = [.. notices, "The store opens with a retired key, one of data_encryption_keys_retired. `dbx key rotate` gives it the key of now."];
        if (Replication.NodeIdentity.ProblemOf(Replication.NodeIdentity.PathOf(Options.Config, Directory)) is { } problem)
            notices = [.. notices, $"Warning: this node has no key to show to others. {problem}"];
        var own = ProcessIdentity.Own;
        var file = new PidFile(own.Pid, status.StartedAt.ToString(), own.Start, Log.File);
        file.Write(Directory);
        try
        {
            log.Write(LogLevel.Information, FormattableString.Invariant(
                $"ready addresses={string.Join(',', status.Addresses.Select(LogText.Value))} restrict={ConfigKeys.NameOf(status.Restriction)} log_size={status.LogSize}"));
            if (status.Tls is { } tls)
                log.Write(LogLevel.Information, FormattableString.Invariant($"tls certificate={LogText.Value(tls.Certificate)} fingerprint={tls.Fingerprint} not_after={tls.NotAfter}"));
            foreach (var notice in notices)
                log.Write(LogLevel.Warning, notice);
            var answering = ServerReady.Of(status, Log.File, notices);
            await ready(answering).ConfigureAwait(false);
            Service?.Ready(answering.Text);
            await EndOf(stop).ConfigureAwait(false);
            log.Write(LogLevel.Information, "stopping");
            Service?.Stopping();
            await host.StopAsync(StopDeadline).ConfigureAwait(false);
            log.Write(LogLevel.Information, "stopped");
        }
        finally
        {
            file.RemoveOwn(Directory);
        }
    }

    static async Task EndOf(CancellationToken stop)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = stop.Register(ended.SetResult);
        await ended.Task.ConfigureAwait(false);
    }

    static bool IsAboutTheAddress(Exception failure) => failure is SocketException
        || failure.InnerException is AddressInUseException
            or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse or SocketError.AccessDenied or SocketError.AddressNotAvailable };
}
