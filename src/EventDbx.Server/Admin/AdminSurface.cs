using System.Net;
using System.Security.Cryptography;
using EventDbx.Access;
using EventDbx.Server.Configuration;
using EventDbx.Server.Connections;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Admin;

/// <summary>The Admin API while the server runs: who holds its key, where it listens, and what the log learns of changed settings.</summary>
internal sealed class AdminSurface : IAsyncDisposable
{
    readonly ServerOptions _options;
    readonly Database _database;
    readonly MasterKeyGate _gate;
    readonly SettingsRecord _record;
    readonly AdminListener _listener;
    readonly SemaphoreSlim _changing = new(1, 1);
    readonly CancellationTokenSource _stop = new();
    Task _following = Task.CompletedTask;
    Session? _session;
    volatile ServerConfig _last;
    /// <summary>The settings of the file that were looked at last, whatever stood above them at the start.</summary>
    ServerConfig? _noted;

    string? _notNoted;

    /// <param name="options">Of the server.</param>
    /// <param name="database">Open.</param>
    /// <param name="answer">Answers the requests of its listener.</param>
    /// <param name="guard">What every connection to its listener passes before its first request, TLS included.</param>
    /// <param name="encrypted">Whether that is TLS.</param>
    public AdminSurface(ServerOptions options, Database database, RequestDelegate answer, Action<ListenOptions, PriorKnowledge> guard, bool encrypted)
    {
        (_options, _database, _last) = (options, database, options.Config);
        Settings = new(options);
        Surroundings = new()
        {
            Database = database, DataDirectory = options.Database.Directory, Settings = LastSettings, Clock = options.Clock, Log = options.Log,
            Jitter = static () => RandomNumberGenerator.GetInt32(int.MaxValue) / (double)int.MaxValue,
        };
        Plugins = new(Surroundings);
        _gate = new(options.Clock, options.Log);
        _record = new(database);
        _listener = new(options, answer, guard, encrypted);
    }

    public LiveSettings Settings { get; }

    /// <summary>What plugins work with here.</summary>
    public PluginSurroundings Surroundings { get; }

    public PluginBook Plugins { get; }

    /// <summary>Where it listens by itself; null: nowhere.</summary>
    public string? Address => _listener.Address;

    /// <summary>Whether others than this machine can reach that, and read along.</summary>
    public bool Exposed => _listener.Exposed;

    /// <summary>Opens its listener, if it is to have one, and follows the settings from then on.</summary>
    /// <exception cref="Daemon.DaemonException">The address cannot be listened on.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        var config = SettingsAtStart();
        await NoteAsync(config, atStart: true, cancellation).ConfigureAwait(false);
        await _listener.OpenAsync(config).ConfigureAwait(false);
        if (Settings.File is not null)
            _following = FollowAsync(_stop.Token);
    }

    /// <summary>Those in force; while they cannot be read, those that were: what goes out goes on.</summary>
    ServerConfig LastSettings() => _last = Settings.TryRead() ?? _last;

    /// <summary>Whether a key opens this door now: <c>admin.port</c> says which one the key is for.</summary>
    public bool KeyOpens(Door door) => Settings.Read() is { AdminEnabled: true } config && IsFor(config, door);

    /// <summary>The session of whoever has the master key.</summary>
    /// <exception cref="RefusedException">It is not that, the Admin API is off or elsewhere, or it was not looked at.</exception>
    public async ValueTask<Session> AdmitAsync(string key, Door door, IPAddress? from, CancellationToken cancellation)
    {
        var config = Settings.Read();
        await _gate.AdmitAsync(config.AdminEnabled && IsFor(config, door) ? config.AdminMasterKeyHash : null, key, from, cancellation).ConfigureAwait(false);
        return _session ??= _database.OpenSession(new Actor("admin", "admin"));
    }

    /// <summary>Changes the peers in the configuration, with an entry in the log. One change after the other.</summary>
    /// <param name="change">The change.</param>
    /// <param name="cancellation">Ends the wait for those before it.</param>
    /// <returns>What the change returns.</returns>
    public async Task<T> ChangePeersAsync<T>(Func<PeerSettings, Task<T>> change, CancellationToken cancellation)
    {
        var file = Settings.File ?? throw new RefusedException(new Refusal(
            RefusalCode.Unavailable, "This server has no configuration file, and so no place for remotes.") { Final = true });
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await change(new(file, (config, setting) => Accept(config, setting))).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Replaces the signing secret, which has an entry of its own: it is no change of the settings besides.</summary>
    public async Task<SecretRotation> RotateSecretAsync(TokenAuthority tokens, Session by, TimeSpan overlap, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var rotation = await tokens.RotateSecretAsync(by, overlap, cancellation).ConfigureAwait(false);
            if (Settings.File is not null && Settings.TryRead() is { } now)
                Accept(now, "auth.secret", "auth.key_id", "auth.previous_secret", "auth.previous_key_id", "auth.previous_until");
            return rotation;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>What is not noted down now, the next comparison finds, and an entry says it once more.</summary>
    void Accept(ServerConfig config, params IEnumerable<string> names)
    {
        try
        {
            _record.Accept(config, names);
        }
        catch (Exception unwritten) when (unwritten is RefusedException or IOException or UnauthorizedAccessException)
        {
            _options.Log?.Invoke(new(Timestamp.From(_options.Clock.GetUtcNow()), LogLevel.Error, "admin", $"{SettingsRecord.DocumentName} could not be changed: {unwritten.Message}"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _following.ConfigureAwait(false);
        await _listener.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
        Plugins.Dispose();
        _changing.Dispose();
    }

    static bool IsFor(ServerConfig config, Door door) => door == Door.Admin ? config.AdminPort > 0 : door == Door.Main && config.AdminPort == 0;

    /// <summary>Those of the file, and above them what the command line of this start has set.</summary>
    ServerConfig SettingsAtStart()
    {
        if (Settings.File is not { } file || Settings.TryRead() is not { } now)
            return _options.Config;
        foreach (var key in ConfigKeys.All)
        {
            if (!key.FileOnly && key.Get(_options.Config) is { } given && !Equals(given, key.Get(file.Config)))
                now = key.Set(now, new(given, IsText: false));
        }

        return now;
    }

    async Task FollowAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(ServerLimits.SettingsInterval, _options.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false))
            {
                if (Settings.TryRead() is not { } config)
                    continue;
                await _listener.FollowAsync(config).ConfigureAwait(false);
                if (!ReferenceEquals(config, _noted))
                    await NoteAsync(config, atStart: false, stop).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    /// <summary>Where the log takes no entry, the server goes on, says so, and tries again.</summary>
    async Task NoteAsync(ServerConfig config, bool atStart, CancellationToken cancellation)
    {
        if (Settings.File is null)
            return;
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // Read again: a change of a remote may have come between, and has its own entry.
            var seen = Settings.TryRead() ?? config;
            await _record.NoteAsync(atStart ? config : seen, _database.OpenSession(new Actor("server", "server")).From("server"), cancellation).ConfigureAwait(false);
            (_noted, _notNoted) = (seen, null);
        }
        catch (Exception cause) when (cause is RefusedException or IOException or UnauthorizedAccessException)
        {
            if (_notNoted != cause.Message)
                _options.Log?.Invoke(new(Timestamp.From(_options.Clock.GetUtcNow()), LogLevel.Error, "admin", $"Settings have changed, and the log could not take the entry about it: {cause.Message}"));
            _notNoted = cause.Message;
        }
        finally
        {
            _changing.Release();
        }
    }
}
