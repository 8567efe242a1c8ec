using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using EventDbx.Schemas;
using EventDbx.Server.Rest;
using EventDbx.Staging;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

internal sealed partial class ServerStore
{
    public bool HasOtherWriters => true;

    public Task<IReadOnlyList<AggregateSchema>> GetSchemasAsync(CancellationToken cancellation) => server.AskAsync<IReadOnlyList<AggregateSchema>>(
        HttpMethod.Get, "/admin/schemas", null, again: true, (json, _) => [.. json.EnumerateArray().Select(ReadSchema)], cancellation);

    public Task<AggregateSchema> GetSchemaAsync(string type, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Get, Path(type), null, again: true, (json, _) => ReadSchema(json), cancellation);

    /// <remarks>Not asked twice: what was made by the first request would be refused, or made again, by the second.</remarks>
    public async Task<AggregateSchema?> ChangeSchemaAsync(string type, IReadOnlyList<SchemaEdit> edits, CancellationToken cancellation)
    {
        try
        {
            return await server.AskAsync(
                HttpMethod.Patch, Path(type), Body(output => SchemaEditJson.Write(output, edits)), again: false,
                (json, _) => json.ValueKind == JsonValueKind.Object ? ReadSchema(json) : null, cancellation).ConfigureAwait(false);
        }
        catch (ServerLostException lost)
        {
            throw new ServerLostException($"{lost.Message} Whether the schema was changed is not known; `dbx schema list` says.", lost.InnerException!);
        }
    }

    /// <remarks>The payload is JSON: the command has seen to that.</remarks>
    public Task ValidateAsync(string type, string eventType, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        var body = Body(output =>
        {
            output.Write("{\"event_type\":"u8);
            Wire.WriteText(output, eventType);
            output.Write(",\"payload\":"u8);
            output.Write(payload.Span);
            output.Write("}"u8);
        });
        return server.AskAsync(HttpMethod.Post, $"{Path(type)}/validate", body, again: true, Nothing, cancellation);
    }

    public Task<Snapshot> SnapshotAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, new Query($"{Path(aggregate)}/snapshots").With("typed", "true").ToString(), RequestJson.Comment(comment), again: false,
        (json, _) => SnapshotJson.Read(json), cancellation);

    public Task<SnapshotPage> GetSnapshotsAsync(AggregateKey aggregate, byte[]? after, int take, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Get,
        new Query($"{Path(aggregate)}/snapshots")
            .With("cursor", after is null ? null : Cursors.OfSnapshots(after)).With("take", (ulong)take).With("typed", "true").ToString(),
        null, again: true,
        (json, headers) => new SnapshotPage(
            [.. json.EnumerateArray().Select(SnapshotJson.Read)],
            headers.TryGetValues(NextCursor, out var next) ? Cursors.ReadSnapshots(next.First()) : null),
        cancellation);

    /// <remarks>Its id makes it once, however often it is asked for.</remarks>
    public Task<StagedEvent> StageAsync(EventDraft draft, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/v1/staged", Body(output => RequestJson.WriteDraft(output, draft with { EventId = draft.EventId ?? NewId() })), again: true,
        (json, _) => StagedJson.Read(json), cancellation);

    public Task<IReadOnlyList<StagedEvent>> GetStagedAsync(CancellationToken cancellation) => server.AskAsync<IReadOnlyList<StagedEvent>>(
        HttpMethod.Get, "/v1/staged", null, again: true, (json, _) => [.. json.EnumerateArray().Select(StagedJson.Read)], cancellation);

    public Task<int> UnstageAsync(Guid? id, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Delete, id is { } one ? $"/v1/staged/{EventIds.Format(one)}" : "/v1/staged", null, again: false,
        (json, _) => json.GetProperty("unstaged").GetInt32(), cancellation);

    /// <remarks>Not asked twice: the second answer would be that nothing is staged.</remarks>
    public async Task<IReadOnlyList<AppendResult>> CommitStagedAsync(CancellationToken cancellation)
    {
        try
        {
            return await server.AskAsync(
                HttpMethod.Post, "/v1/staged/commit", null, again: false,
                (json, _) =>
                {
                    var known = json.GetProperty("known").EnumerateArray().Select(place => place.GetInt32()).ToHashSet();
                    return json.GetProperty("events").EnumerateArray().Select((item, at) => new AppendResult(Wire.ReadRecord(item), !known.Contains(at))).ToArray();
                },
                cancellation).ConfigureAwait(false);
        }
        catch (ServerLostException lost)
        {
            throw new ServerLostException(
                $"{lost.Message} Whether the staged events were committed is not known. Commit again: those that were are not appended twice.", lost.InnerException!);
        }
    }

    static string Path(string type) => $"/admin/schemas/{Uri.EscapeDataString(type)}";

    static AggregateSchema ReadSchema(JsonElement json) => SchemaJson.ReadSchema(JsonMarshal.GetRawUtf8Value(json));
}
