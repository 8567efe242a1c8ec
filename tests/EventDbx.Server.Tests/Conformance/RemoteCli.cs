using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>A command line on a machine where there is nothing of EventDBX: all it has is the address of a server, and a token.</summary>
internal sealed class RemoteCli : IAsyncDisposable
{
    readonly CommandLine _owner;

    RemoteCli(CommandLine owner, RunningServer server) => (_owner, Server) = (owner, server);

    public RunningServer Server { get; }

    /// <summary>The command line of the server's machine.</summary>
    public CommandLine Owner => _owner;

    /// <summary>The one elsewhere: <c>EVENTDBX_SERVER</c> and <c>EVENTDBX_TOKEN</c> are set.</summary>
    public CommandLine Line { get; } = new();

    /// <summary>Whether anything came to lie on the machine of <see cref="Line"/>.</summary>
    public bool LeftNothing => !Directory.Exists(Line.DataDirectory);

    /// <param name="change">Changes the settings of the server.</param>
    public static async Task<RemoteCli> StartAsync(Func<ServerConfig, ServerConfig>? change = null)
    {
        var owner = new CommandLine();
        await owner.RunAsync("config", "--encryption", "off");
        if (change is not null)
            await ConfigFile.Load(owner.ConfigPath, owner.DataDirectory, null, TimeProvider.System).UpdateAsync(change, TestContext.Current.CancellationToken);
        var cli = new RemoteCli(owner, await RunningServer.StartAsync(owner));
        cli.Line.Environment["EVENTDBX_SERVER"] = $"http://127.0.0.1:{cli.Server.Port}";
        // The actor that the owner is, so that both say the same.
        cli.Line.Environment["EVENTDBX_TOKEN"] =
            (await cli.Server.IssueAsync(new() { Group = "cli", User = Environment.UserName, Root = true, IssuedBy = "test", TtlSeconds = 0 })).Token;
        return cli;
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _owner.Dispose();
        Line.Dispose();
    }
}
