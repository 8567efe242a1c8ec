using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tests.Daemon;

namespace EventDbx.Server.Tests;

/// <summary>The forms that the published description shows, as they stand there, in an empty home.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class PublishedFormsTests
{
    [Fact]
    public async Task Server_tokens_aggregates_and_rest_work_as_published()
    {
        await using var dbx = new Dbx();
        async Task<string> Run(params string[] arguments)
        {
            var ended = await dbx.RunAsync(arguments);
            Assert.True(ended.Code == 0, $"dbx {string.Join(' ', arguments)}: {ended.Error}");
            return ended.Out;
        }

        // Without a server: the settings of the examples, and the quick start's own append, by position.
        var config = Path.Combine(dbx.Home.Path, ".eventdbx", "config.toml");
        Directory.CreateDirectory(Path.GetDirectoryName(config)!);
        await File.WriteAllTextAsync(config, "[api]\nrest = true\ngraphql = true\ngrpc = true\n", TestContext.Current.CancellationToken);
        await Run("aggregate", "apply", "person", "p-002", "patient-added", "--field", "name=Jane Doe", "--field", "status=active");
        await Run("config", "--admin-bind", "127.0.0.1", "--admin-port", "7171", "--admin-master-key", "rotate-me-please");
        await Run("start", "--port=0", "--bind=127.0.0.1");
        var status = JsonDocument.Parse(await Run("status", "--json")).RootElement;
        var token = (await Run("token", "generate", "--group", "admin", "--user", "jane", "--expiration", "3600")).Split('\n')[0]["token=".Length..];

        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{status.GetProperty("port").GetInt32()}") };
        using (var health = await http.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken))
            Assert.Equal("""{"status":"ok"}""", await health.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        using (var closed = await http.GetAsync(new Uri("/v1/aggregates", UriKind.Relative), TestContext.Current.CancellationToken))
            Assert.Equal(HttpStatusCode.Unauthorized, closed.StatusCode);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var body = new StringContent(
            """{"aggregate_type":"patient","aggregate_id":"p-001","event_type":"patient-updated","payload":{"status":"inactive","comment":"Archived via REST"}}""",
            Encoding.UTF8, "application/json");
        using (var appended = await http.PostAsync(new Uri("/v1/events", UriKind.Relative), body, TestContext.Current.CancellationToken))
            await IsRecordAsync(appended);

        var listed = await GetAsync(http, "/v1/aggregates");
        Assert.Equal(["patient", "person"], listed.EnumerateArray().Select(item => item.GetProperty("aggregate_type").GetString()));
        Assert.Equal(["aggregate_type", "aggregate_id", "version", "state", "merkle_root", "archived"], Names(listed[0]));
        Assert.Equal("inactive", (await GetAsync(http, "/v1/aggregates/patient/p-001")).GetProperty("state").GetProperty("status").GetString());
        Assert.Equal(1, (await GetAsync(http, "/v1/aggregates/patient/p-001/events?skip=0&take=10")).GetArrayLength());
        Assert.Equal(64, (await GetAsync(http, "/v1/aggregates/patient/p-001/verify")).GetProperty("merkle_root").GetString()!.Length);

        await GraphQLAsPublishedAsync(http);

        // With the server: the published synopses, by name.
        await Run("aggregate", "apply", "--aggregate", "patient", "--aggregate-id", "p-001", "--event", "patient-updated", "--payload", """{"status":"active"}""", "--token", token, "--note", "by name");
        await Run("aggregate", "list", "--skip", "0", "--take", "5");
        await Run("aggregate", "get", "--aggregate", "patient", "--aggregate-id", "p-001", "--version", "1", "--include-events");
        await Run("aggregate", "replay", "--aggregate", "patient", "--aggregate-id", "p-001", "--skip", "0", "--take", "1");
        await Run("aggregate", "verify", "--aggregate", "patient", "--aggregate-id", "p-001");
        await Run("aggregate", "archive", "--aggregate", "patient", "--aggregate-id", "p-001", "--comment", "closed");
        await Run("aggregate", "restore", "--aggregate", "patient", "--aggregate-id", "p-001", "--comment", "open");
        await Run("token", "list");
        var refreshed = (await Run("token", "refresh", "--token", token, "--expiration", "60", "--limit", "5")).Split('\n').First(line => line.StartsWith("token=", StringComparison.Ordinal))[6..];
        await Run("token", "revoke", "--token", refreshed);
        await Run("restart", "--port=0");
        await Run("stop");
        await Run("status");
        await Run("destroy", "--yes");
        Assert.False(File.Exists(config));
    }

    [Fact]
    public async Task Plugins_are_set_up_as_published()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The program is a script for a shell.");
        await using var dbx = new Dbx();
        await File.WriteAllTextAsync(dbx.Home["dbx_search"], "#!/bin/sh\nexec cat > /dev/null\n", TestContext.Current.CancellationToken);
        foreach (var (line, said) in ((string[], string)[])
        [
            (["plugin", "install", "dbx_search", "1.0.0", "--source", "dbx_search"], "installed plugin 'dbx_search' v1.0.0 for "),
            (["plugin", "config", "process", "--name", "search", "--plugin", "dbx_search", "--version", "1.0.0", "--arg", "--listen=0.0.0.0:8081", "--env", "SEARCH_CLUSTER=https://example.com"], "Process plugin 'search' configured"),
            (["plugin", "enable", "search"], "Plugin 'search' is already enabled"),
            (["plugin", "config", "grpc", "--name", "audit-grpc", "--endpoint", "grpc://replica.internal:8800"], "gRPC plugin 'audit-grpc' configured"),
            (["plugin", "list"], "grpc (audit-grpc) - enabled (disable with plugin disable audit-grpc)"),
            (["queue"], "pending=0 dead=0"),
        ])
        {
            var ended = await dbx.RunAsync(line);
            Assert.True(ended.Code == 0 && ended.Out.Contains(said, StringComparison.Ordinal), $"dbx {string.Join(' ', line)}: {ended}");
        }

        // "once connectivity is confirmed": nobody is there, so it is not, and what was kept stays.
        var unreached = await dbx.RunAsync("plugin", "enable", "audit-grpc");
        Assert.Equal(1, unreached.Code);
        Assert.Contains("failed to establish connection for 'audit-grpc'", unreached.Error, StringComparison.Ordinal);
        var kept = JsonDocument.Parse((await dbx.RunAsync("plugin", "list", "--json")).Out).RootElement[1];
        // An argument may hold a secret.
        Assert.Equal("""["(hidden)"]""", kept.GetProperty("config").GetProperty("args").GetRawText().ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal(["type", "name", "version", "args", "env", "working_dir"], Names(kept.GetProperty("config")));
    }

    [Fact]
    public async Task The_demo_runs_to_its_end_and_leaves_nothing_behind()
    {
        await using var dbx = new Dbx();
        var before = Demos();

        var told = await dbx.RunAsync("demo");

        Assert.True(told.Code == 0, told.Out + told.Error);
        foreach (var said in (string[])["\"code\":\"version_conflict\"", "(status 409)", "verified 3 events", "was changed since it was closed", "(exit code 4)", "$ curl -s ", "$ dbx start "])
            Assert.Contains(said, told.Out, StringComparison.Ordinal);
        Assert.Equal(before, Demos());
        Assert.False(Directory.Exists(Path.Combine(dbx.Home.Path, ".eventdbx")));

        static string[] Demos() => [.. Directory.GetDirectories(Path.GetTempPath(), "eventdbx-demo-*").Order(StringComparer.Ordinal)];
    }

    /// <summary>The bodies of POST /graphql as they stand there; only the hash of a root is its own each time.</summary>
    static async Task GraphQLAsPublishedAsync(HttpClient http)
    {
        async Task<string> PostAsync(string body)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using var answer = await http.PostAsync(new Uri("/graphql", UriKind.Relative), content, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        }

        var recent = await PostAsync("""{"query":"query RecentAggregates($take: Int!) { aggregates(take: $take) { aggregate_type aggregate_id version merkle_root state } }","variables":{"take":5}}""");
        Assert.Matches("""^\{"data":\{"aggregates":\[\{"aggregate_type":"patient","aggregate_id":"p-001","version":1,"merkle_root":"[0-9a-f]{64}","state":\{"comment":"Archived via REST","status":"inactive"\}\},\{"aggregate_type":"person",.*\}\]\}\}$""", recent);
        Assert.Equal(
            """{"data":{"appendEvent":{"aggregate_type":"patient","aggregate_id":"p-001","version":2,"payload":{"status":"inactive","comment":"Archived via GraphQL"}}}}""",
            await PostAsync(
                """
                {"query":"mutation Append($input: AppendEventInput!) { appendEvent(input: $input) { aggregate_type aggregate_id version payload } }",
                 "variables":{"input":{"aggregate_type":"patient","aggregate_id":"p-001","event_type":"patient-updated","payload":{"status":"inactive","comment":"Archived via GraphQL"}}}}
                """));
    }

    static async Task IsRecordAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var record = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal(["aggregate_type", "aggregate_id", "event_type", "payload", "metadata", "version", "hash", "merkle_root", "position"], Names(record));
        Assert.Equal(["event_id", "created_at", "issued_by"], Names(record.GetProperty("metadata")));
        Assert.Equal(["group", "user"], Names(record.GetProperty("metadata").GetProperty("issued_by")));
    }

    static async Task<JsonElement> GetAsync(HttpClient http, string path)
    {
        using var answer = await http.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    static IEnumerable<string> Names(JsonElement json) => json.EnumerateObject().Select(member => member.Name);
}
