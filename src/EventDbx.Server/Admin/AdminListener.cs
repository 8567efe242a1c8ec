using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Admin;

/// <summary>The listener of the Admin API, where it has one of its own: opened, moved and closed while the server runs.</summary>
/// <remarks>Used by one thread at a time; <see cref="Address"/> by any.</remarks>
/// <param name="options">Of the server.</param>
/// <param name="answer">Answers a request.</param>
/// <param name="guard">What every connection passes before its first request, TLS included.</param>
/// <param name="encrypted">Whether that is TLS.</param>
internal sealed class AdminListener(ServerOptions options, RequestDelegate answer, Action<ListenOptions, PriorKnowledge> guard, bool encrypted) : IAsyncDisposable
{
    /// <summary>How long requests under way may take when it closes.</summary>
    static readonly TimeSpan CloseDeadline = TimeSpan.FromSeconds(5);

    WebApplication? _app;
    volatile IPEndPoint? _at;
    IPEndPoint? _failed;
    IPEndPoint? _withheld;

    /// <summary>Such as <c>http://127.0.0.1:7171</c>; null while it is closed.</summary>
    public string? Address => _at is { } at ? $"{(encrypted ? "https" : "http")}://{at}" : null;

    /// <summary>Whether others than this machine can reach it, and read along.</summary>
    public bool Exposed => _at is { } at && !encrypted && !IPAddress.IsLoopback(at.Address);

    /// <summary>Opens it for the first time.</summary>
    /// <exception cref="DaemonException">The address cannot be listened on.</exception>
    public async Task OpenAsync(ServerConfig config)
    {
        if (Wanted(config) is not { } wanted)
            return;
        if (await TryOpenAsync(wanted).ConfigureAwait(false) is { } cause)
        {
            throw new DaemonException(
                $"The Admin API cannot listen on {wanted}: {cause.GetBaseException().Message}. Another program may have the port; " +
                "`dbx config --admin-port PORT` chooses another one, `--admin-enabled false` does without.", cause);
        }
    }

    /// <summary>Brings it to where the settings want it. What cannot be opened is logged, and tried again at the next call.</summary>
    public async Task FollowAsync(ServerConfig config)
    {
        var wanted = Wanted(config);
        if (Equals(wanted, _at))
            return;
        await CloseAsync().ConfigureAwait(false);
        if (wanted is null)
            _failed = null;
        else if (await TryOpenAsync(wanted).ConfigureAwait(false) is not { } cause)
            _failed = null;
        else if (!wanted.Equals(_failed))
            Log(LogLevel.Error, $"The Admin API cannot listen on {_failed = wanted}: {cause.GetBaseException().Message}. It is tried again.");
    }

    public async ValueTask DisposeAsync() => await CloseAsync().ConfigureAwait(false);

    /// <summary>Where it is to listen. Not in clear text for others to read along where the settings ask for TLS: they wait for the next start.</summary>
    IPEndPoint? Wanted(ServerConfig config)
    {
        var at = config is { AdminEnabled: true, AdminPort: > 0 } ? new IPEndPoint(IPAddress.Parse(config.AdminBindAddr), config.AdminPort) : null;
        if (at is null || encrypted || !config.TlsEnabled || IPAddress.IsLoopback(at.Address))
        {
            _withheld = null;
            return at;
        }

        if (!at.Equals(_withheld))
            Log(LogLevel.Warning, $"{StartCheck.AdminWithheld(_withheld = at)}");
        return null;
    }

    async Task<Exception?> TryOpenAsync(IPEndPoint wanted)
    {
        var app = Build(wanted);
        try
        {
            await app.StartAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is IOException or SocketException)
        {
            await app.DisposeAsync().ConfigureAwait(false);
            return cause;
        }

        (_app, _at) = (app, wanted);
        Log(LogLevel.Information, $"the Admin API listens on {Address}");
        if (Exposed)
            Log(LogLevel.Warning, StartCheck.AdminInClear(wanted.Address.ToString()));
        return null;
    }

    async Task CloseAsync()
    {
        if (_app is not { } app)
            return;
        var address = Address;
        _app = null;
        try
        {
            using var late = new CancellationTokenSource(CloseDeadline, options.Clock);
            await app.StopAsync(late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Those who were still at it are cut off now.
        }
        finally
        {
            await app.DisposeAsync().ConfigureAwait(false);
            _at = null;
        }

        Log(LogLevel.Information, $"the Admin API no longer listens on {address}");
    }

    WebApplication Build(IPEndPoint at)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        var http2 = new PriorKnowledge();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            ServerHost.SetLimits(kestrel.Limits);
            options.ChangeLimits?.Invoke(kestrel.Limits);
            ServerHost.TakeAnswerRate(kestrel.Limits);
            kestrel.AddServerHeader = false;
            http2.Configure(kestrel);
            kestrel.Listen(at, listen => guard(listen, http2));
        });
        http2.Configure(builder.Services);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.Services.AddSingleton<IHostLifetime, ServerHost.NoSignals>();
        if (options.Log is { } log)
            builder.Logging.AddProvider(new FrameworkLog(log, options.Clock));
        var app = builder.Build();
        app.Run(answer);
        return app;
    }

    void Log(LogLevel level, string message) => options.Log?.Invoke(new(Timestamp.From(options.Clock.GetUtcNow()), level, "admin", message));
}
