using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Schemas;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>REST over TCP, with a token whose actor is the one the command line has.</summary>
internal sealed class RestDriver : IDriver
{
    readonly CommandLine _line;
    readonly RunningServer _server;
    readonly HttpClient _http;

    RestDriver(CommandLine line, RunningServer server, string token)
    {
        (_line, _server) = (line, server);
        _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = new($"http://127.0.0.1:{server.Port}") };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", token);
    }

    public static async Task<RestDriver> StartAsync()
    {
        var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        var server = await RunningServer.StartAsync(line);
        var issued = await server.IssueAsync(new() { Group = "cli", User = Environment.UserName, Root = true, IssuedBy = "test" });
        return new(line, server, issued.Token);
    }

    /// <summary>The token's.</summary>
    public ulong EntriesBefore => 1;

    public async Task ApplySchemasAsync(string schemas)
    {
        foreach (var schema in DeclaredSchemas.Read(schemas))
        {
            var change = new ArrayBufferWriter<byte>();
            SchemaEditJson.Write(change, [SchemaEdit.Replace(schema)]);
            var changed = await AskAsync(HttpMethod.Patch, $"/admin/schemas/{Uri.EscapeDataString(schema.Aggregate)}", [], _ => change.WrittenSpan.ToArray());
            Assert.True(changed!["refused"] is null, changed.ToJsonString());
        }
    }

    public Task<JsonNode?> AppendAsync(Append append) => AskAsync(HttpMethod.Post, "/v1/events", new JsonObject
    {
        ["aggregate_type"] = append.Type, ["aggregate_id"] = append.Id, ["event_type"] = append.Event,
    }, members => Encoding.UTF8.GetBytes(string.Concat(
        members.ToJsonString()[..^1], append.Patch is null ? ",\"payload\":" : ",\"patch\":", append.Patch ?? append.Payload,
        append.Note is null ? "" : $",\"note\":{JsonValue.Create(append.Note).ToJsonString()}",
        append.EventId is null ? "" : $",\"event_id\":\"{append.EventId}\"",
        append.ExpectedVersion is { } expected ? string.Create(CultureInfo.InvariantCulture, $",\"expected_version\":{expected}") : "",
        "}")));

    public Task<JsonNode?> CreateAsync(string type, string id, string? comment) =>
        AskAsync(HttpMethod.Put, Path(type, id), Comment(comment)).Then(answer => ((JsonObject)answer).Remove("state"));

    public Task<JsonNode?> RemoveAsync(string type, string id) => AskAsync(HttpMethod.Delete, Path(type, id));

    public Task<JsonNode?> ArchiveAsync(string type, string id, string? comment) =>
        AskAsync(HttpMethod.Post, $"{Path(type, id)}/archive", Comment(comment)).Then(Lifecycle);

    public Task<JsonNode?> RestoreAsync(string type, string id, string? comment) =>
        AskAsync(HttpMethod.Post, $"{Path(type, id)}/restore", Comment(comment)).Then(Lifecycle);

    public Task<JsonNode?> GetAsync(string type, string id, ulong? version, string? at, string? fields, bool typed) => AskAsync(
        HttpMethod.Get, Path(type, id) + Query(("version", version?.ToString(CultureInfo.InvariantCulture)), ("at", at), ("fields", fields), ("typed", typed ? "true" : null)));

    public Task<JsonNode?> GetEventAsync(string type, string id, ulong version) =>
        AskAsync(HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"{Path(type, id)}/events/{version}"));

    public Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take) => AskAsync(
        HttpMethod.Get,
        $"{Path(type, id)}/events" + Query(("skip", skip.ToString(CultureInfo.InvariantCulture)), ("take", take.ToString(CultureInfo.InvariantCulture))));

    public async Task<JsonNode?> ListAsync(Listed listed)
    {
        using var response = await SendAsync(HttpMethod.Get, "/v1/aggregates" + Query(
            ("skip", listed.Skip?.ToString(CultureInfo.InvariantCulture)), ("take", listed.Take.ToString(CultureInfo.InvariantCulture)), ("cursor", listed.Cursor),
            ("type", listed.Type), ("id_prefix", listed.IdPrefix), ("archived", listed.Archived is { } archived ? (archived ? "true" : "false") : null)), null);
        var answer = await AnswerAsync(response);
        return answer is JsonArray ? new JsonObject
        {
            ["items"] = answer,
            ["cursor"] = response.Headers.TryGetValues("X-Next-Cursor", out var next) ? next.Single() : null,
        } : answer;
    }

    public Task<JsonNode?> VerifyAsync(string type, string id, bool quick) => AskAsync(HttpMethod.Get, $"{Path(type, id)}/verify" + Query(("level", quick ? "quick" : "full")))
        .Then(answer => Keep(answer, "merkle_root"));

    public async Task<JsonNode?> VerifyAllAsync()
    {
        using var response = await SendAsync(HttpMethod.Post, "/v1/verify", null);
        var lines = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var last = JsonNode.Parse(lines[^1])!;
        if (last["code"] is not null)
            return new JsonObject { ["refused"] = last };
        last = last["result"] ?? last;
        Keep(last, "events", "aggregates", "archived");
        return last.DeepClone();
    }

    public Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size) => AskAsync(
        HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"{Path(type, id)}/events/{version}/proof") + Query(("size", size?.ToString(CultureInfo.InvariantCulture))))
        .Then(Proven.Receipt);

    public Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to) => AskAsync(
        HttpMethod.Get, $"{Path(type, id)}/proof" + Query(("from", from.ToString(CultureInfo.InvariantCulture)), ("to", to?.ToString(CultureInfo.InvariantCulture))))
        .Then(Proven.Consistency);

    public async Task<JsonNode?> EvidenceAsync(string type, params string[] ids)
    {
        var body = new JsonObject { ["aggregates"] = new JsonArray([.. ids.Select(id => new JsonObject { ["aggregate_type"] = type, ["aggregate_id"] = id })]) };
        using var response = await SendAsync(HttpMethod.Post, "/v1/evidence", Encoding.UTF8.GetBytes(body.ToJsonString()));
        return response.IsSuccessStatusCode
            ? Proven.Bundle(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
            : await AnswerAsync(response);
    }

    /// <summary>As an import does it: a batch, then the note that it was one.</summary>
    public async Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines)
    {
        var records = lines[0].Contains("\"metadata\"", StringComparison.Ordinal);
        var answer = await AskAsync(
            HttpMethod.Post, records ? "/v1/records" : "/v1/events/batch", [],
            _ => Encoding.UTF8.GetBytes($"{{\"{(records ? "records" : "events")}\":[{string.Join(',', lines)}]}}"));
        if (answer!["refused"] is { } refused)
            return new JsonObject { ["refused"] = refused["code"]!.DeepClone() };
        var known = ((JsonArray)answer["known"]!).Count;
        Assert.Equal(lines.Count, ((JsonArray)answer["events"]!).Count);
        var summary = new JsonObject { ["lines"] = lines.Count, ["appended"] = lines.Count - known, ["known"] = known };
        if (known < lines.Count)
            Assert.Equal("{}", (await AskAsync(HttpMethod.Post, "/v1/imports", summary))!.ToJsonString());
        return summary;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _line.Dispose();
    }

    static string Path(string type, string id) => $"/v1/aggregates/{Uri.EscapeDataString(type)}/{Uri.EscapeDataString(id)}";

    static string Query(params (string Name, string? Value)[] parameters)
    {
        var given = parameters.Where(parameter => parameter.Value is not null).Select(parameter => $"{parameter.Name}={Uri.EscapeDataString(parameter.Value!)}").ToList();
        return given.Count == 0 ? "" : "?" + string.Join('&', given);
    }

    static JsonObject? Comment(string? comment) => comment is null ? null : new() { ["comment"] = comment };

    static void Lifecycle(JsonNode answer) => Keep(answer, "aggregate_type", "aggregate_id", "archived");

    static void Keep(JsonNode answer, params string[] members)
    {
        foreach (var other in ((JsonObject)answer).Select(member => member.Key).Except(members).ToList())
            ((JsonObject)answer).Remove(other);
    }

    async Task<JsonNode?> AskAsync(HttpMethod method, string target, JsonObject? members = null, Func<JsonObject, byte[]>? write = null)
    {
        using var response = await SendAsync(method, target, members is null ? null : write?.Invoke(members) ?? Encoding.UTF8.GetBytes(members.ToJsonString()));
        return await AnswerAsync(response);
    }

    async Task<HttpResponseMessage> SendAsync(HttpMethod method, string target, byte[]? body)
    {
        Assert.True(Uri.TryCreate($"http://127.0.0.1:{_server.Port}{target}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }, out var uri));
        using var request = new HttpRequestMessage(method, uri);
        if (body is not null)
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        return await _http.SendAsync(request, TestContext.Current.CancellationToken);
    }

    static async Task<JsonNode?> AnswerAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        var answer = body.Length == 0 ? new JsonObject() : JsonNode.Parse(body, documentOptions: new() { MaxDepth = 200 });
        return response.IsSuccessStatusCode ? answer : new JsonObject { ["refused"] = answer };
    }
}
