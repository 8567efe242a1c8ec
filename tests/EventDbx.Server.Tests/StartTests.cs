using System.Net;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tests;

public sealed class StartTests
{
    [Fact]
    public async Task A_server_answers_health_on_its_port()
    {
        using var directory = new TemporaryDirectory();
        await using var host = await ServerHost.StartAsync(
            new()
            {
                Config = new ServerConfig { DataDir = directory.Path }, Bind = IPAddress.Loopback, Port = 0, Version = "test",
                Database = new() { Directory = directory.Path, Encrypted = false }, SocketPath = directory["dbx.sock"],
            },
            TestContext.Current.CancellationToken);
        using var client = new HttpClient();
        Assert.Equal("{\"status\":\"ok\"}", await client.GetStringAsync(new Uri($"http://127.0.0.1:{host.Port}/health"), TestContext.Current.CancellationToken));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory["dbx.sock"]));
        await host.StopAsync(TimeSpan.FromSeconds(1));
        Assert.False(File.Exists(directory["dbx.sock"]));
        Assert.Empty(Directory.GetDirectories(directory.Path, ".*"));
    }
}
