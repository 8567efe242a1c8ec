using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Transfer;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>GraphQL over TCP. What it has no field for (proofs, evidence, verifying everything, imports of records, schemas) the test does itself, so that what follows is the same.</summary>
internal sealed class GraphQLDriver : IDriver
{
    const string EventFields = "{ aggregate_type aggregate_id event_type payload metadata { event_id created_at issued_by { group user } note } version hash merkle_root position }";

    readonly CommandLine _line;
    readonly RunningServer _server;
    readonly HttpClient _http;
    readonly Session _session;

    GraphQLDriver(CommandLine line, RunningServer server, string token)
    {
        (_line, _server) = (line, server);
        _http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://127.0.0.1:{server.Port}") };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        _session = server.Database.OpenSession(new("cli", Environment.UserName));
    }

    public static async Task<GraphQLDriver> StartAsync()
    {
        var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        var server = await RunningServer.StartAsync(line);
        var issued = await server.IssueAsync(new() { Group = "cli", User = Environment.UserName, Root = true, IssuedBy = "test" });
        return new(line, server, issued.Token);
    }

    /// <summary>The token's.</summary>
    public ulong EntriesBefore => 1;

    public Task ApplySchemasAsync(string schemas) => DeclaredSchemas.ApplyAsync(_session, schemas);

    public async Task<JsonNode?> AppendAsync(Append append)
    {
        var input = Members(
            ("aggregate_type", Text(append.Type)), ("aggregate_id", Text(append.Id)), ("event_type", Text(append.Event)),
            (append.Patch is null ? "payload" : "patch", append.Patch ?? append.Payload), ("note", Text(append.Note)), ("event_id", Text(append.EventId?.ToString())),
            ("expected_version", append.ExpectedVersion?.ToString(CultureInfo.InvariantCulture)));
        return Record(await AskAsync($"mutation($input: AppendEventInput!) {{ it: appendEvent(input: $input) {EventFields} }}", $"{{\"input\":{input}}}"));
    }

    public Task<JsonNode?> CreateAsync(string type, string id, string? comment) => LifeAsync("createAggregate", "{ aggregate_type aggregate_id version merkle_root archived }", type, id, comment);

    public async Task<JsonNode?> RemoveAsync(string type, string id)
    {
        var answer = await AskAsync("mutation($t: String!, $i: String!) { it: removeAggregate(aggregate_type: $t, aggregate_id: $i) }", Named(type, id));
        return answer is JsonValue ? new JsonObject() : answer;
    }

    public Task<JsonNode?> ArchiveAsync(string type, string id, string? comment) => LifeAsync("archiveAggregate", "{ aggregate_type aggregate_id archived }", type, id, comment);

    public Task<JsonNode?> RestoreAsync(string type, string id, string? comment) => LifeAsync("restoreAggregate", "{ aggregate_type aggregate_id archived }", type, id, comment);

    public async Task<JsonNode?> GetAsync(string type, string id, ulong? version, string? at, string? fields, bool typed)
    {
        var answer = await AskAsync(
            """
            query($t: String!, $i: String!, $version: Long, $at: String, $typed: Boolean, $fields: [String!]) {
              it: aggregate(aggregate_type: $t, aggregate_id: $i, version: $version, at: $at) {
                aggregate_type aggregate_id version state(typed: $typed, fields: $fields) merkle_root archived
              }
            }
            """,
            Named(type, id, ("version", version?.ToString(CultureInfo.InvariantCulture)), ("at", Text(at)), ("typed", typed ? "true" : null),
                ("fields", fields is null ? null : new JsonArray([.. fields.Split(',').Select(part => (JsonNode)part)]).ToJsonString())));
        // Null is how this way in says that there is none; in words it says so of its events.
        return answer ?? await ReplayAsync(type, id, 0, 0);
    }

    public async Task<JsonNode?> GetEventAsync(string type, string id, ulong version) => Record(await AskAsync(
        $"query($t: String!, $i: String!, $version: Long!) {{ it: event(aggregate_type: $t, aggregate_id: $i, version: $version) {EventFields} }}",
        Named(type, id, ("version", version.ToString(CultureInfo.InvariantCulture)))));

    public async Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take)
    {
        var answer = await AskAsync(
            $"query($t: String!, $i: String!, $skip: Int, $take: Int) {{ it: aggregateEvents(aggregate_type: $t, aggregate_id: $i, skip: $skip, take: $take) {EventFields} }}",
            Named(type, id, ("skip", skip.ToString(CultureInfo.InvariantCulture)), ("take", take.ToString(CultureInfo.InvariantCulture))));
        foreach (var record in answer as JsonArray ?? [])
            Record(record);
        return answer;
    }

    public async Task<JsonNode?> ListAsync(Listed listed)
    {
        var answer = await AskAsync(
            """
            query($skip: Int, $take: Int, $cursor: String, $type: String, $prefix: String, $archived: Boolean) {
              it: aggregatesPage(skip: $skip, take: $take, cursor: $cursor, type: $type, id_prefix: $prefix, archived: $archived) {
                items { aggregate_type aggregate_id version state merkle_root archived } next_cursor
              }
            }
            """,
            Members(
                ("skip", listed.Skip?.ToString(CultureInfo.InvariantCulture)), ("take", listed.Take.ToString(CultureInfo.InvariantCulture)), ("cursor", Text(listed.Cursor)),
                ("type", Text(listed.Type)), ("prefix", Text(listed.IdPrefix)), ("archived", listed.Archived is { } archived ? (archived ? "true" : "false") : null)));
        return answer?["items"] is { } items ? new JsonObject { ["items"] = items.DeepClone(), ["cursor"] = answer["next_cursor"]?.DeepClone() } : answer;
    }

    public Task<JsonNode?> VerifyAsync(string type, string id, bool quick) => AskAsync(
        $"query($t: String!, $i: String!) {{ it: verifyAggregate(aggregate_type: $t, aggregate_id: $i, level: {(quick ? "quick" : "full")}) {{ merkle_root }} }}", Named(type, id));

    public Task<JsonNode?> VerifyAllAsync() => Task.FromResult<JsonNode?>(null);

    public Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size) => Task.FromResult<JsonNode?>(null);

    public Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to) => Task.FromResult<JsonNode?>(null);

    public Task<JsonNode?> EvidenceAsync(string type, params string[] ids) => Task.FromResult<JsonNode?>(null);

    /// <summary>Appends as a batch of it; records and the note that it was an import by the test.</summary>
    public async Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines)
    {
        if (lines[0].Contains("\"metadata\"", StringComparison.Ordinal))
        {
            var results = await _session.ImportAsync([.. lines.Select(line => ImportLine.Parse(Encoding.UTF8.GetBytes(line)).Record!)], TestContext.Current.CancellationToken);
            await NoteAsync(lines.Count, results.Count(result => !result.Appended));
            return null;
        }

        var answer = await AskAsync("mutation($input: [AppendEventInput!]!) { it: appendEvents(input: $input) { known events { version } } }", $"{{\"input\":[{string.Join(',', lines)}]}}");
        if (answer!["refused"] is { } refused)
        {
            // A member that the input does not have is no GraphQL at all, and refused in other words.
            return lines[0].Contains("expectedVersion", StringComparison.Ordinal) ? null : new JsonObject { ["refused"] = refused["code"]!.DeepClone() };
        }

        Assert.Equal(lines.Count, ((JsonArray)answer["events"]!).Count);
        return await NoteAsync(lines.Count, ((JsonArray)answer["known"]!).Count);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _line.Dispose();
    }

    async Task<JsonNode> NoteAsync(int lines, int known)
    {
        if (known < lines)
            await _session.NoteImportAsync(lines, lines - known, known, TestContext.Current.CancellationToken);
        return new JsonObject { ["lines"] = lines, ["appended"] = lines - known, ["known"] = known };
    }

    async Task<JsonNode?> LifeAsync(string field, string members, string type, string id, string? comment) => await AskAsync(
        $"mutation($t: String!, $i: String!, $comment: String) {{ it: {field}(aggregate_type: $t, aggregate_id: $i, comment: $comment) {members} }}", Named(type, id, ("comment", Text(comment))));

    /// <summary>What REST leaves out is null here.</summary>
    static JsonNode? Record(JsonNode? record)
    {
        if (record?["metadata"] is JsonObject metadata && metadata.TryGetPropertyValue("note", out var note) && note is null)
            metadata.Remove("note");
        return record;
    }

    static string Named(string type, string id, params (string Name, string? Value)[] more) => Members([("t", Text(type)), ("i", Text(id)), .. more]);

    static string Members(params (string Name, string? Value)[] members) =>
        "{" + string.Join(',', members.Where(member => member.Value is not null).Select(member => $"\"{member.Name}\":{member.Value}")) + "}";

    static string? Text(string? text) => text is null ? null : JsonValue.Create(text).ToJsonString();

    async Task<JsonNode?> AskAsync(string query, string variables)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(GraphQL.GraphQLCalls.Body(query, variables))) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var response = await _http.PostAsync(new Uri("/graphql", UriKind.Relative), content, TestContext.Current.CancellationToken);
        var answer = JsonNode.Parse(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), documentOptions: new() { MaxDepth = 200 })!;
        if (!response.IsSuccessStatusCode)
            return new JsonObject { ["refused"] = answer };
        return answer["errors"] is JsonArray errors ? new JsonObject { ["refused"] = Assert.Single(errors)!["extensions"]!.DeepClone() } : answer["data"]!["it"]?.DeepClone();
    }
}
