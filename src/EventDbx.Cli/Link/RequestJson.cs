using System.Buffers;
using System.Buffers.Text;
using EventDbx.Transfer;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

/// <summary>Appends and records as a server reads them.</summary>
internal static class RequestJson
{
    /// <summary>An append request.</summary>
    public static void WriteDraft(IBufferWriter<byte> output, EventDraft draft)
    {
        WriteNames(output, draft);
        if (draft.Note is not null)
            Text(output, ",\"note\":"u8, draft.Note);
        if (draft.EventId is { } id)
            Text(output, ",\"event_id\":"u8, EventIds.Format(id));
        if (draft.ExpectedVersion is { } expected)
            Number(output, ",\"expected_version\":"u8, expected);
        output.Write("}"u8);
    }

    /// <summary>A record that keeps what makes it that record.</summary>
    public static void WriteRecord(IBufferWriter<byte> output, EventImport record)
    {
        WriteNames(output, record.Draft);
        Text(output, ",\"metadata\":{\"event_id\":"u8, EventIds.Format(record.Draft.EventId!.Value));
        Text(output, ",\"created_at\":"u8, record.CreatedAt.ToString());
        output.Write(",\"issued_by\":"u8);
        if (record.Actor is { } actor)
        {
            Text(output, "{\"group\":"u8, actor.Group);
            Text(output, ",\"user\":"u8, actor.User);
            output.Write("}"u8);
        }
        else
        {
            output.Write("null"u8);
        }

        if (record.Draft.Note is not null)
            Text(output, ",\"note\":"u8, record.Draft.Note);
        if (record.Salt.Length > 0)
            Text(output, ",\"salt\":"u8, Base64Url.EncodeToString(record.Salt.Span));
        output.Write("}"u8);
        if (record.Version is { } version)
            Number(output, ",\"version\":"u8, version);
        if (record.Hash is { } hash)
            Text(output, ",\"hash\":"u8, hash.ToString());
        if (record.MerkleRoot is { } root)
            Text(output, ",\"merkle_root\":"u8, root.ToString());
        output.Write("}"u8);
    }

    /// <summary>What evidence is asked for.</summary>
    public static void WriteEvidence(IBufferWriter<byte> output, EvidenceRequest request)
    {
        Text(output, "{\"scope\":"u8, request.WholeLog ? "log" : "aggregates");
        if (request.Since is { } since)
            Number(output, ",\"since\":"u8, since);
        if (request.Filter.Type is { } type)
            Text(output, ",\"type\":"u8, type);
        if (request.Filter.IdPrefix is { } prefix)
            Text(output, ",\"id_prefix\":"u8, prefix);
        for (var i = 0; i < request.Aggregates?.Count; i++)
        {
            output.Write(i == 0 ? ",\"aggregates\":["u8 : ","u8);
            Text(output, "{\"aggregate_type\":"u8, request.Aggregates[i].Type);
            Text(output, ",\"aggregate_id\":"u8, request.Aggregates[i].Id);
            output.Write("}"u8);
        }

        output.Write(request.Aggregates is { Count: > 0 } ? "]}"u8 : "}"u8);
    }

    /// <summary>A list of them under one name.</summary>
    public static ReadOnlyMemory<byte> List<T>(ReadOnlySpan<byte> name, IReadOnlyList<T> items, Action<IBufferWriter<byte>, T> write)
    {
        var output = new ArrayBufferWriter<byte>(16 * 1024);
        output.Write("{\""u8);
        output.Write(name);
        output.Write("\":["u8);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                output.Write(","u8);
            write(output, items[i]);
        }

        output.Write("]}"u8);
        return output.WrittenMemory;
    }

    /// <summary><c>{"comment":…}</c>; null without one.</summary>
    public static ReadOnlyMemory<byte>? Comment(string? comment)
    {
        if (comment is null)
            return null;
        var output = new ArrayBufferWriter<byte>();
        Text(output, "{\"comment\":"u8, comment);
        output.Write("}"u8);
        return output.WrittenMemory;
    }

    public static ReadOnlyMemory<byte> Imported(long lines, long appended, long known)
    {
        var output = new ArrayBufferWriter<byte>();
        Number(output, "{\"lines\":"u8, (ulong)lines);
        Number(output, ",\"appended\":"u8, (ulong)appended);
        Number(output, ",\"known\":"u8, (ulong)known);
        output.Write("}"u8);
        return output.WrittenMemory;
    }

    static void WriteNames(IBufferWriter<byte> output, EventDraft draft)
    {
        Text(output, "{\"aggregate_type\":"u8, draft.Aggregate.Type);
        Text(output, ",\"aggregate_id\":"u8, draft.Aggregate.Id);
        Text(output, ",\"event_type\":"u8, draft.EventType);
        output.Write(draft.Patch is null ? ",\"payload\":"u8 : ",\"patch\":"u8);
        output.Write((draft.Patch ?? draft.Payload).Span);
    }

    static void Text(IBufferWriter<byte> output, ReadOnlySpan<byte> before, string text)
    {
        output.Write(before);
        Wire.WriteText(output, text);
    }

    static void Number(IBufferWriter<byte> output, ReadOnlySpan<byte> before, ulong number)
    {
        output.Write(before);
        Wire.WriteNumber(output, number);
    }
}
