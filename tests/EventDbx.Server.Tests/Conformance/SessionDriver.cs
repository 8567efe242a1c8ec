using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Checkpoints;
using EventDbx.Reading;
using EventDbx.Schemas;
using EventDbx.Server.Checkpoints;
using EventDbx.Transfer;
using EventDbx.Verification;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>The engine itself, in this process: what every other way in is held against.</summary>
internal sealed class SessionDriver : IDriver
{
    readonly TemporaryDirectory _directory = new();
    readonly Database _database;
    readonly Session _session;

    public SessionDriver()
    {
        _database = Database.Open(new() { Directory = _directory.Path, Encrypted = false, Signer = () => KeyFile.OfLog(_directory.Path) });
        _session = _database.OpenSession(new("cli", Environment.UserName));
    }

    public ulong EntriesBefore => 0;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Task ApplySchemasAsync(string schemas) => DeclaredSchemas.ApplyAsync(_session, schemas);

    public Task<JsonNode?> AppendAsync(Append append) => Try(async () =>
    {
        var result = await _session.AppendAsync(
            new()
            {
                Aggregate = AggregateKey.Create(append.Type, append.Id), EventType = append.Event, Payload = append.Patch is null ? Encoding.UTF8.GetBytes(append.Payload) : default, Patch = append.Patch is null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(append.Patch),
                EventId = append.EventId, ExpectedVersion = append.ExpectedVersion, Note = append.Note,
            },
            Cancellation);
        return Json(output => RecordJson.WriteRecord(output, result.Record));
    });

    public Task<JsonNode?> CreateAsync(string type, string id, string? comment) => Try(async () =>
    {
        var made = Json(await _session.CreateAsync(AggregateKey.Create(type, id), comment, Cancellation));
        ((JsonObject)made!).Remove("state");
        return made;
    });

    public Task<JsonNode?> RemoveAsync(string type, string id) => Try(async () =>
    {
        await _session.RemoveAsync(AggregateKey.Create(type, id), Cancellation);
        return new JsonObject();
    });

    public Task<JsonNode?> ArchiveAsync(string type, string id, string? comment) => Try(async () =>
        Archived(await _session.ArchiveAsync(AggregateKey.Create(type, id), comment, Cancellation)));

    public Task<JsonNode?> RestoreAsync(string type, string id, string? comment) => Try(async () =>
        Archived(await _session.RestoreAsync(AggregateKey.Create(type, id), comment, Cancellation)));

    public Task<JsonNode?> GetAsync(string type, string id, ulong? version, string? at, string? fields, bool typed) => Try(() =>
    {
        var aggregate = AggregateKey.Create(type, id);
        FieldSelection? selection = null;
        if (fields is not null)
            Assert.True(FieldSelection.TryParse(fields, out selection, out _));
        Timestamp moment = default;
        if (at is not null)
            Assert.True(Timestamp.TryParse(at, out moment, out _));
        var state = version is { } wanted ? _session.GetAggregate(aggregate, wanted)
            : at is not null ? _session.GetAggregate(aggregate, moment)
            : _session.GetAggregate(aggregate);
        return Task.FromResult(Json(output => RecordJson.WriteState(output, state, typed, selection)));
    });

    public Task<JsonNode?> GetEventAsync(string type, string id, ulong version) => Try(() =>
        Task.FromResult(Json(output => RecordJson.WriteRecord(output, _session.GetEvent(AggregateKey.Create(type, id), version)))));

    public Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take) => Try(() =>
    {
        var page = _session.GetEvents(AggregateKey.Create(type, id), (ulong)skip + 1, (int)take);
        return Task.FromResult<JsonNode?>(new JsonArray([.. page.Items.Select(record => Json(output => RecordJson.WriteRecord(output, record)))]));
    });

    public Task<JsonNode?> ListAsync(Listed listed) => Try(() =>
    {
        var page = _session.GetAggregates(
            new() { Type = listed.Type, IdPrefix = listed.IdPrefix, Archived = listed.Archived },
            listed.Cursor is null ? null : Base64Url.DecodeFromChars(listed.Cursor), listed.Skip ?? 0, listed.Take, withState: true);
        return Task.FromResult<JsonNode?>(new JsonObject
        {
            ["items"] = new JsonArray([.. page.Items.Select(Json)]),
            ["cursor"] = page.Next is null || listed.Take == 0 ? null : Base64Url.EncodeToString(page.Next),
        });
    });

    public Task<JsonNode?> VerifyAsync(string type, string id, bool quick) => Try(async () =>
    {
        var result = await _session.VerifyAsync(AggregateKey.Create(type, id), quick ? VerifyLevel.Quick : VerifyLevel.Full, Cancellation);
        return new JsonObject { ["merkle_root"] = result.MerkleRoot.ToString() };
    });

    public Task<JsonNode?> VerifyAllAsync() => Try(async () =>
    {
        var result = await _session.VerifyAllAsync(null, Cancellation);
        return new JsonObject { ["events"] = result.Events, ["aggregates"] = result.Aggregates, ["archived"] = result.Archived };
    });

    public Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size) => Try(async () =>
    {
        var receipt = await _session.ProveEventAsync(AggregateKey.Create(type, id), version, size, Cancellation);
        return Json(output => ProofJson.Write(output, receipt));
    }).Then(Proven.Receipt);

    public Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to) => Try(async () =>
    {
        var proof = await _session.ProveAggregateAsync(AggregateKey.Create(type, id), from, to, Cancellation);
        return Json(output => ProofJson.Write(output, proof));
    }).Then(Proven.Consistency);

    public Task<JsonNode?> EvidenceAsync(string type, params string[] ids) => Try(async () =>
    {
        using var reading = await _session.OpenEvidenceAsync(new() { Aggregates = [.. ids.Select(id => AggregateKey.Create(type, id))] }, Cancellation);
        var output = new ArrayBufferWriter<byte>();
        while (await reading.ReadAsync(output, Cancellation))
        {
        }

        return Proven.Bundle(Encoding.UTF8.GetString(output.WrittenSpan));
    });

    public async Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines)
    {
        try
        {
            var summary = await new Importer(_session, null).RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines))), Cancellation);
            return new JsonObject { ["lines"] = summary.Lines, ["appended"] = summary.Appended, ["known"] = summary.Known };
        }
        catch (ImportRefusedException refused)
        {
            return new JsonObject { ["refused"] = refused.Refusal.Name };
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _directory.Dispose();
    }

    static async Task<JsonNode?> Try(Func<Task<JsonNode?>> act)
    {
        try
        {
            return await act();
        }
        catch (RefusedException refused)
        {
            var refusal = refused.Refusal;
            var json = new JsonObject { ["code"] = refusal.Name, ["message"] = refusal.Message, ["retryable"] = refusal.Retryable };
            if (refusal.ActualVersion is { } actual)
                json["actual_version"] = actual;
            if (refusal.Operation is { } operation)
                json["operation"] = operation;
            if (refusal.Violations is { } violations)
            {
                json["details"] = new JsonArray([.. violations.Select(
                    violation => new JsonObject { ["path"] = violation.Path, ["rule"] = SchemaRules.NameOf(violation.Rule), ["message"] = violation.Message })]);
            }

            return new JsonObject { ["refused"] = json };
        }
    }

    static JsonNode? Json(AggregateState state) => Json(output => RecordJson.WriteState(output, state));

    static JsonObject Archived(AggregateState state) => new()
    {
        ["aggregate_type"] = state.Aggregate.Type, ["aggregate_id"] = state.Aggregate.Id, ["archived"] = state.Archived,
    };

    static JsonNode? Json(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return JsonNode.Parse(output.WrittenSpan, documentOptions: new() { MaxDepth = 200 });
    }
}
