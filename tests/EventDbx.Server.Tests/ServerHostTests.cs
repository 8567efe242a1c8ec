using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests;

public sealed class ServerHostTests
{
    [Fact]
    public async Task A_server_answers_health_on_its_port_and_leaves_nothing_behind()
    {
        await using var server = new RestServer();
        await server.InitializeAsync();
        Assert.Equal("{\"status\":\"ok\"}", (await server.GetAsync("/health", token: null)).Body);
        Assert.Equal("{\"status\":\"ready\"}", (await server.GetAsync("/ready", token: null)).Body);
        await server.Host.StopAsync(TimeSpan.FromSeconds(1));
        Assert.False(File.Exists(server.SocketPath));
        Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(server.SocketPath)!, ".*"));
        Assert.Null(Database.FindHolder(server.DataDir));
    }
}
