using System.Text.Json;
using EventDbx.Cli.Output;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary><c>dbx push</c> and <c>dbx pull</c> between real nodes, with servers running and stopped.</summary>
public sealed class TransferEndToEndTests
{
    /// <summary>Generated: the shape of the receipts; the receipts themselves where they lie beside the checkout, in longer runs.</summary>
    [Fact]
    public async Task What_is_pushed_pushed_on_and_pulled_by_a_third_is_the_same_in_all_three()
    {
        using CommandLine leader = new(), standby = new(), third = new();
        var real = TestTiers.Choose(null, Checkout.SharedData("receipt/events.ndjson"), Checkout.SharedData("receipt/events.ndjson"));
        var file = real ?? new ReceiptGenerator(7, 60, 360).WriteFile(leader.Directory["receipts.ndjson"]);
        var lines = await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken);
        var half = lines.Length / 2;
        await ImportAsync(leader, lines[..half]);
        await TransferStage.DoneAsync(leader, "schema", "create", "order", "--events", "order-placed,order-paid");
        await TransferStage.DoneAsync(leader, "aggregate", "apply", "order", "o-1", "order-placed", "--field", "customer=Jane", "--note", "by phone");
        string content;

        await using (var there = await RunningServer.StartAsync(standby))
        {
            await TransferStage.IntroduceAsync(leader, "leader", standby, "standby", there.PeerPort);
            await TransferStage.IntroduceAsync(third, "third", standby, "standby", there.PeerPort);

            // Stopped: in this process.
            var planned = await TransferStage.DoneAsync(leader, "push", "standby", "--dry-run", "--schema");
            Assert.Equal($"Schema push to 'standby' (dry run)\n  1 aggregate change(s)\n    + order (2 event(s))\nPush to remote 'standby' (dry run)\n{Body(half)}", planned);
            Assert.Equal("", await TransferStage.ContentOfAsync(there.Database));
            var pushed = await TransferStage.DoneAsync(leader, "push", "standby", "--schema", "--batch-size", "50");
            Assert.Equal($"Pushed schema changes to 'standby'\n  1 aggregate change(s)\n    + order (2 event(s))\nPushed {half + 1} event(s) to 'standby'\n{Body(half)}", pushed);
            Assert.Equal("Remote 'standby' schema store already matches local\nremote 'standby' is up to date\n", await TransferStage.DoneAsync(leader, "push", "standby", "--schema"));

            // More, and running: by the server.
            await ImportAsync(leader, lines[half..]);
            await TransferStage.DoneAsync(leader, "aggregate", "archive", "order", "o-1", "--comment", "done");
            await TransferStage.DoneAsync(leader, "aggregate", "create", "order", "o-2");
            await using (var here = await RunningServer.StartAsync(leader))
            {
                var rest = lines.Length - half;
                var type = TypeOf(lines);
                Assert.Equal(
                    $"Push to remote 'standby' (dry run)\n  {rest} event(s) across 1 aggregate(s)\n    {type}: {rest} event(s)\n  2 aggregate(s) to be created, archived, restored or given snapshots\n",
                    await TransferStage.DoneAsync(leader, "push", "standby", "--dry-run"));
                var report = JsonDocument.Parse(await TransferStage.DoneAsync(leader, "push", "standby", "--json")).RootElement;
                Assert.Equal((rest, 2), (report.GetProperty("events").GetProperty("events").GetInt32(), report.GetProperty("events").GetProperty("marked").GetInt32()));
                Assert.Equal(JsonValueKind.Null, report.GetProperty("schemas").ValueKind);
                content = await TransferStage.ContentOfAsync(here.Database);
                Assert.Equal(content, await TransferStage.ContentOfAsync(there.Database));
                Assert.StartsWith("verified ", await TransferStage.DoneAsync(leader, "verify", "--all"), StringComparison.Ordinal);
            }

            // A third, which has no store yet.
            var nothing = await third.RunAsync("pull", "standby", "--dry-run");
            Assert.Equal((ExitCode.Failed, "Error: There is no store yet: everything would be pulled. Without `--dry-run` it is made.\n"), (nothing.Code, nothing.Error));
            var pulled = await TransferStage.DoneAsync(third, "pull", "standby", "--schema");
            Assert.StartsWith($"Pulled {lines.Length + 1} event(s) from 'standby'\n  {lines.Length + 1} event(s) across 2 aggregate(s)\n", pulled, StringComparison.Ordinal);
            Assert.EndsWith("  2 aggregate(s) created, archived, restored or given snapshots\nPulled schema changes from 'standby'\n  1 aggregate change(s)\n    + order (2 event(s))\n", pulled, StringComparison.Ordinal);
            await using (var here = await RunningServer.StartAsync(third))
            {
                Assert.Equal("local store already includes remote 'standby' changes\nSchema store already matches remote 'standby'\n", await TransferStage.DoneAsync(third, "pull", "standby", "--schema"));
                Assert.Equal(content, await TransferStage.ContentOfAsync(here.Database));
                Assert.StartsWith("verified ", await TransferStage.DoneAsync(third, "verify", "--all"), StringComparison.Ordinal);
            }

            Assert.StartsWith("verified ", await TransferStage.DoneAsync(standby, "verify", "--all"), StringComparison.Ordinal);
        }

        Assert.Equal(await TransferStage.DoneAsync(leader, "schema", "list", "--json"), await TransferStage.DoneAsync(third, "schema", "list", "--json"));
        Assert.Contains("by phone", content, StringComparison.Ordinal);

        string Body(int count) => $"  {count + 1} event(s) across 2 aggregate(s)\n    order: 1 event(s)\n    {TypeOf(lines)}: {count} event(s)\n";
    }

    [Fact]
    public async Task What_fails_says_why_with_the_published_words_on_both_roads()
    {
        using CommandLine leader = new(), standby = new();
        await TransferStage.DoneAsync(leader, "aggregate", "apply", "order", "o-1", "order-placed");
        await TransferStage.DoneAsync(standby, "aggregate", "apply", "order", "o-1", "order-placed");
        await TransferStage.DoneAsync(standby, "aggregate", "apply", "order", "o-1", "order-paid");
        await using var there = await RunningServer.StartAsync(standby);
        await TransferStage.IntroduceAsync(leader, "leader", standby, "standby", there.PeerPort);
        await TransferStage.DoneAsync(leader, "remote", "add", "nobody", "127.0.0.1", "--port", $"{FreePort.Take()}", "--public-key", await TransferStage.KeyOfAsync(standby));
        await TransferStage.DoneAsync(leader, "remote", "add", "impostor", "127.0.0.1", "--port", $"{there.PeerPort}", "--public-key", await TransferStage.KeyOfAsync(leader));

        await FailAsync();
        await using (await RunningServer.StartAsync(leader))
            await FailAsync();

        // Listed, without the right.
        await TransferStage.DoneAsync(standby, "remote", "allow", "leader", "--pull", "--public-key", await TransferStage.KeyOfAsync(leader), "--replace");
        await TransferStage.DoneAsync(leader, "aggregate", "apply", "new", "n-1", "made");
        var unable = await leader.RunAsync("push", "standby", "--aggregate", "new");
        Assert.Equal(ExitCode.Failed, unable.Code);
        Assert.StartsWith("Error: failed to apply events on remote standby: remote returned error: ", unable.Error, StringComparison.Ordinal);
        Assert.Equal("", unable.Out);

        async Task FailAsync()
        {
            foreach (var (arguments, said) in new (string[], string)[]
            {
                (["push", "nowhere"], "Error: no remote named 'nowhere' is configured."),
                (["pull", "nowhere"], "Error: no remote named 'nowhere' is configured."),
                (["push", "nobody"], "Error: failed to connect to remote tcp://127.0.0.1:"),
                (["push", "impostor"], "Error: failed to connect to remote tcp://127.0.0.1:"),
                (["push", "standby"], "Error: remote 'standby' is ahead for aggregate order::o-1 (remote version 2, local version 1)"),
                (["pull", "standby"], "Error: remote 'standby' has another history of aggregate order::o-1 (root at version 1: remote "),
            })
            {
                var outcome = await leader.RunAsync(arguments);
                Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
                Assert.StartsWith(said, outcome.Error, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("aggregate id specification 'order' must be in TYPE:ID or TYPE::ID format", "--aggregate-id", "order")]
    [InlineData("aggregate id specification ':o-1' has empty type or id", "--aggregate-id", ":o-1")]
    [InlineData("aggregate id specification 'order::' has empty type or id", "--aggregate-id", "order::")]
    [InlineData("--schema-only cannot be combined with aggregate filters", "--schema-only", "--aggregate", "order")]
    [InlineData("--replace is about schemas, and needs --schema or --schema-only", "--replace")]
    public async Task A_command_line_that_makes_no_sense_is_a_usage_error(string said, params string[] options)
    {
        using var line = new CommandLine();
        foreach (var verb in (string[])["push", "pull"])
        {
            var outcome = await line.RunAsync([verb, "standby", .. options]);

            Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
            Assert.StartsWith($"error: {said}\n", outcome.Error, StringComparison.Ordinal);
        }

        Assert.Equal(ExitCode.Failed, (await line.RunAsync("push", "standby", "--aggregate", " ", "--aggregate-id", "", "--schema-only")).Code);
    }

    [Fact]
    public async Task Filters_take_types_and_single_aggregates_whose_type_may_hold_a_colon()
    {
        using CommandLine leader = new(), standby = new();
        foreach (var (type, id) in new[] { ("order", "o-1"), ("order", "o-2"), ("a:b", "c"), ("a", "b:c"), ("other", "x") })
            await TransferStage.DoneAsync(leader, "aggregate", "apply", type, id, "made");
        await using var there = await RunningServer.StartAsync(standby);
        await TransferStage.IntroduceAsync(leader, "leader", standby, "standby", there.PeerPort);

        var pushed = await TransferStage.DoneAsync(leader, "push", "standby", "--aggregate-id", "order:o-2", "--aggregate", "order", "--aggregate-id", "a:b::c", "--aggregate-id", "a:b:c");

        Assert.Equal("Pushed 3 event(s) to 'standby'\n  3 event(s) across 3 aggregate(s)\n    a: 1 event(s)\n    a:b: 1 event(s)\n    order: 1 event(s)\n", pushed);
    }

    [Fact]
    public async Task Only_root_pushes_and_pulls_on_either_road()
    {
        using CommandLine leader = new();
        await TransferStage.DoneAsync(leader, "aggregate", "apply", "order", "o-1", "made");
        var token = JsonDocument.Parse(await TransferStage.DoneAsync(leader, "token", "generate", "--group", "g", "--user", "u", "--json")).RootElement.GetProperty("token").GetString()!;

        await RefusedAsync();
        await using var here = await RunningServer.StartAsync(leader);
        await RefusedAsync();

        async Task RefusedAsync()
        {
            foreach (var verb in (string[])["push", "pull"])
            {
                var refused = await leader.RunAsync(verb, "standby", "--token", token);
                Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
                Assert.Contains(verb == "push" ? "only a root token may push to a remote" : "only a root token may pull from a remote", refused.Error, StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    static string TypeOf(string[] lines) => JsonDocument.Parse(lines[0]).RootElement.GetProperty("aggregate_type").GetString()!;

    static async Task ImportAsync(CommandLine node, string[] lines)
    {
        await File.WriteAllLinesAsync(node.Directory["part.ndjson"], lines, TestContext.Current.CancellationToken);
        await TransferStage.DoneAsync(node, "import", node.Directory["part.ndjson"]);
    }
}
