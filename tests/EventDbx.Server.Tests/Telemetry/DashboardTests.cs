using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using EventDbx.Server.Tests.Replication.Following;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Telemetry;

/// <summary>Dashboard, alerts and docs/metrics.md speak of metrics that there are, and the page has none that docs/metrics.md does not know.</summary>
public sealed partial class DashboardTests(DashboardTests.Busy busy) : IClassFixture<DashboardTests.Busy>
{
    static readonly string Deploy = Path.Combine(Checkout.Root, "deploy");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_metric_that_the_dashboard_shows_is_told_by_a_server()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Deploy, "grafana", "eventdbx.json")));
        List<string> expressions = [.. ExpressionsOf(dashboard.RootElement)];

        Assert.True(expressions.Count > 50, $"only {expressions.Count} expressions");
        Assert.Empty(expressions.SelectMany(MetricsOf).Distinct().Except(busy.Page.Names));
        // All of ours is on it, under one name or another.
        Assert.Empty(
            busy.Page.Names.Where(name => name.StartsWith("dbx_", StringComparison.Ordinal)).Select(FamilyOf).Distinct()
                .Except(expressions.SelectMany(MetricsOf).Select(FamilyOf)).Except(["dbx_build_info", "dbx_database_info", "dbx_log_epoch"]));
    }

    [Fact]
    public void The_dashboard_chooses_its_data_source_and_its_server_and_every_panel_heeds_both()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Deploy, "grafana", "eventdbx.json")));
        var dashboard = document.RootElement;
        Assert.Equal(["datasource", "instance"], dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => variable.GetProperty("name").GetString()));
        var panels = dashboard.GetProperty("panels").EnumerateArray().ToList();
        Assert.Equal(panels.Count, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.Equal(
            ["Overview", "Appends", "Commit", "Feed and checkpoints", "Plugins", "Mirrors", "Requests", "Errors", "RocksDB and disk", "Process"],
            panels.Where(panel => panel.GetProperty("type").GetString() == "row").Select(panel => panel.GetProperty("title").GetString()));
        foreach (var panel in panels.Where(panel => panel.GetProperty("type").GetString() != "row"))
        {
            Assert.Equal("${datasource}", panel.GetProperty("datasource").GetProperty("uid").GetString());
            Assert.All(ExpressionsOf(panel), expression => Assert.Equal(MetricsOf(expression).Count(), Regex.Count(expression, Regex.Escape("{instance=~\"$instance\""))));
        }
    }

    [Fact]
    public void Every_metric_that_an_alert_asks_for_is_told_by_a_server()
    {
        var expressions = RuleExpression().Matches(File.ReadAllText(Path.Combine(Deploy, "prometheus", "eventdbx.rules.yml"))).Select(rule => rule.Groups[1].Value).ToList();

        Assert.Equal(16, expressions.Count);
        Assert.Empty(expressions.SelectMany(MetricsOf).Distinct().Except(busy.Page.Names));
    }

    [Fact]
    public void The_docs_have_every_metric_with_its_type_and_labels_and_no_other()
    {
        var written = Row().Matches(File.ReadAllText(Path.Combine(Checkout.Root, "docs", "metrics.md")))
            .ToDictionary(row => row.Groups[1].Value, row => $"{row.Groups[2].Value} {string.Join(' ', Quoted().Matches(row.Groups[3].Value).Select(label => label.Groups[1].Value))}".Trim());
        var told = busy.Page.Families.ToDictionary(
            family => family.Key,
            family => $"{family.Value} {string.Join(' ', busy.Page.Samples.Keys.Where(sample => FamilyOf(sample.Split('{')[0]) == FamilyOf(family.Key)).SelectMany(sample => Label().Matches(sample)).Select(label => label.Groups[1].Value).Where(label => label != "le").Distinct())}".Trim());

        Assert.Equal(told.OrderBy(pair => pair.Key, StringComparer.Ordinal), written.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }

    [Fact]
    public async Task Prometheus_itself_finds_nothing_wrong_with_page_rules_and_configuration()
    {
        await CheckAsync(busy.Text, "check", "metrics");
        await CheckAsync("", "check", "rules", Path.Combine(Deploy, "prometheus", "eventdbx.rules.yml"));
        await CheckAsync("", "check", "config", "--syntax-only", Path.Combine(Deploy, "prometheus", "prometheus.yml"));
        // What it finds it says: a counter without its suffix is such a thing.
        await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => CheckAsync("# HELP a b\n# TYPE a counter\na 1\n", "check", "metrics"));
    }

    static async Task CheckAsync(string input, params string[] arguments)
    {
        var start = new ProcessStartInfo("promtool", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        Process? process = null;
        try
        {
            process = Process.Start(start);
        }
        catch (Win32Exception)
        {
            Assert.Skip("there is no promtool here: Debian's package prometheus has it");
        }

        using (process)
        {
            var (output, error) = (process!.StandardOutput.ReadToEndAsync(Cancellation), process.StandardError.ReadToEndAsync(Cancellation));
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(Cancellation);
            Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', arguments)}: {await output}{await error}");
        }
    }

    static IEnumerable<string> ExpressionsOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member => member.Name == "expr" ? [member.Value.GetString()!] : ExpressionsOf(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(ExpressionsOf),
        _ => [],
    };

    static IEnumerable<string> MetricsOf(string expression) => Metric().Matches(expression).Select(metric => metric.Value);

    static string FamilyOf(string name) => Suffix().Replace(name, "");

    [GeneratedRegex(@"\b(?:dbx|process|dotnet)_[a-z0-9_]+")]
    private static partial Regex Metric();

    [GeneratedRegex("_(?:bucket|sum|count|total)$")]
    private static partial Regex Suffix();

    [GeneratedRegex(@"^ +expr: (?:\|\n)?((?:.+\n)(?:            .+\n)?)", RegexOptions.Multiline)]
    private static partial Regex RuleExpression();

    [GeneratedRegex(@"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \| ([^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("""[{,]([a-z_]+)=""")]
    private static partial Regex Label();

    /// <summary>A server that has done something of everything, and what it says of it.</summary>
    public sealed class Busy : IAsyncLifetime
    {
        static readonly ScriptedLeader s_leader = new(new FakeLog());

        // With checkpoints, and every request slow.
        readonly RestServer _server = new() { ChangeOptions = static options => options with { Config = options.Config with { SlowRequestMs = 1 }, Clock = new SlowedClock(), Dial = s_leader.DialAsync } };

        public string Text { get; private set; } = "";

        internal MetricsPage Page { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            await File.WriteAllTextAsync(
                _server.ConfigPath, "page_limit = 50\n[remotes.leader]\nendpoint = \"tcp://127.0.0.1:1\"\npublic_key = \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo\"\n", Cancellation);
            await _server.InitializeAsync();
            await _server.Host.Plugins.SetAsync(_server.Owner, "trail", EventDbx.Server.Plugins.PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
            await _server.AppendAsync("t", "1", "e", "{}");
            Assert.Equal(409, (await _server.PostAsync("/v1/events", """{"aggregate_type":"t","aggregate_id":"1","event_type":"e","payload":{},"expected_version":7}""")).Status);
            await _server.Host.Database.ReadCheckpointAsync(1, handOut: false, Cancellation);
            Page = MetricsPage.Parse(Text = (await _server.GetAsync("/metrics")).Body);
            using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (Page["""dbx_requests_slow_total{surface="rest"}"""] is null || Page["dbx_checkpoint_entries"] is null)
            {
                late.Token.ThrowIfCancellationRequested();
                Page = MetricsPage.Parse(Text = (await _server.GetAsync("/metrics")).Body);
            }

            // A mirror signs no checkpoints, so no server has all of it at once: what it tells as one is added.
            await FollowAsync();
            string[] known = [.. Text.Split('\n')];
            var asMirror = (await _server.GetAsync("/metrics")).Body;
            // How far behind it is, it knows when its leader has answered.
            using var unanswered = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (MetricsPage.Parse(asMirror) is var told && !(told.Names.Contains("dbx_follower_lag_entries") && told.Names.Contains("dbx_follower_contact_age_seconds")))
            {
                Assert.False(unanswered.IsCancellationRequested, $"the leader has not answered within a minute: {asMirror}");
                asMirror = (await _server.GetAsync("/metrics")).Body;
            }

            Page = MetricsPage.Parse(Text += string.Concat(asMirror.Split('\n')
                .Where(line => line.Contains("dbx_follower_", StringComparison.Ordinal) && !known.Contains(line)).Select(static line => $"{line}\n")));
        }

        public ValueTask DisposeAsync() => _server.DisposeAsync();

        /// <summary>It becomes the mirror of somebody who has the same history, when all has been written.</summary>
        async Task FollowAsync()
        {
            var database = _server.Host.Database;
            s_leader.Log.DatabaseId = database.DatabaseId;
            s_leader.Log.Append([.. Enumerable.Range(0, (int)database.LogSize).Select(static i => $"{i}")]);
            s_leader.Lie = page => page with { RootBefore = database.LogRoot, Root = database.LogRoot, End = page.End with { Root = database.LogRoot } };
            await _server.Host.Follower.FollowAsync(
                "leader",
                () => _server.Host.Admin.ChangePeersAsync(
                    async peers =>
                    {
                        await peers.FollowAsync(_server.Owner, "leader");
                        return true;
                    },
                    Cancellation),
                Cancellation);
        }

        /// <summary>A clock on which everything takes a hundred times as long.</summary>
        sealed class SlowedClock : TimeProvider
        {
            public override long GetTimestamp() => System.GetTimestamp() * 100;
        }
    }
}
