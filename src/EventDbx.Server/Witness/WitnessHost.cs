using System.Buffers;
using System.Net;
using EventDbx.Server.Checkpoints;
using EventDbx.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Witness;

/// <summary>How to start a <see cref="WitnessHost"/>.</summary>
public sealed record WitnessOptions
{
    /// <summary>Where the key and the memory of the witness lie; made where it is not there, for its owner only.</summary>
    public required string Directory { get; init; }

    /// <summary>The logs it cosigns for, by their keys; the name of a key is the origin. Several keys of one name are several of one log.</summary>
    public required IReadOnlyList<NoteKey> Logs { get; init; }

    /// <summary>Where to listen; port 0: any that is free.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Told each decision; called from many threads.</summary>
    public Action<string>? Log { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>A witness that runs: <c>POST /add-checkpoint</c> of C2SP tlog-witness, and nothing else.</summary>
/// <remarks>It holds a lock on its directory: two that share one would each cosign what the other contradicts.</remarks>
public sealed class WitnessHost : IAsyncDisposable
{
    /// <summary>The file of its key.</summary>
    public const string KeyFileName = "witness.key";

    const string LockFileName = "witness.lock";
    const string Route = "/add-checkpoint";

    readonly WitnessOptions _options;
    readonly SigningKey _key;
    readonly FileStream _held;
    readonly Dictionary<string, WitnessedLog> _logs;
    readonly WebApplication _app;
    int _port;

    WitnessHost(WitnessOptions options, SigningKey key, FileStream held)
    {
        (_options, _key, _held, _port) = (options, key, held, options.Listen.Port);
        _logs = options.Logs.GroupBy(log => log.Name, StringComparer.Ordinal).ToDictionary(
            log => log.Key, log => new WitnessedLog(log.Key, [.. log], options.Directory, key, options.Clock), StringComparer.Ordinal);
        _app = Build();
    }

    /// <summary>Its public key, as a vkey of algorithm 04.</summary>
    public NoteKey Key => _key.Public;

    /// <summary>The port it really listens on.</summary>
    public int Port => _port;

    /// <summary>The key in a directory; it is made, and on disk, where there is none.</summary>
    /// <param name="directory">Made where it is not there.</param>
    /// <param name="name">Of a key that is made; null: one is made up. Where there is a key it is the name that is expected.</param>
    /// <exception cref="RefusedException">The file is no key, or that of another name.</exception>
    public static SigningKey OpenKey(string directory, string? name)
    {
        PrivateDirectory.Create(directory);
        var key = KeyFile.ReadOrCreate(
            Path.Combine(directory, KeyFileName), NoteAlgorithm.Cosignature,
            () => name ?? $"eventdbx-witness.local/{System.Security.Cryptography.RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        if (name is null || key.Public.Name == name)
            return key;
        var known = key.Public.Name;
        key.Dispose();
        throw new RefusedException(RefusalCode.InvalidArgument, $"The key in {KeyFileName} is that of {known}, not of {name}. A witness keeps its name; another one needs another directory.");
    }

    /// <summary>Opens the directory, then listens. When it returns, requests are answered.</summary>
    /// <param name="options">How.</param>
    /// <param name="name">See <see cref="OpenKey"/>.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="StoreRefusedException">The directory is in use, or what it remembers was changed.</exception>
    /// <exception cref="IOException">The address is taken.</exception>
    public static async Task<WitnessHost> StartAsync(WitnessOptions options, string? name, CancellationToken cancellation)
    {
        var key = OpenKey(options.Directory, name);
        FileStream? held = null;
        WitnessHost? host = null;
        try
        {
            held = Hold(options.Directory);
            host = new WitnessHost(options, key, held);
            await host._app.StartAsync(cancellation).ConfigureAwait(false);
            return host;
        }
        catch
        {
            if (host is not null)
                await host._app.DisposeAsync().ConfigureAwait(false);
            held?.Dispose();
            key.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            await _app.DisposeAsync().ConfigureAwait(false);
            _held.Dispose();
            _key.Dispose();
        }
    }

    /// <summary>Decides about the body of a request.</summary>
    internal WitnessAnswer Add(ReadOnlySpan<byte> body)
    {
        if (!WitnessRequest.TryRead(body, out var request, out var why))
            return WitnessAnswer.Refused(400, why);
        if (!_logs.TryGetValue(request.Origin, out var log))
            return WitnessAnswer.Refused(404, "This witness does not know the log with that origin.");
        var answer = log.Add(request);
        _options.Log?.Invoke(FormattableString.Invariant($"{log.Origin} old={request.OldSize} size={request.Size} root={request.Root} {answer.Status}"));
        return answer;
    }

    /// <summary>Freed by the kernel when the process ends, however it ends.</summary>
    static FileStream Hold(string directory)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = DurableFile.Mode;
        try
        {
            return new FileStream(Path.Combine(directory, LockFileName), options);
        }
        catch (IOException busy) when (busy is not (DirectoryNotFoundException or PathTooLongException))
        {
            throw new StoreRefusedException($"{LockFileName} in the witness's directory is held by another process: a witness with this directory runs already.", busy) { InUse = true };
        }
    }

    WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = WitnessLimits.ConnectionsMax;
            kestrel.Limits.MaxConcurrentUpgradedConnections = 0;
            kestrel.Limits.MaxRequestBodySize = WitnessLimits.RequestBytesMax;
            kestrel.Limits.RequestHeadersTimeout = WitnessLimits.RequestTimeout;
            kestrel.Limits.KeepAliveTimeout = ServerLimits.IdleTimeout;
            kestrel.Listen(_options.Listen, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = endpoint =>
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            _port = ((IPEndPoint)socket.LocalEndPoint!).Port;
            return socket;
        });
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        var app = builder.Build();
        app.Run(AnswerAsync);
        return app;
    }

    async Task AnswerAsync(HttpContext http)
    {
        var answer = !string.Equals(http.Request.Path.Value, Route, StringComparison.Ordinal) ? WitnessAnswer.Refused(404, $"There is nothing here but POST {Route}.")
            : http.Request.Method != "POST" ? WitnessAnswer.Refused(405, $"{Route} takes POST.")
            : await AddAsync(http).ConfigureAwait(false);
        if (answer.Status == 405)
            http.Response.Headers.Allow = "POST";
        var body = Encoding.UTF8.GetBytes(answer.Body);
        http.Response.StatusCode = answer.Status;
        http.Response.ContentType = answer.ContentType;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }

    async Task<WitnessAnswer> AddAsync(HttpContext http)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        late.CancelAfter(WitnessLimits.RequestTimeout);
        var buffer = ArrayPool<byte>.Shared.Rent(WitnessLimits.RequestBytesMax);
        try
        {
            var length = await http.Request.Body.ReadAtLeastAsync(
                buffer.AsMemory(0, WitnessLimits.RequestBytesMax), WitnessLimits.RequestBytesMax, throwOnEndOfStream: false, late.Token).ConfigureAwait(false);
            return Add(buffer.AsSpan(0, length));
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException bad)
        {
            return WitnessAnswer.Refused(bad.StatusCode, $"The request is not one that is read here: {bad.Message}");
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            return WitnessAnswer.Refused(408, "The request came too slowly.");
        }
        catch (Exception unkept) when (unkept is IOException or UnauthorizedAccessException)
        {
            _options.Log?.Invoke($"nothing can be kept, and so nothing is cosigned: {unkept.Message}");
            return WitnessAnswer.Refused(500, "The witness cannot keep what it would say, and so says nothing.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A lifetime that waits for nothing and listens to no signal: those belong to the process.</summary>
    sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
