using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary>Many commands at once, each a process of its own.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ManyProcessesTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Processes_that_issue_tokens_at_once_lose_none(bool running)
    {
        // Without a server they take turns, and each opens and closes the store: sixteen of them where there is time.
        var processes = running ? 16 : TestTiers.Choose(6, ci: 16, demand: 16);
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        await line.RunAsync("token", "list");
        using var server = running ? await ServerProcess.StartAsync(line.Directory.Path) : null;

        var each = TestTiers.Choose(1, ci: 25, demand: 25);
        var issued = (await Task.WhenAll(Enumerable.Range(0, processes).Select(async process =>
        {
            List<string> ids = [];
            for (var i = 0; i < each; i++)
            {
                // Whoever waits polls, so turns are not fair: on a busy machine one may come late. Only a hang takes so long.
                var generated = await ServerProcess.RunAsync(
                    line.Directory.Path, "token", "generate", "--group", $"g-{process}", "--user", $"u-{i}", "--root", "--json", "--lock-timeout", "900");
                Assert.Equal((ExitCode.Done, ""), (generated.Code, generated.Error));
                ids.Add(JsonNode.Parse(generated.Out)!["jti"]!.GetValue<string>());
            }

            return ids;
        }))).SelectMany(ids => ids).ToList();

        var listed = await line.RunAsync("token", "list", "--json");
        Assert.Equal(processes * each, issued.Count);
        Assert.Equal(issued.Order(StringComparer.Ordinal), ((JsonArray)JsonNode.Parse(listed.Out)!).Select(token => token!["jti"]!.GetValue<string>()).Order(StringComparer.Ordinal));
        if (server is not null)
        {
            // And what it leaves behind when it is killed is in nobody's way.
            await server.KillAsync();
            Assert.True(OperatingSystem.IsWindows() || File.Exists(Path.Combine(line.DataDirectory, "dbx.sock")));
            Assert.Equal(listed, await line.RunAsync("token", "list", "--json"));
            Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "apply", "order", "o-1", "made")).Code);
        }
    }
}
