using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using EventDbx.Server.GraphQL;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>The page in a browser, without a network beyond the server.</summary>
public sealed partial class PageTests(RestServer server) : IClassFixture<RestServer>
{
    [Theory]
    [InlineData("/graphql")]
    [InlineData("/graphql/playground")]
    public async Task The_page_needs_no_token_and_loads_nothing_from_elsewhere(string path)
    {
        var page = await server.GetAsync(path, token: null);
        Assert.Equal((200, "text/html; charset=utf-8", "no-store"), (page.Status, page["Content-Type"], page["Cache-Control"]));
        var policy = page["Content-Security-Policy"]!;
        Assert.Contains("default-src 'none'; script-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("http", policy, StringComparison.Ordinal);
        Assert.Equal(("nosniff", "no-referrer"), (page["X-Content-Type-Options"], page["Referrer-Policy"]));
        var loads = Loads().Matches(page.Body).Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(3, loads.Count);
        Assert.Equal("data:,", loads[0]);
        foreach (var load in loads.Skip(1))
        {
            Assert.True(load is "/graphql/page.js" or "/graphql/page.css", load);
            foreach (var coding in (string[])["gzip, br", "identity", "gzip;q=0"])
            {
                using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
                using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{server.Host.Port}{load}");
                request.Headers.TryAddWithoutValidation("Accept-Encoding", coding);
                using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
                var bytes = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
                Assert.Equal(coding == "gzip, br" ? ["gzip"] : [], response.Content.Headers.ContentEncoding);
                Assert.Equal("no-cache", response.Headers.CacheControl!.ToString());
                Assert.Equal(load.EndsWith(".js", StringComparison.Ordinal) ? "text/javascript" : "text/css", response.Content.Headers.ContentType!.MediaType);
                var text = coding == "gzip, br" ? Unpacked(bytes) : Encoding.UTF8.GetString(bytes);
                Assert.True(text.Length > 10_000);
                Assert.Equal(304, (await server.SendAsync("GET", load, token: null, headers: [("Accept-Encoding", coding), ("If-None-Match", response.Headers.ETag!.ToString())])).Status);
            }
        }
    }

    [Fact]
    public void What_is_embedded_is_small_and_names_nothing_that_a_browser_would_fetch()
    {
        var directory = Path.Combine(Checkout.Root, "src", "EventDbx.Server", "GraphQL", "Page");
        var files = Directory.GetFiles(directory);
        Assert.Equal(GraphQLPage.Names.Order(StringComparer.Ordinal), files.Select(Path.GetFileName).Where(name => name != "NOTICE").Order(StringComparer.Ordinal)!);
        Assert.True(files.Sum(file => new FileInfo(file).Length) < 1024 * 1024);
        foreach (var file in files.Where(file => file.EndsWith(".gz", StringComparison.Ordinal)))
        {
            var text = Unpacked(File.ReadAllBytes(file));
            // Names of namespaces, and links that somebody has to press.
            var hosts = Hosts().Matches(text).Select(match => match.Groups[1].Value).Distinct().Except(["www.w3.org", "codemirror.net", "commonmark.org", "en.wikipedia.org", "github.com", "reactjs.org", "yarnpkg.com"]);
            Assert.Empty(hosts);
            Assert.DoesNotContain("@import", text, StringComparison.Ordinal);
            Assert.DoesNotMatch("url\\((?!['\"]?data:)", file.EndsWith(".css.gz", StringComparison.Ordinal) ? text : "");
        }

        var notice = File.ReadAllText(Path.Combine(directory, "NOTICE"));
        foreach (var package in (string[])["graphiql 3.", "codemirror 5.", "react 18.", "graphql 16.", "graphql-ws 5."])
            Assert.Contains($"\n{package}", notice, StringComparison.Ordinal);
        var lockFile = File.ReadAllText(Path.Combine(Checkout.Root, "tools", "graphql-page", "package-lock.json"));
        Assert.DoesNotContain("\"resolved\"", lockFile, StringComparison.Ordinal);
    }

    static string Unpacked(byte[] packed)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("(?:src|href)=\"([^\"]*)\"")]
    private static partial Regex Loads();

    [GeneratedRegex("https?://([a-zA-Z0-9.-]+)")]
    private static partial Regex Hosts();
}
