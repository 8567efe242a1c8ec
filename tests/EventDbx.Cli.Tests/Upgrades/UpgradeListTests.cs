using System.Text.Json.Nodes;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary><c>dbx upgrade list</c>, and which addresses are asked at all.</summary>
public sealed class UpgradeListTests
{
    [Fact]
    public async Task Releases_are_listed_by_pages_of_up_to_a_hundred()
    {
        await using var bench = new UpgradeBench();
        Assert.Equal("(no releases found)\n", (await bench.Line.RunAsync("upgrade", "list")).Out);
        Assert.Equal("[]", (await bench.Line.RunAsync("upgrade", "list", "--json")).Out.Trim());
        for (var minor = 0; minor < 150; minor++)
            bench.Stand.Add($"2.{minor}.0", [], prerelease: minor == 149);
        bench.Stand.Releases[1]["draft"] = true;
        bench.Stand.Releases[2]["published_at"] = null;

        var listed = await bench.Line.RunAsync("upgrade@list");
        var three = await bench.Line.RunAsync("upgrade", "list", "-n", "3", "--json");
        bench.Stand.Requests.Clear();
        var all = await bench.Line.RunAsync("upgrade", "list", "--limit", "120");

        Assert.Equal(20, listed.Out.Count(static c => c == '\n'));
        Assert.StartsWith("v2.149.0  2026-01-02T03:04:05Z  [prerelease]\nv2.148.0  2026-01-02T03:04:05Z  [draft]\nv2.147.0\nv2.146.0  2026-01-02T03:04:05Z\n", listed.Out, StringComparison.Ordinal);
        var json = JsonNode.Parse(three.Out)!.AsArray();
        Assert.Equal(3, json.Count);
        Assert.Equal(["tag", "name", "published_at", "draft", "prerelease", "html_url"], json[0]!.AsObject().Select(static member => member.Key));
        Assert.Equal(120, all.Out.Count(static c => c == '\n'));
        Assert.Equal(["/releases?per_page=100&page=1", "/releases?per_page=100&page=2"], bench.Stand.Requests.Select(static request => request.Target));
    }

    [Theory]
    [InlineData("""[{"tag_name":"v2.2.0","published_at":"\ud800"}]""", null, "it has a string that is no Unicode")]
    [InlineData("", "//h:99999999/", "which is no address")]
    public async Task What_no_list_of_releases_can_be_is_told_and_nothing_is_printed(string body, string? location, string says)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Instead = _ => new(location is null ? 200 : 302, System.Text.Encoding.UTF8.GetBytes(body)) { Location = location };

        var refused = await bench.Line.RunAsync("upgrade", "list");

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.Contains("does not answer like an address of releases: ", refused.Error, StringComparison.Ordinal);
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://example.invalid/releases")]
    [InlineData("https://user:secret@example.invalid/releases")]
    [InlineData("ftp://example.invalid/releases")]
    [InlineData("releases")]
    public async Task An_address_that_is_not_to_be_asked_is_refused(string address)
    {
        await using var bench = new UpgradeBench();
        bench.Line.Environment["EVENTDBX_RELEASES_URL"] = address;

        var refused = await bench.Line.RunAsync("upgrade", "list");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("releases", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret@", refused.Error, StringComparison.Ordinal);
    }
}
