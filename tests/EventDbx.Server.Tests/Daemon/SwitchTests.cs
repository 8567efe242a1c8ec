using System.Net;
using System.Net.Http.Headers;
using System.Text;
using EventDbx.Server.Rest;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>Every way to switch surfaces on and off, and what each of them says then.</summary>
public sealed class SwitchTests
{
    static readonly bool GraphQLIsThere = RestRoutes.All.Any(static route => route.Surface == Surface.GraphQL);

    /// <summary>Until then a call of gRPC is a request like any other, which finds no route.</summary>
    static readonly bool GrpcIsThere = typeof(ServerHost).Assembly.GetReferencedAssemblies().Any(static assembly => assembly.Name == "Grpc.AspNetCore.Server");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, true, true)]
    public async Task What_is_on_is_served_and_what_is_off_says_so(bool rest, bool graphql, bool grpc)
    {
        await using var server = new RestServer(static options => options)
        {
            ChangeOptions = options => options with { Config = options.Config with { ApiRest = rest, ApiGraphQL = graphql, ApiGrpc = grpc } },
        };
        await server.InitializeAsync();
        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var client = server.ClientOf(version);
            Assert.Equal(HttpStatusCode.OK, (await SendAsync(client, HttpMethod.Get, "/health")).Status);
            Expect(rest, "REST is switched off on this server (api.rest).", await SendAsync(client, HttpMethod.Get, "/v1/aggregates"));
            var asked = await SendAsync(client, HttpMethod.Post, "/graphql", """{"query":"{ __typename }"}"""u8.ToArray(), "application/json");
            if (GraphQLIsThere)
                Expect(graphql, "GraphQL is switched off on this server (api.graphql).", asked);
            else
                Assert.Equal((HttpStatusCode.NotFound, true), (asked.Status, asked.Said.Contains("There is no route", StringComparison.Ordinal)));
        }

        using var caller = server.ClientOf(HttpVersion.Version20);
        // An empty message: four bytes of length, none compressed.
        var called = await SendAsync(caller, HttpMethod.Post, "/dbx.api.EventService/ListAggregates", new byte[5], "application/grpc");
        if (!GrpcIsThere)
        {
            Assert.Equal((HttpStatusCode.NotFound, true), (called.Status, called.Said.Contains("There is no route", StringComparison.Ordinal)));
            return;
        }

        Assert.Equal(HttpStatusCode.OK, called.Status);
        Assert.Equal(grpc, called.Grpc == "0");
        Assert.Equal(!grpc, called.GrpcMessage.Contains("switched off", StringComparison.Ordinal));
    }

    static void Expect(bool on, string off, (HttpStatusCode Status, string Said, string Grpc, string GrpcMessage) answer)
    {
        Assert.Equal(on ? HttpStatusCode.OK : HttpStatusCode.NotFound, answer.Status);
        Assert.Equal(!on, answer.Said.Contains(off, StringComparison.Ordinal));
    }

    static async Task<(HttpStatusCode Status, string Said, string Grpc, string GrpcMessage)> SendAsync(
        HttpClient client, HttpMethod method, string path, byte[]? body = null, string? contentType = null)
    {
        using var request = new HttpRequestMessage(method, path) { Version = client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType!);
        }

        if (contentType == "application/grpc")
            request.Headers.TE.Add(new("trailers"));
        using var answer = await client.SendAsync(request, Cancellation);
        var said = Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(Cancellation));
        return (answer.StatusCode, said, Of("grpc-status"), Uri.UnescapeDataString(Of("grpc-message")));

        string Of(string name) => answer.TrailingHeaders.TryGetValues(name, out var trailing) ? trailing.First()
            : answer.Headers.TryGetValues(name, out var leading) ? leading.First() : "";
    }
}
