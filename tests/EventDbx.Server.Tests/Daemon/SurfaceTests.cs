using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>What is switched off is not served, and what is not served is said.</summary>
public sealed class SurfaceTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory, InlineData(true, HttpStatusCode.OK), InlineData(false, HttpStatusCode.NotFound)]
    public async Task REST_that_is_switched_off_serves_no_data_to_others_and_health_and_commands_all_the_same(bool rest, HttpStatusCode expected)
    {
        await using var host = await ServerHost.StartAsync(
            new()
            {
                Config = new ServerConfig { DataDir = _directory.Path, ApiRest = rest }, Bind = IPAddress.Loopback, Port = 0, Version = "test",
                Auth = new(new byte[32], "k", "eventdbx://self", "eventdbx-clients", TimeSpan.FromHours(1), TimeSpan.Zero),
                Database = new() { Directory = _directory.Path, Encrypted = false }, SocketPath = _directory["dbx.sock"],
            },
            TestContext.Current.CancellationToken);
        var token = await host.Tokens.IssueAsync(
            host.Database.OpenSession(new Actor("cli", "owner")), new() { Group = "g", User = "u", Root = true, TtlSeconds = 0 }, CancellationToken.None);
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{host.Port}") };
        client.DefaultRequestHeaders.Authorization = new("Bearer", token.Token);

        Assert.Equal(expected, await StatusOfAsync(client, "/v1/aggregates"));
        Assert.Equal(HttpStatusCode.OK, await StatusOfAsync(client, "/health"));
        Assert.Equal(host.Port, (await StatusQuery.AskAsync(_directory["dbx.sock"], "kim", TestContext.Current.CancellationToken)).Port);
    }

    [Fact]
    public async Task A_socket_that_nobody_listens_on_is_named()
    {
        var refused = await Assert.ThrowsAsync<DaemonException>(
            () => StatusQuery.AskAsync(_directory["dbx.sock"], "kim", TestContext.Current.CancellationToken));

        Assert.StartsWith(_directory["dbx.sock"] + ": ", refused.Message, StringComparison.Ordinal);
    }

    static async Task<HttpStatusCode> StatusOfAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
