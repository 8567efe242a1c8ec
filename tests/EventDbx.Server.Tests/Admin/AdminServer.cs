using System.Net;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Admin;

/// <summary>A server whose settings a test changes while it runs, as <c>dbx config</c> does, and its Admin API.</summary>
public sealed class AdminServer : IAsyncLifetime
{
    /// <summary>Cheap to check: what a check costs is another test's business.</summary>
    internal static string HashOf(string key) => MasterKeyHash.Of(key, "0123456789abcdef"u8, memoryKib: 64, passes: 1);

    readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, MaxConnectionsPerServer = 256 });

    public AdminServer() => Server = new(options => options with { WrapEngine = engine => new Troubled(engine, Troubles) });

    /// <summary>What befalls its store.</summary>
    internal Troubles Troubles { get; } = new();

    internal RestServer Server { get; }

    public ServerHost Host => Server.Host;

    /// <summary>A port that was free a moment ago.</summary>
    public int AdminPort { get; } = FreePort.Take();

    public ValueTask InitializeAsync() => Server.InitializeAsync();

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return Server.DisposeAsync();
    }

    public ServerConfig Saved => File().Config;

    /// <summary>Changes the file, as another process does.</summary>
    public Task<ServerConfig> SetAsync(Func<ServerConfig, ServerConfig> change) => File().UpdateAsync(change, TestContext.Current.CancellationToken);

    /// <summary>Enables the Admin API on its own port, or on the main one, with a key, and waits until it listens.</summary>
    public async Task EnableAsync(string key, bool shared = false)
    {
        await SetAsync(config => config with { AdminEnabled = true, AdminPort = shared ? 0 : AdminPort, AdminMasterKeyHash = HashOf(key) });
        await UntilAsync(() => shared || Host.Admin.Address is not null);
    }

    /// <summary>Waits for what the server does by itself.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(10), late.Token);
    }

    /// <summary>Asks on the admin port, by key.</summary>
    public Task<Reply> AskAsync(string method, string target, string? body = null, string? key = "key") => AskAsync(AdminPort, method, target, body, key is null ? [] : [("X-Admin-Key", key)]);

    public async Task<Reply> AskAsync(int port, string method, string target, string? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(method), new Uri($"http://127.0.0.1:{port}{target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return await Reply.OfAsync(response);
    }

    /// <summary>The newest control entries of a kind, oldest first.</summary>
    public IReadOnlyList<ControlRecord> Entries(params string[] kinds) => Server.Owner.ReadAudit(0, 1000, new() { Kinds = kinds }).Items;

    /// <summary>Whether anybody listens there.</summary>
    public static async Task<bool> ListensAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    ConfigFile File() => ConfigFile.Load(Server.ConfigPath, Path.GetDirectoryName(Server.ConfigPath)!, Server.DataDir, TimeProvider.System);
}
