using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.OpenApi;

/// <summary>The pages without data.</summary>
public sealed partial class PageTests
{
    static readonly string[] s_browsers = ["chromium", "chromium-browser", "google-chrome", "chrome"];

    static async Task<RestServer> StartAsync(bool open = true, Func<ServerOptions, ServerOptions>? change = null)
    {
        var server = new RestServer(static options => options) { ChangeOptions = options => (change ?? (same => same))(options with { Config = options.Config with { ApiPublicDocs = open } }) };
        await server.InitializeAsync();
        return server;
    }

    [Theory]
    [InlineData("/openapi.json", "application/json")]
    [InlineData("/docs", "text/html; charset=utf-8")]
    public async Task A_page_is_open_kept_and_sent_again_only_when_it_has_changed(string path, string type)
    {
        await using var server = await StartAsync();
        var page = await server.GetAsync(path, token: null);
        Assert.Equal((200, type), (page.Status, page["Content-Type"]));
        Assert.Equal("no-cache", page["Cache-Control"]);
        Assert.Equal("nosniff", page["X-Content-Type-Options"]);
        var tag = page["ETag"]!;
        foreach (var known in (string[])[tag, $"W/{tag}", $"\"other\", {tag}", "*"])
        {
            var again = await server.SendAsync("GET", path, token: null, headers: ("If-None-Match", known));
            Assert.Equal((304, "", tag), (again.Status, again.Body, again["ETag"]));
        }

        Assert.Equal(200, (await server.SendAsync("GET", path, token: null, headers: ("If-None-Match", "\"other\""))).Status);
        var head = await server.SendAsync("HEAD", path, token: null);
        Assert.Equal((200, "", page["Content-Length"]), (head.Status, head.Body, head["Content-Length"]));
        Assert.Equal(400, (await server.GetAsync($"{path}?version=1", token: null)).Status);
    }

    [Theory]
    [InlineData("/openapi.json")]
    [InlineData("/docs")]
    public async Task A_page_that_is_closed_is_for_whoever_has_a_good_token(string path)
    {
        await using var server = await StartAsync(open: false);
        Assert.Equal((401, "unauthenticated"), (await server.GetAsync(path, token: null)) is var none ? (none.Status, none.Code) : default);
        Assert.Equal(401, (await server.GetAsync(path, token: "nonsense")).Status);
        Assert.Equal(200, (await server.GetAsync(path, await server.TokenForAsync("aggregate.append", "aggregate:none:*"))).Status);
    }

    [Fact]
    public async Task Pages_are_there_where_rest_is_off()
    {
        await using var server = await StartAsync(change: options => options with { Config = options.Config with { ApiRest = false } });
        Assert.Equal(200, (await server.GetAsync("/docs", token: null)).Status);
        Assert.Equal(404, (await server.GetAsync("/v1/aggregates")).Status);
    }

    [Fact]
    public async Task The_page_runs_only_what_is_in_it_and_asks_nobody_else()
    {
        await using var server = await StartAsync();
        var page = await server.GetAsync("/docs", token: null);
        var policy = page["Content-Security-Policy"]!;
        Assert.StartsWith("default-src 'none'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        foreach (var (element, directive) in (ReadOnlySpan<(string, string)>)[("script", "script-src"), ("style", "style-src")])
        {
            var inside = Assert.Single(Regex.Matches(page.Body, $"<{element}>(.*?)</{element}>", RegexOptions.Singleline)).Groups[1].Value;
            Assert.Contains($"{directive} 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(inside)))}';", policy, StringComparison.Ordinal);
        }

        Assert.DoesNotMatch(Outside(), page.Body);
        Assert.DoesNotContain("innerHTML", page.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_browser_shows_the_routes_and_asks_nobody_else()
    {
        var browser = s_browsers.SelectMany(name => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(directory => Path.Combine(directory, name))).FirstOrDefault(File.Exists);
        Assert.SkipWhen(browser is null, $"There is no browser here ({string.Join(", ", s_browsers)}): that the page works in one is not shown.");
        await using var server = await StartAsync();
        using var profile = new TemporaryDirectory();
        // Every name but this server's leads nowhere, and the log of the network names what was asked for.
        var start = new ProcessStartInfo(browser!, [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            $"--user-data-dir={profile["profile"]}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=10000", "--dump-dom", $"http://127.0.0.1:{server.Host.Port}/docs",
        ]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var (dom, _) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var shown = await dom;
        Assert.Contains("data-shown=\"true\"", shown, StringComparison.Ordinal);
        Assert.Contains("id=\"appendEvent\"", shown, StringComparison.Ordinal);
        Assert.DoesNotMatch(Outside(), shown);
    }

    /// <summary>Another place than this server.</summary>
    [GeneratedRegex("""(?:https?:)?//[a-z0-9-]+\.[a-z]""", RegexOptions.IgnoreCase)]
    private static partial Regex Outside();
}
