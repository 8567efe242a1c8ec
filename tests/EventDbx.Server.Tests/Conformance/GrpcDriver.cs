using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Protocol;
using EventDbx.Server.Tests.Grpc;
using EventDbx.Transfer;
using Grpc.Core;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>gRPC by the generated client, with a token whose actor is the one the command line has.</summary>
internal sealed class GrpcDriver : IDriver
{
    readonly CommandLine _line;
    readonly RunningServer _server;
    readonly GrpcClient _client;

    GrpcDriver(CommandLine line, RunningServer server, string token) => (_line, _server, _client) = (line, server, new(server.Port, token));

    public static async Task<GrpcDriver> StartAsync()
    {
        var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        var server = await RunningServer.StartAsync(line);
        var issued = await server.IssueAsync(new() { Group = "cli", User = Environment.UserName, Root = true, IssuedBy = "test" });
        return new(line, server, issued.Token);
    }

    /// <summary>What stays with REST and the command line; and a page of 0, which is the default page here.</summary>
    public static IReadOnlyList<string> LeftOut { get; } =
    [
        "replay none", "import with a misspelt member", "import records", "import records again",
        "a receipt", "a receipt in a larger tree", "a receipt in a smaller tree", "a receipt of an archived one", "a receipt of what is not there",
        "a receipt of nothing", "two roots", "the newest root", "a root that is not there", "the roots of nothing",
        "evidence", "evidence of nothing", "evidence of what has no name", "list none", "verify all",
    ];

    /// <summary>The token's.</summary>
    public ulong EntriesBefore => 1;

    EventService.EventServiceClient Events => _client.Events;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Task ApplySchemasAsync(string schemas) => DeclaredSchemas.ApplyAsync(Owner(), schemas);

    public Task<JsonNode?> AppendAsync(Append append) => Try(async () =>
    {
        var answer = await _client.AppendAsync(Request(append));
        return Json(answer.Event);
    });

    public Task<JsonNode?> CreateAsync(string type, string id, string? comment) => Try(async () =>
    {
        var request = new CreateAggregateRequest { AggregateType = type, AggregateId = id };
        if (comment is not null)
            request.Comment = comment;
        var made = Head((await Events.CreateAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate);
        return made;
    });

    public Task<JsonNode?> RemoveAsync(string type, string id) => Try(async () =>
    {
        await Events.RemoveAggregateAsync(new() { AggregateType = type, AggregateId = id }, _client.Headers, cancellationToken: Cancellation);
        return new JsonObject();
    });

    public Task<JsonNode?> ArchiveAsync(string type, string id, string? comment) => Try(async () =>
    {
        var request = new ArchiveAggregateRequest { AggregateType = type, AggregateId = id };
        if (comment is not null)
            request.Comment = comment;
        return Archived((await Events.ArchiveAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate);
    });

    public Task<JsonNode?> RestoreAsync(string type, string id, string? comment) => Try(async () =>
    {
        var request = new RestoreAggregateRequest { AggregateType = type, AggregateId = id };
        if (comment is not null)
            request.Comment = comment;
        return Archived((await Events.RestoreAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate);
    });

    public Task<JsonNode?> GetAsync(string type, string id, ulong? version, string? at, string? fields, bool typed) => Try(async () =>
    {
        var request = new GetAggregateRequest { AggregateType = type, AggregateId = id, Typed = true };
        if (version is { } wanted)
            request.Version = wanted;
        if (at is not null)
            request.At = at;
        if (fields is not null)
            request.Fields = fields;
        var kinds = (await Events.GetAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate;
        if (typed)
            return Json(kinds, kinds, typed: true);
        request.Typed = false;
        return Json((await Events.GetAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate, kinds, typed: false);
    });

    public Task<JsonNode?> GetEventAsync(string type, string id, ulong version) => Try(async () =>
        Json((await Events.GetEventAsync(new() { AggregateType = type, AggregateId = id, Version = version }, _client.Headers, cancellationToken: Cancellation)).Event));

    public Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take) => take == 0 ? NotOffered : Try(async () =>
    {
        var page = await Events.ListEventsAsync(
            new() { AggregateType = type, AggregateId = id, Skip = (uint)skip, Take = (uint)take }, _client.Headers, cancellationToken: Cancellation);
        return new JsonArray([.. page.Events.Select(JsonNode (record) => Json(record))]);
    });

    public Task<JsonNode?> ListAsync(Listed listed) => listed.Take == 0 ? NotOffered : Try(async () =>
    {
        var request = new ListAggregatesRequest { Take = (uint)listed.Take, Typed = true };
        if (listed.Skip is { } skip)
            request.Skip = (uint)skip;
        if (listed.Cursor is not null)
            request.Cursor = listed.Cursor;
        if (listed.Type is not null)
            request.AggregateType = listed.Type;
        if (listed.IdPrefix is not null)
            request.IdPrefix = listed.IdPrefix;
        if (listed.Archived is { } archived)
            request.Archived = archived;
        var kinds = await Events.ListAggregatesAsync(request, _client.Headers, cancellationToken: Cancellation);
        request.Typed = false;
        var page = await Events.ListAggregatesAsync(request, _client.Headers, cancellationToken: Cancellation);
        return new JsonObject
        {
            ["items"] = new JsonArray([.. page.Aggregates.Select(JsonNode (aggregate, i) => Json(aggregate, kinds.Aggregates[i], typed: false))]),
            ["cursor"] = page.HasNextCursor ? page.NextCursor : null,
        };
    });

    public Task<JsonNode?> VerifyAsync(string type, string id, bool quick) => Try(async () => new JsonObject
    {
        ["merkle_root"] = (await Events.VerifyAggregateAsync(
            new() { AggregateType = type, AggregateId = id, Level = quick ? VerifyLevel.Quick : VerifyLevel.Full }, _client.Headers, cancellationToken: Cancellation)).MerkleRoot,
    });

    public Task<JsonNode?> VerifyAllAsync() => NotOffered;

    public Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size) => NotOffered;

    public Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to) => NotOffered;

    public Task<JsonNode?> EvidenceAsync(string type, params string[] ids) => NotOffered;

    /// <summary>A batch, as an import makes one. Records with their own metadata come in by the engine: there is no method for them.</summary>
    public async Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines)
    {
        var parsed = lines.Select(line => (JsonObject)JsonNode.Parse(line)!).ToList();
        if (parsed.Exists(line => line["metadata"] is not null))
        {
            await new Importer(Owner(), null).RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines))), Cancellation);
            return null;
        }

        // What cannot be written down in a message.
        if (parsed.Exists(line => line["expectedVersion"] is not null))
            return null;
        var request = new AppendEventsRequest();
        foreach (var line in parsed)
        {
            request.Events.Add(new AppendEventRequest
            {
                AggregateType = line["aggregate_type"]!.GetValue<string>(), AggregateId = line["aggregate_id"]!.GetValue<string>(),
                EventType = line["event_type"]!.GetValue<string>(), PayloadJson = line["payload"]!.ToJsonString(), EventId = line["event_id"]!.GetValue<string>(),
            });
        }

        var answer = await Try(async () =>
        {
            var results = (await Events.AppendEventsAsync(request, _client.Headers, cancellationToken: Cancellation)).Results;
            Assert.Equal(lines.Count, results.Count);
            var known = results.Count(result => result.Known);
            if (known < lines.Count)
                await Owner().NoteImportAsync(lines.Count, lines.Count - known, known, Cancellation);
            return new JsonObject { ["lines"] = lines.Count, ["appended"] = lines.Count - known, ["known"] = known };
        });
        return answer!["refused"] is { } refused ? new JsonObject { ["refused"] = refused["code"]!.DeepClone() } : answer;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        _line.Dispose();
    }

    static Task<JsonNode?> NotOffered => Task.FromResult<JsonNode?>(null);

    Session Owner() => _server.Database.OpenSession(new("cli", Environment.UserName));

    static AppendEventRequest Request(Append append)
    {
        var request = new AppendEventRequest { AggregateType = append.Type, AggregateId = append.Id, EventType = append.Event };
        if (append.Patch is null)
            request.PayloadJson = append.Payload;
        else
            request.PatchJson = append.Patch;
        if (append.Note is not null)
            request.Note = append.Note;
        if (append.EventId is { } id)
            request.EventId = id.ToString();
        if (append.ExpectedVersion is { } expected)
            request.ExpectedVersion = expected;
        return request;
    }

    static async Task<JsonNode?> Try(Func<Task<JsonNode?>> act)
    {
        try
        {
            return await act();
        }
        catch (RpcException thrown)
        {
            var refusal = GrpcRefusal.Of(thrown);
            var json = new JsonObject { ["code"] = refusal.Code, ["message"] = refusal.Message, ["retryable"] = refusal.Retryable };
            foreach (var name in (string[])["actual_version", "operation"])
            {
                if (refusal.Info.Metadata.TryGetValue(name, out var number))
                    json[name] = ulong.Parse(number, CultureInfo.InvariantCulture);
            }

            if (refusal.BadRequest is { } bad)
            {
                json["details"] = new JsonArray([.. bad.FieldViolations.Select(
                    violation => new JsonObject { ["path"] = violation.Field, ["rule"] = violation.Reason, ["message"] = violation.Description })]);
            }

            return new JsonObject { ["refused"] = json };
        }
    }

    static JsonNode? Parse(string json) => JsonNode.Parse(json, documentOptions: new() { MaxDepth = 200 });

    static JsonObject Json(Event record)
    {
        var metadata = new JsonObject
        {
            ["event_id"] = record.Metadata.EventId, ["created_at"] = record.Metadata.CreatedAt,
            ["issued_by"] = record.Metadata.IssuedBy is { } by ? new JsonObject { ["group"] = by.Group, ["user"] = by.User } : null,
        };
        if (record.Metadata.HasNote)
            metadata["note"] = record.Metadata.Note;
        return new JsonObject
        {
            ["aggregate_type"] = record.AggregateType, ["aggregate_id"] = record.AggregateId, ["event_type"] = record.EventType, ["payload"] = Parse(record.PayloadJson),
            ["metadata"] = metadata, ["version"] = record.Version, ["hash"] = record.Hash, ["merkle_root"] = record.MerkleRoot, ["position"] = record.Position,
        };
    }

    static JsonObject Head(Aggregate aggregate) => new()
    {
        ["aggregate_type"] = aggregate.AggregateType, ["aggregate_id"] = aggregate.AggregateId, ["version"] = aggregate.Version,
        ["merkle_root"] = aggregate.MerkleRoot, ["archived"] = aggregate.Archived,
    };

    static JsonObject Archived(Aggregate aggregate) => new()
    {
        ["aggregate_type"] = aggregate.AggregateType, ["aggregate_id"] = aggregate.AggregateId, ["archived"] = aggregate.Archived,
    };

    /// <param name="aggregate">As it is shown.</param>
    /// <param name="kinds">The same, typed: says which texts are JSON.</param>
    /// <param name="typed">Whether all of them are.</param>
    static JsonObject Json(Aggregate aggregate, Aggregate kinds, bool typed)
    {
        var json = Head(aggregate);
        json["state"] = new JsonObject(aggregate.State.Select(field => KeyValuePair.Create(
            field.Key, typed || kinds.State[field.Key][0] is '{' or '[' ? Parse(field.Value) : JsonValue.Create(field.Value))));
        return json;
    }
}
