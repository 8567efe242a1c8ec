using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace EventDbx.Staging;

/// <summary>Staged events as JSON: <c>aggregate</c>, <c>aggregate_id</c>, <c>event</c>, <c>payload</c> or <c>patch</c>, <c>issued_by</c>, <c>note</c>, <c>event_id</c>, <c>expected_version</c>.</summary>
public static class StagedJson
{
    /// <summary>One staged event.</summary>
    public static void Write(IBufferWriter<byte> output, StagedEvent staged)
    {
        var draft = staged.Draft;
        output.Write("{\"aggregate\":"u8);
        RecordJson.WriteText(output, draft.Aggregate.Type);
        output.Write(",\"aggregate_id\":"u8);
        RecordJson.WriteText(output, draft.Aggregate.Id);
        output.Write(",\"event\":"u8);
        RecordJson.WriteText(output, draft.EventType);
        output.Write(draft.Patch is null ? ",\"payload\":"u8 : ",\"patch\":"u8);
        output.Write((draft.Patch ?? draft.Payload).Span);
        output.Write(",\"issued_by\":"u8);
        RecordJson.WriteActor(output, staged.Actor);
        output.Write(",\"note\":"u8);
        if (draft.Note is null)
            output.Write("null"u8);
        else
            RecordJson.WriteText(output, draft.Note);
        output.Write(",\"event_id\":\""u8);
        output.Write(Encoding.ASCII.GetBytes(EventIds.Format(staged.Id)));
        output.Write("\""u8);
        if (draft.ExpectedVersion is { } expected)
        {
            output.Write(",\"expected_version\":"u8);
            RecordJson.WriteNumber(output, expected);
        }

        output.Write("}"u8);
    }

    /// <summary>All of them, as an array with one a line.</summary>
    public static byte[] WriteAll(IReadOnlyList<StagedEvent> staged)
    {
        var output = new ArrayBufferWriter<byte>();
        output.Write("["u8);
        for (var i = 0; i < staged.Count; i++)
        {
            output.Write(i == 0 ? "\n"u8 : ",\n"u8);
            Write(output, staged[i]);
        }

        output.Write(staged.Count == 0 ? "]\n"u8 : "\n]\n"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Reads an array of staged events; nothing is none.</summary>
    /// <exception cref="FormatException">It is no such array.</exception>
    public static List<StagedEvent> ReadAll(ReadOnlyMemory<byte> json)
    {
        if (!json.Span.ContainsAnyExcept(" \t\r\n"u8))
            return [];
        try
        {
            // Depth: the array and an event, around a payload or a patch.
            using var document = JsonDocument.Parse(json, new() { MaxDepth = Limits.PayloadDepthMax + 2 });
            var staged = new List<StagedEvent>(document.RootElement.GetArrayLength());
            foreach (var item in document.RootElement.EnumerateArray())
                staged.Add(Read(item));
            return staged;
        }
        catch (Exception cause) when (cause is JsonException or InvalidOperationException or KeyNotFoundException or RefusedException)
        {
            throw new FormatException($"The staged events cannot be read: {cause.Message}", cause);
        }
    }

    /// <summary>Reads one.</summary>
    public static StagedEvent Read(JsonElement item)
    {
        byte[]? Raw(string name) => item.TryGetProperty(name, out var value) ? JsonMarshal.GetRawUtf8Value(value).ToArray() : null;
        string? Text(string name) => item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        var patch = Raw("patch");
        var draft = new EventDraft
        {
            Aggregate = AggregateKey.Create(Text("aggregate"), Text("aggregate_id")),
            EventType = Text("event") ?? "",
            Payload = patch is null ? Raw("payload") ?? "null"u8.ToArray() : default(ReadOnlyMemory<byte>),
            // The cast matters: a bare null array would become an empty patch.
            Patch = patch is null ? (ReadOnlyMemory<byte>?)null : patch,
            Note = Text("note"),
            EventId = item.GetProperty("event_id").GetGuid(),
            ExpectedVersion = item.TryGetProperty("expected_version", out var expected) ? expected.GetUInt64() : null,
        };
        return new(draft, item.TryGetProperty("issued_by", out var by) && by.ValueKind == JsonValueKind.Object
            ? new(by.GetProperty("group").GetString()!, by.GetProperty("user").GetString()!) : null);
    }
}
