using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Rest;
using EventDbx.Server.Tests.Tokens;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Every route of the table, by every door, with every kind of token there is. A new route is in it without a line here.</summary>
public sealed class CredentialMatrixTests
{
    static readonly IReadOnlyList<RestRoute> Closed = [.. RestRoutes.All.Where(route => !route.Access.IsOpen && !route.Access.IsPage)];

    [Fact]
    public async Task Every_route_refuses_every_token_that_is_not_good_by_every_door()
    {
        await using var bench = await Bench.StartAsync(TimeSpan.FromHours(-1), CraftedTokens.Refused);
        var server = bench.Server;
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        var size = server.Host.Database.LogSize;

        foreach (var route in Closed)
        {
            var row = CredentialTests.Table[CredentialTests.KeyOf(route)];
            foreach (var crafted in bench.Tokens)
            {
                // Without a token the socket is the owner's: it is what it is for.
                foreach (var door in crafted.Token is null ? (Door[])[Door.Main] : [Door.Main, Door.Socket])
                {
                    var reply = await bench.SendAsync(door, route.Method, row.Target, BodyOf(route, row), crafted.Token);
                    Assert.True(
                        reply.Status == 401 && reply.Code == "unauthenticated",
                        $"{CredentialTests.KeyOf(route)} by the door {door} with a token that is {crafted.Name}: {reply.Status} {reply.Body}");
                    if (crafted.Token is { Length: > 20 } token)
                        Assert.DoesNotContain(token[^20..], reply.Body, StringComparison.Ordinal);
                }
            }
        }

        Assert.Equal(size, server.Host.Database.LogSize);
    }

    [Fact]
    public async Task A_token_of_the_old_secret_opens_every_route_while_it_overlaps_and_none_after()
    {
        await using var bench = await Bench.StartAsync(TimeSpan.FromHours(1), (auth, now) => [CraftedTokens.OfOldSecret(auth, now), CraftedTokens.Good(auth, now)]);
        var server = bench.Server;
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        foreach (var crafted in bench.Tokens)
        {
            foreach (var route in Closed)
                Assert.NotEqual(401, (await bench.RunAsync(route, crafted.Token!)).Status);
        }

        server.Clock.Advance(TimeSpan.FromHours(1));

        foreach (var route in Closed)
        {
            var refused = await bench.RunAsync(route, bench.Tokens[0].Token!);
            Assert.Equal((401, "unauthenticated"), (refused.Status, refused.Code));
            Assert.Contains("(key-0) was replaced, and counted until", refused.Body, StringComparison.Ordinal);
            Assert.NotEqual(401, (await bench.RunAsync(route, bench.Tokens[1].Token!)).Status);
        }
    }

    [Fact]
    public async Task A_token_whose_writes_are_spent_appends_by_no_route()
    {
        await using var bench = await Bench.StartAsync(TimeSpan.FromHours(-1), static (_, _) => []);
        var server = bench.Server;
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        var token = await server.IssueAsync(new() { Group = "team", User = "kim", Actions = ["*.*"], WriteLimit = 0, TtlSeconds = 0 });

        List<string> spent = [];
        foreach (var route in Closed)
        {
            var reply = await bench.RunAsync(route, token);
            if (reply.Status == 403 && reply.Code == "write_limit_reached")
                spent.Add(CredentialTests.KeyOf(route));
            else if (!route.Access.IsRoot)
                Assert.Equal((CredentialTests.KeyOf(route), CredentialTests.Table[CredentialTests.KeyOf(route)].Allowed), (CredentialTests.KeyOf(route), reply.Status));
        }

        Assert.Equal(["POST /v1/events", "POST /v1/events/batch", "POST /v1/records", "POST /v1/staged", "POST /v1/staged/commit"], spent.Order(StringComparer.Ordinal));
        Assert.Single(server.Owner.ReadFeed(0, 1000, includeControl: false).Items);
    }

    [Theory]
    [InlineData("aggregate:a%2Ab:*", "a*b", "axb", "a%2Ab", "ab", "a*bc")]
    [InlineData("aggregate:a%3Fb:*", "a?b", "axb", "a%3Fb", "ab")]
    [InlineData("aggregate:a%3Ab:*", "a:b", "a", "a%3Ab", "axb")]
    [InlineData("aggregate:a%25b:*", "a%b", "axb", "a%25b", "ab")]
    [InlineData("aggregate:a%252Ab:*", "a%2Ab", "a*b", "axb", "a%252Ab")]
    public async Task A_wildcard_that_is_escaped_is_a_letter_like_any_other(string resource, string type, params string[] lookAlikes)
    {
        await using var bench = await Bench.StartAsync(TimeSpan.FromHours(-1), static (_, _) => []);
        var server = bench.Server;
        // As types, and as ids: both are patterns.
        foreach (var name in (string[])[type, .. lookAlikes])
        {
            await server.AppendAsync(name, "b:1", "e", "{}");
            await server.AppendAsync("t", name, "e", "{}");
        }

        var (ofTypes, ofIds) = (await server.TokenForAsync("aggregate.append", resource), await server.TokenForAsync("aggregate.append", $"aggregate:t:{resource[10..^2]}"));
        foreach (var door in (Door[])[Door.Main, Door.Socket])
        {
            foreach (var name in (string[])[type, .. lookAlikes])
            {
                var expected = name == type ? 200 : 403;
                Assert.Equal((name, expected), (name, (await bench.SendAsync(door, "GET", $"/v1/aggregates/{Uri.EscapeDataString(name)}/b%3A1", null, ofTypes)).Status));
                Assert.Equal((name, expected), (name, (await bench.SendAsync(door, "GET", $"/v1/aggregates/t/{Uri.EscapeDataString(name)}", null, ofIds)).Status));
                var append = $$$"""{"aggregate_type":"t","aggregate_id":"{{{name}}}","event_type":"e","payload":{}}""";
                Assert.Equal((name, expected), (name, (await bench.SendAsync(door, "POST", "/v1/events", append, ofIds)).Status));
            }

            var listed = await bench.SendAsync(door, "GET", "/v1/aggregates?take=50", null, ofTypes);
            Assert.Equal([type], listed.Json.EnumerateArray().Select(item => item.GetProperty("aggregate_type").GetString()));
        }
    }

    /// <summary>A body that the route reads, so that nothing but the token can be wrong.</summary>
    static string? BodyOf(RestRoute route, CredentialTests.Row row, string token = "x") => row.Body ?? (route.Body == RestBody.Required ? $$"""{"token":"{{token}}"}""" : null);

    /// <summary>A server whose ledger was written by the test.</summary>
    sealed class Bench : IAsyncDisposable
    {
        readonly HttpClient _socket;

        Bench(RestServer server, IReadOnlyList<Crafted> tokens)
        {
            (Server, Tokens) = (server, tokens);
            _socket = new(new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectCallback = async (_, cancellation) =>
                {
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(server.SocketPath), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            });
        }

        public RestServer Server { get; }

        public IReadOnlyList<Crafted> Tokens { get; }

        /// <param name="overlap">How long from now the secret before is still good.</param>
        /// <param name="craft">The tokens.</param>
        public static async Task<Bench> StartAsync(TimeSpan overlap, Func<AuthSettings, DateTimeOffset, IReadOnlyList<Crafted>> craft)
        {
            var now = DateTimeOffset.UtcNow;
            var server = new RestServer { Settings = RestServer.Auth with { Previous = CraftedTokens.OldSecretUntil(now + overlap) } };
            var tokens = craft(server.Settings, now);
            Directory.CreateDirectory(server.DataDir);
            await File.WriteAllTextAsync(Path.Combine(server.DataDir, "tokens.json"), CraftedTokens.Ledger(tokens), TestContext.Current.CancellationToken);
            await server.InitializeAsync();
            return new(server, tokens);
        }

        /// <summary>The route as it is to be asked, after what must be there.</summary>
        public async Task<Reply> RunAsync(RestRoute route, string token)
        {
            var row = CredentialTests.Table[CredentialTests.KeyOf(route)];
            if (row.Before is not null)
                await row.Before(Server.Owner);
            var another = await Server.TokenForAsync("*");
            var target = row.Target.Replace("TOKEN", another, StringComparison.Ordinal);
            var reply = await SendAsync(Door.Main, route.Method, target, BodyOf(route, row, another), token);
            // What is left over from one route is not to be in the way of the next.
            await Server.SendAsync("DELETE", "/v1/staged");
            await Server.SendAsync("DELETE", "/v1/aggregates/m/new");
            await Server.SendAsync("DELETE", "/v1/aggregates/m/empty");
            await Server.SendAsync("PATCH", "/admin/schemas/made", """{"change":"drop"}""");
            return reply;
        }

        public async Task<Reply> SendAsync(Door door, string method, string target, string? body, string? token)
        {
            if (door == Door.Main)
                return await Server.SendAsync(method, target, body, token);
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri($"http://dbx{target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
            if (body is not null)
                request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            Assert.True(request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}"));
            using var response = await _socket.SendAsync(request, TestContext.Current.CancellationToken);
            return await Reply.OfAsync(response);
        }

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            await Server.DisposeAsync();
        }
    }
}
