using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Rest;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Replication.Transfer;

/// <summary>Push and pull as JSON: what is asked, and what is told (docs/rest.md), each written and read.</summary>
public static class TransferJson
{
    static readonly string[] Members = ["remote", "dry_run", "schema", "schema_only", "replace", "batch_size", "aggregates", "aggregate_ids"];

    static readonly string[] AggregateMembers = ["aggregate_type", "aggregate_id"];

    /// <summary>The body of a request; its direction stands in the path.</summary>
    public static void WriteRequest(IBufferWriter<byte> output, TransferRequest request)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("remote"u8, request.Remote);
        json.WriteBoolean("dry_run"u8, request.DryRun);
        json.WriteBoolean("schema"u8, request.Schemas);
        json.WriteBoolean("schema_only"u8, request.SchemasOnly);
        json.WriteBoolean("replace"u8, request.ReplaceSchemas);
        json.WriteNumber("batch_size"u8, request.BatchSize);
        json.WriteStartArray("aggregates"u8);
        foreach (var type in request.Filter.Types)
            json.WriteStringValue(type);
        json.WriteEndArray();
        json.WriteStartArray("aggregate_ids"u8);
        foreach (var aggregate in request.Filter.Aggregates)
        {
            json.WriteStartObject();
            json.WriteString("aggregate_type"u8, aggregate.Type);
            json.WriteString("aggregate_id"u8, aggregate.Id);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <exception cref="RefusedException">It is none.</exception>
    internal static TransferRequest ReadRequest(TransferDirection direction, ReadOnlyMemory<byte> body) => RequestJson.Read(body, (ref json, _) =>
    {
        (string? remote, var asked, var seen) = (null, new TransferRequest { Direction = direction, Remote = "" }, 0);
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "a request for a push or pull", Members, ref seen, out var member))
        {
            var name = Members[member];
            switch (name)
            {
                case "remote":
                    remote = RequestJson.Text(ref json, name);
                    break;
                case "dry_run":
                    asked = asked with { DryRun = Truth(ref json, name) };
                    break;
                case "schema":
                    asked = asked with { Schemas = Truth(ref json, name) };
                    break;
                case "schema_only":
                    asked = asked with { SchemasOnly = Truth(ref json, name) };
                    break;
                case "replace":
                    asked = asked with { ReplaceSchemas = Truth(ref json, name) };
                    break;
                case "batch_size":
                    asked = asked with { BatchSize = RequestJson.Number(ref json, name) ?? TransferRequest.BatchSizeDefault };
                    break;
                case "aggregates":
                    asked = asked with { Filter = asked.Filter with { Types = Types(ref json, name) } };
                    break;
                default:
                    asked = asked with { Filter = asked.Filter with { Aggregates = Aggregates(ref json, name) } };
                    break;
            }
        }

        return asked with { Remote = JsonReading.Required(remote, "remote") };
    });

    /// <summary>How far a transfer is: one line, without its end.</summary>
    public static void Write(IBufferWriter<byte> output, TransferProgress progress)
    {
        var members = new JsonMembers(output);
        members.Text("phase"u8, NameOf(progress.Phase));
        members.Number("done"u8, progress.Done);
        members.NumberOrNull("total"u8, progress.Total);
        if (progress.SoFar is { } report)
        {
            output.Write(",\"so_far\":"u8);
            Write(output, report);
        }

        members.End();
    }

    /// <summary>A report.</summary>
    public static void Write(IBufferWriter<byte> output, TransferReport report)
    {
        using var json = new Utf8JsonWriter(output, SchemasAsText);
        json.WriteStartObject();
        json.WriteString("direction"u8, report.Direction == TransferDirection.Push ? "push"u8 : "pull"u8);
        json.WriteString("remote"u8, report.Remote);
        json.WriteBoolean("dry_run"u8, report.DryRun);
        if (report.Events is { } events)
            Write(json, events);
        else
            json.WriteNull("events"u8);
        if (report.Schemas is { } schemas)
            Write(json, schemas);
        else
            json.WriteNull("schemas"u8);
        json.WriteEndObject();
    }

    /// <summary>Reads a line of progress; null for one of a phase that a newer server has.</summary>
    public static TransferProgress? ReadProgress(JsonElement json) =>
        PhaseOf(json.GetProperty("phase").GetString()) is not { } phase ? null
        : new(phase, json.GetProperty("done").GetUInt64(), json.GetProperty("total") is { ValueKind: JsonValueKind.Number } total ? total.GetUInt64() : null)
        {
            SoFar = json.TryGetProperty("so_far", out var soFar) ? ReadReport(soFar) : null,
        };

    /// <summary>Reads a report.</summary>
    public static TransferReport ReadReport(JsonElement json) => new()
    {
        Direction = json.GetProperty("direction").GetString() == "push" ? TransferDirection.Push : TransferDirection.Pull,
        Remote = json.GetProperty("remote").GetString()!,
        DryRun = json.GetProperty("dry_run").GetBoolean(),
        Events = json.GetProperty("events") is not { ValueKind: JsonValueKind.Object } events ? null : new()
        {
            UpToDate = events.GetProperty("up_to_date").GetBoolean(),
            Types = [.. events.GetProperty("types").EnumerateArray().Select(static type => new TypeCount(type.GetProperty("aggregate_type").GetString()!, type.GetProperty("events").GetUInt64()))],
            Marked = events.GetProperty("marked").GetUInt64(),
        },
        Schemas = json.GetProperty("schemas") is not { ValueKind: JsonValueKind.Object } schemas ? null : new(
            [.. schemas.GetProperty("changes").EnumerateArray().Select(static change => new SchemaChangeReport(
                change.GetProperty("aggregate_type").GetString()!, ChangeOf(change.GetProperty("change").GetString()), change.GetProperty("events").GetInt32(),
                [.. change.GetProperty("details").EnumerateArray().Select(static line => line.GetString()!)]))],
            schemas.GetProperty("kept").GetInt32()),
    };

    static readonly JsonWriterOptions SchemasAsText = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static void Write(Utf8JsonWriter json, EventsReport events)
    {
        json.WriteStartObject("events"u8);
        json.WriteBoolean("up_to_date"u8, events.UpToDate);
        json.WriteNumber("events"u8, events.Events);
        json.WriteStartArray("types"u8);
        foreach (var type in events.Types)
        {
            json.WriteStartObject();
            json.WriteString("aggregate_type"u8, type.Type);
            json.WriteNumber("events"u8, type.Events);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("marked"u8, events.Marked);
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, SchemasReport schemas)
    {
        json.WriteStartObject("schemas"u8);
        json.WriteStartArray("changes"u8);
        foreach (var change in schemas.Changes)
        {
            json.WriteStartObject();
            json.WriteString("aggregate_type"u8, change.Aggregate);
            json.WriteString("change"u8, NameOf(change.Kind));
            json.WriteNumber("events"u8, change.Events);
            json.WriteStartArray("details"u8);
            foreach (var line in change.Details)
                json.WriteStringValue(line);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("kept"u8, schemas.Kept);
        json.WriteEndObject();
    }

    static bool Truth(ref Utf8JsonReader json, string name) => json.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False or JsonTokenType.Null => false,
        var found => throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is true or false; this one is {RequestJson.Found(found)}."),
    };

    static List<string> Types(ref Utf8JsonReader json, string name)
    {
        List<string> types = [];
        BeginArray(ref json, name);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            var type = RequestJson.Text(ref json, name);
            if (Names.Check("aggregate_type", type, Limits.TypeBytesMax) is { } refusal)
                throw new RefusedException(refusal);
            types.Add(type!);
        }

        return types;
    }

    static List<AggregateKey> Aggregates(ref Utf8JsonReader json, string name)
    {
        List<AggregateKey> aggregates = [];
        BeginArray(ref json, name);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            (string? type, string? id, var seen) = (null, null, 0);
            RequestJson.BeginObject(ref json, $"Each of `{name}`");
            while (RequestJson.NextMember(ref json, "an aggregate", AggregateMembers, ref seen, out var member))
            {
                if (member == 0)
                    type = RequestJson.Text(ref json, AggregateMembers[member]);
                else
                    id = RequestJson.Text(ref json, AggregateMembers[member]);
            }

            aggregates.Add(AggregateKey.Create(type, id));
        }

        return aggregates;
    }

    static void BeginArray(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType != JsonTokenType.StartArray)
            throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is an array; this one is {RequestJson.Found(json.TokenType)}.");
    }

    static string NameOf(TransferPhase phase) => phase switch
    {
        TransferPhase.Compare => "compare",
        TransferPhase.Events => "events",
        TransferPhase.Marks => "marks",
        TransferPhase.Schemas => "schemas",
    };

    static TransferPhase? PhaseOf(string? name) => name switch
    {
        "compare" => TransferPhase.Compare,
        "events" => TransferPhase.Events,
        "marks" => TransferPhase.Marks,
        "schemas" => TransferPhase.Schemas,
        _ => null,
    };

    static string NameOf(SchemaChangeKind kind) => kind switch
    {
        SchemaChangeKind.Added => "added",
        SchemaChangeKind.Updated => "updated",
        SchemaChangeKind.Removed => "removed",
    };

    static SchemaChangeKind ChangeOf(string? name) => name switch
    {
        "added" => SchemaChangeKind.Added,
        "removed" => SchemaChangeKind.Removed,
        _ => SchemaChangeKind.Updated,
    };
}
