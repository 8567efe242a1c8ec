using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests;

/// <summary>A server in this process, on the directory and with the settings of a command line.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    readonly ServerHost _host;

    RunningServer(ServerHost host) => _host = host;

    public int Port => _host.Port;

    /// <summary>Of replication.</summary>
    public int PeerPort => _host.PeerPort!.Value;

    public Database Database => _host.Database;

    /// <param name="line">Whose directory and settings.</param>
    /// <param name="environment">Variables of the server alone.</param>
    public static async Task<RunningServer> StartAsync(CommandLine line, IReadOnlyDictionary<string, string>? environment = null)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var file = ConfigFile.Load(
            line.ConfigPath, line.DataDirectory, null, TimeProvider.System,
            environment is null ? null : new(name => environment.GetValueOrDefault(name), line.Directory.Path));
        var choice = await StoreKey.ChooseAsync(file, null, cancellation);
        using var key = choice.Key;
        return new(await ServerHost.StartAsync(
            new()
            {
                Config = file.Config,
                ConfigFile = file,
                Database = new() { Directory = file.Config.DataDir, Key = key, Encrypted = choice.Encrypted, Restriction = file.Config.Restrict, Holder = ServerPresence.Holder },
                Auth = await AuthSettings.EnsureAsync(file, cancellation),
                Bind = IPAddress.Loopback,
                Port = 0,
                PeerEndPoint = new(IPAddress.Loopback, 0),
                SocketPath = SocketPlace.For(file.Config.DataDir, _ => null),
                Version = "test",
            },
            cancellation));
    }

    public Task<IssuedToken> IssueAsync(TokenRequest request) =>
        _host.Tokens.IssueAsync(_host.Database.OpenSession(new("cli", "test")), request, TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _host.DisposeAsync();
}
