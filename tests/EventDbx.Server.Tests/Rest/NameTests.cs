using System.Text.Json;

namespace EventDbx.Server.Tests.Rest;

public class NameTests(RestServer server) : IClassFixture<RestServer>
{
    static readonly string[] Names =
    [
        "a", "a/b", "a%b", "a%2Fb", "a%252Fb", "a:b", "a?b", "a#b", "a b", "-x", "--help", "a+b", "naïve", "日本", "😀", "a&b=c", "a;b", "a\\b", "\"", "...",
        ".a", "%", "%2", "/", "//", "*", "~", "a%00b",
    ];

    [Fact]
    public async Task Every_name_is_written_and_read_back_and_no_two_share_a_URL()
    {
        var urls = new HashSet<string>();
        foreach (var (type, id) in Names.SelectMany((type, i) => new[] { (type, "1"), ("t", type), (type, Names[(i + 1) % Names.Length]) }))
        {
            var url = $"/v1/aggregates/{Uri.EscapeDataString(type)}/{Uri.EscapeDataString(id)}";
            if (!urls.Add(url))
                continue;
            await server.AppendAsync(type, id, "e", JsonSerializer.Serialize(new Dictionary<string, string> { ["me"] = $"{type} {id}" }));
            var state = await server.GetAsync(url);
            Assert.True(state.Status == 200, $"{url}: {state.Body}");
            Assert.Equal((type, id), (state.Json.GetProperty("aggregate_type").GetString(), state.Json.GetProperty("aggregate_id").GetString()));
            Assert.Equal($"{type} {id}", state.Json.GetProperty("state").GetProperty("me").GetString());
            Assert.Equal(200, (await server.GetAsync(url + "/events/1")).Status);
            var listed = await server.GetAsync($"/v1/aggregates?type={Uri.EscapeDataString(type)}&id_prefix={Uri.EscapeDataString(id)}&take=50");
            Assert.Contains(listed.Json.EnumerateArray(), item => item.GetProperty("aggregate_id").GetString() == id);
        }
    }

    [Theory]
    [InlineData("/v1/aggregates/%61/%62", "a", "b")]
    [InlineData("/v1/aggregates/x%2fy/z", "x/y", "z")]
    [InlineData("/v1/aggregates/a+b/c", "a+b", "c")]
    [InlineData("/v1/aggregates/a:b/c*d", "a:b", "c*d")]
    public async Task A_segment_is_decoded_once_and_a_plus_is_a_plus(string url, string type, string id)
    {
        Assert.Equal(201, (await server.SendAsync("PUT", url)).Status);
        Assert.Equal(0UL, server.Owner.GetAggregate(AggregateKey.Create(type, id)).Version);
    }

    [Theory]
    [InlineData("/v1/aggregates//x", "invalid_name", 400)]
    [InlineData("/v1/aggregates/x/", "invalid_name", 400)]
    [InlineData("/v1/aggregates/./x", "invalid_name", 400)]
    [InlineData("/v1/aggregates/../x", "invalid_name", 400)]
    [InlineData("/v1/aggregates/%2e%2e/x", "invalid_name", 400)]
    [InlineData("/v1/aggregates/x/%2E", "invalid_name", 400)]
    [InlineData("/v1/aggregates/x/%0A", "invalid_name", 400)]
    [InlineData("/v1/aggregates/x/%7F", "invalid_name", 400)]
    [InlineData("/v1/aggregates/x/%FF", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x/%C0%AF", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x/%ED%A0%80", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x/%zz", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x/%2", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x/%", "invalid_argument", 400)]
    [InlineData("/v1/aggregates/x", "not_found", 404)]
    [InlineData("/v1/aggregates/", "not_found", 404)]
    [InlineData("/v1/aggregates/x/y/", "not_found", 404)]
    [InlineData("/v1/aggregates/x/y/z", "not_found", 404)]
    [InlineData("/v1/%61ggregates/x/y", "not_found", 404)]
    [InlineData("/v1/../v1/aggregates", "not_found", 404)]
    [InlineData("//v1/aggregates", "not_found", 404)]
    [InlineData("/V1/aggregates", "not_found", 404)]
    [InlineData("/", "not_found", 404)]
    public async Task What_is_no_name_or_no_route_is_refused(string target, string code, int status)
    {
        var said = await server.SayAsync($"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.Root}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", said, StringComparison.Ordinal);
        Assert.Contains($"\"code\":\"{code}\"", said, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/json", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_at_its_limit_is_taken_and_one_byte_more_is_not()
    {
        var (type, id) = (new string('é', 128), new string('日', 170) + "ab");
        Assert.Equal(201, (await server.SendAsync("PUT", $"/v1/aggregates/{Uri.EscapeDataString(type)}/{Uri.EscapeDataString(id)}")).Status);
        Assert.Equal("invalid_name", (await server.SendAsync("PUT", $"/v1/aggregates/{Uri.EscapeDataString(type)}x/1")).Code);
        Assert.Equal("invalid_name", (await server.SendAsync("PUT", $"/v1/aggregates/t/{Uri.EscapeDataString(id)}x")).Code);
    }

    [Fact]
    public async Task The_whole_URL_may_stand_in_the_request_line()
    {
        await server.AppendAsync("a/b", "whole", "e", "{}");
        var said = await server.SayAsync($"GET http://x/v1/aggregates/a%2Fb/whole?typed=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.Root}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DELETE", "/v1/aggregates", "GET, HEAD")]
    [InlineData("PATCH", "/v1/aggregates/a/b", "GET, HEAD, PUT, DELETE")]
    [InlineData("PUT", "/v1/events", "POST, GET, HEAD")]
    [InlineData("OPTIONS", "/health", "GET, HEAD")]
    [InlineData("BREW", "/health", "GET, HEAD")]
    public async Task Another_method_is_405_with_those_that_are_taken(string method, string target, string allow)
    {
        var reply = await server.SendAsync(method, target);
        Assert.Equal((405, "method_not_allowed", allow), (reply.Status, reply.Code, reply["Allow"]));
    }
}
