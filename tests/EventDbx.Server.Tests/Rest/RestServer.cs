using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace EventDbx.Server.Tests.Rest;

/// <summary>A server on a port of its own, over a store of its own, with a clock that a test may move.</summary>
public class RestServer : IAsyncLifetime
{
    readonly TemporaryDirectory _directory = new();
    readonly HttpClient _client;
    readonly Func<DatabaseOptions, DatabaseOptions> _change;
    readonly Action<KestrelServerLimits>? _limits;

    public RestServer() : this(static options => options) { }

    internal RestServer(Func<DatabaseOptions, DatabaseOptions> change, Action<KestrelServerLimits>? limits = null)
    {
        (_change, _limits) = (change, limits);
        _client = new(new SocketsHttpHandler
        {
            UseProxy = false, AllowAutoRedirect = false, MaxConnectionsPerServer = 256,
            SslOptions = new() { RemoteCertificateValidationCallback = IsOurs },
        });
    }

    /// <summary>Of HTTP, in which requests are sent; no other will do.</summary>
    public Version Version { get; protected init; } = HttpVersion.Version11;

    /// <summary>What a test starts the server with besides.</summary>
    internal Func<ServerOptions, ServerOptions> ChangeOptions { get; init; } = static options => options;

    public ServerHost Host { get; private set; } = null!;

    public MovableClock Clock { get; } = new();

    /// <summary>A root token.</summary>
    public string Root { get; private set; } = "";

    public string SocketPath => _directory["dbx.sock"];

    public string DataDir => _directory["data"];

    public List<LogLine> Lines { get; } = [];

    internal AuthSettings Settings { get; init; } = Auth;

    public static AuthSettings Auth { get; } = new(
        [.. Enumerable.Range(0, 32).Select(i => (byte)i)], "key-1", "eventdbx://self", "eventdbx-clients", TimeSpan.FromHours(1), TimeSpan.FromSeconds(30));

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        Root = await IssueAsync(new() { Group = "ops", User = "root", Root = true, TtlSeconds = 0 });
    }

    public string ConfigPath => _directory["config.toml"];

    public async Task StartAsync()
    {
        if (!File.Exists(ConfigPath))
            await File.WriteAllTextAsync(ConfigPath, "page_limit = 50\n", TestContext.Current.CancellationToken);
        var file = ConfigFile.Load(ConfigPath, _directory.Path, DataDir, Clock);
        Host = await ServerHost.StartAsync(ChangeOptions(OptionsOf(file)), TestContext.Current.CancellationToken);
    }

    ServerOptions OptionsOf(ConfigFile file) => new()
    {
        Config = file.Config, ConfigFile = file, Auth = Settings, Bind = IPAddress.Loopback, Port = 0, Version = "2.1.0-test",
        Database = _change(new() { Directory = DataDir, Encrypted = false, Clock = Clock }), SocketPath = SocketPath, Clock = Clock,
        Log = line =>
        {
            lock (Lines)
                Lines.Add(line);
        },
        ChangeLimits = _limits,
        LogFrom = Microsoft.Extensions.Logging.LogLevel.Debug,
    };

    /// <summary>The owner's session, in process.</summary>
    public Session Owner => Host.Database.OpenSession(new Actor("cli", "owner"));

    public async Task<string> IssueAsync(TokenRequest request) => (await Host.Tokens.IssueAsync(Owner, request, CancellationToken.None)).Token;

    /// <summary>A token with these actions on these resources.</summary>
    public Task<string> TokenForAsync(string action, params string[] resources) =>
        IssueAsync(new() { Group = "team", User = "kim", Actions = [action], Resources = resources, TtlSeconds = 0 });

    /// <summary>A client with a connection of its own that speaks this version alone, with the root token.</summary>
    public HttpClient ClientOf(Version version)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, SslOptions = new() { RemoteCertificateValidationCallback = IsOurs } })
        {
            BaseAddress = new($"{(Host.Status().Tls is null ? "http" : "https")}://127.0.0.1:{Host.Port}"), DefaultRequestVersion = version, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        client.DefaultRequestHeaders.Authorization = new("Bearer", Root);
        return client;
    }

    /// <summary>Sends exactly this target, with the root token unless told otherwise.</summary>
    public async Task<Reply> SendAsync(
        string method, string target, string? body = null, string? token = "root", string contentType = "application/json", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(method),
            new Uri($"{(Host.Status().Tls is null ? "http" : "https")}://127.0.0.1:{Host.Port}{target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }))
        {
            Version = Version, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            if (contentType.Length > 0)
                request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }

        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {(token == "root" ? Root : token)}");
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return await Reply.OfAsync(response);
    }

    public Task<Reply> GetAsync(string target, string? token = "root") => SendAsync("GET", target, token: token);

    public Task<Reply> PostAsync(string target, string body, params (string Name, string Value)[] headers) => SendAsync("POST", target, body, headers: headers);

    /// <summary>Appends one event and asserts that it was taken.</summary>
    public async Task<Reply> AppendAsync(string type, string id, string eventType, string payload)
    {
        var reply = await PostAsync(
            "/v1/events",
            $$"""{"aggregate_type":{{JsonSerializer.Serialize(type)}},"aggregate_id":{{JsonSerializer.Serialize(id)}},"event_type":"{{eventType}}","payload":{{payload}}}""");
        Assert.Equal(200, reply.Status);
        return reply;
    }

    /// <summary>A connection on which a test says what it likes.</summary>
    public async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendBufferSize = 64 * 1024 };
        await socket.ConnectAsync(IPAddress.Loopback, Host.Port, TestContext.Current.CancellationToken);
        return new(socket, ownsSocket: true);
    }

    /// <summary>The same, in whatever the server speaks there.</summary>
    public async Task<Stream> ConnectAsSpokenAsync()
    {
        var stream = await ConnectAsync();
        if (Host.Status().Tls is null)
            return stream;
        var secured = new SslStream(stream, leaveInnerStreamOpen: false, IsOurs);
        await secured.AuthenticateAsClientAsync("localhost");
        return secured;
    }

    /// <summary>Whether a certificate is the one that the server says it has.</summary>
    internal bool IsOurs(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate is not null && $"sha256:{Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()))}" == Host.Status().Tls?.Fingerprint;

    /// <summary>Sends these bytes and reads until the server closes; the request says so.</summary>
    public async Task<string> SayAsync(string request)
    {
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
        return await ReadToEndAsync(stream);
    }

    public static async Task<string> ReadToEndAsync(Stream stream)
    {
        using var said = new MemoryStream();
        try
        {
            await stream.CopyToAsync(said, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // Cut off; what came before it came.
        }

        return Encoding.UTF8.GetString(said.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _client.Dispose();
        if (Host is not null)
            await Host.DisposeAsync();
        _directory.Dispose();
    }
}

/// <summary>An answer, whole.</summary>
public sealed record Reply(int Status, string Body, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string? this[string header] => Headers.GetValueOrDefault(header);

    /// <summary>The <c>code</c> of an error, whose shape is checked on the way.</summary>
    public string Code
    {
        get
        {
            Assert.Equal("application/json", this["Content-Type"]);
            var names = Json.EnumerateObject().Select(member => member.Name).ToArray();
            Assert.Equal(["code", "message", "retryable"], names.Take(3));
            Assert.True(names.Skip(3).All(name => name is "actual_version" or "operation" or "details"), Body);
            Assert.NotEmpty(Json.GetProperty("message").GetString()!);
            // What is unavailable may come back by itself (a stop) or not (a writer that has stopped).
            if (Json.GetProperty("code").GetString() is not "unavailable" and var code)
                Assert.Equal(code is "overloaded" or "request_timeout" or "too_many_requests", Json.GetProperty("retryable").GetBoolean());
            return Json.GetProperty("code").GetString()!;
        }
    }

    public static async Task<Reply> OfAsync(HttpResponseMessage response)
    {
        var headers = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
        return new((int)response.StatusCode, await response.Content.ReadAsStringAsync(), headers);
    }
}

/// <summary>The system's clock, moved forward.</summary>
public sealed class MovableClock : TimeProvider
{
    long _forward;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Volatile.Read(ref _forward));

    public void Advance(TimeSpan time) => Interlocked.Add(ref _forward, time.Ticks);
}
