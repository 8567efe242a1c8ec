using System.Net.Sockets;
using System.Text;

namespace EventDbx.Server.Tests.Rest;

/// <summary>The socket in the data directory, where no token is needed.</summary>
public sealed class SocketTests(RestServer server) : IClassFixture<RestServer>
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    async Task<Reply> SendAsync(string method, string target, string? body = null, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(server.SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri($"http://dbx.sock{target}"));
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await client.SendAsync(request, Cancellation);
        return await Reply.OfAsync(response);
    }

    static string Event(string id) => $$"""{"aggregate_type":"s","aggregate_id":"{{id}}","event_type":"e","payload":null}""";

    [Fact]
    public async Task Without_a_token_it_is_the_owner_by_the_name_it_gives()
    {
        var reply = await SendAsync("POST", "/v1/events", Event("1"), ("X-EventDBX-User", "zoë"));
        Assert.Equal("""{"group":"cli","user":"zoë"}""", reply.Json.GetProperty("metadata").GetProperty("issued_by").GetRawText());
        Assert.Equal(200, (await SendAsync("GET", "/admin/status")).Status);
        Assert.Equal(200, (await SendAsync("GET", "/admin/tokens")).Status);
        Assert.Equal(200, (await SendAsync("GET", "/v1/events?include=control")).Status);
        Assert.Equal(200, (await SendAsync("POST", "/v1/verify")).Status);
    }

    [Fact]
    public async Task Without_a_name_it_is_the_user_of_the_server()
    {
        var reply = await SendAsync("POST", "/v1/events", Event("2"));
        Assert.Equal(Environment.UserName, reply.Json.GetProperty("metadata").GetProperty("issued_by").GetProperty("user").GetString());
    }

    [Fact]
    public async Task A_name_that_is_none_is_refused()
    {
        var reply = await SendAsync("POST", "/v1/events", Event("3"), ("X-EventDBX-User", new string('x', 257)));
        Assert.Equal((400, "invalid_name"), (reply.Status, reply.Code));
    }

    [Fact]
    public async Task With_a_token_it_is_that_token()
    {
        var token = await server.TokenForAsync("aggregate.append", "aggregate:s:*");
        (string, string) bearer = ("Authorization", $"Bearer {token}");
        var reply = await SendAsync("POST", "/v1/events", Event("4"), bearer, ("X-EventDBX-User", "root"));
        Assert.Equal("""{"group":"team","user":"kim"}""", reply.Json.GetProperty("metadata").GetProperty("issued_by").GetRawText());
        Assert.Equal("permission_denied", (await SendAsync("GET", "/admin/status", null, bearer)).Code);
        Assert.Equal("permission_denied", (await SendAsync("POST", "/v1/verify", null, bearer)).Code);
        Assert.Equal("unauthenticated", (await SendAsync("GET", "/v1/aggregates", null, ("Authorization", "Bearer nonsense"))).Code);
    }

    [Fact]
    public async Task Only_its_owner_can_open_it_and_an_old_one_is_replaced()
    {
        if (OperatingSystem.IsWindows())
            return;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(server.SocketPath));
        using var directory = new TemporaryDirectory();
        using (var old = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            old.Bind(new UnixDomainSocketEndPoint(directory["a.sock"]));
            // A killed server leaves its file behind.
            File.Move(directory["a.sock"], directory["dbx.sock"]);
        }

        await using var host = await ServerHost.StartAsync(
            new()
            {
                Config = new() { DataDir = directory.Path }, Auth = RestServer.Auth, Version = "x", Bind = System.Net.IPAddress.Loopback, Port = 0,
                Database = new() { Directory = directory.Path, Encrypted = false }, SocketPath = directory["dbx.sock"],
            },
            Cancellation);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(directory["dbx.sock"]), Cancellation);
        Assert.Equal(directory["dbx.sock"], Database.FindHolder(directory.Path)?.Socket);
        Assert.Empty(Directory.GetDirectories(directory.Path, ".*"));
    }
}
