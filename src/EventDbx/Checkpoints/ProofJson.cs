using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace EventDbx.Checkpoints;

/// <summary>Proofs as documents, and back. Source: docs/proofs.md, sections 2 to 4.</summary>
/// <remarks>Reading checks the form and nothing else: what a proof is worth, a verifier says.</remarks>
public static class ProofJson
{
    public const string ReceiptFormat = "eventdbx-receipt/1";
    public const string AggregateConsistencyFormat = "eventdbx-aggregate-consistency/1";
    public const string LogConsistencyFormat = "eventdbx-log-consistency/1";

    /// <summary>Hashes of one path at most: twice the levels of a tree are more than any proof has.</summary>
    const int PathMax = 128;

    public static void Write(IBufferWriter<byte> output, EventReceipt receipt)
    {
        output.Write("{\"format\":\"eventdbx-receipt/1\",\"record\":"u8);
        RecordJson.WriteRecord(output, receipt.Record, withSalt: true);
        output.Write(",\"prev_root\":\""u8);
        RecordJson.WriteHash(output, receipt.PreviousRoot);
        output.Write("\",\"aggregate_proof\":{"u8);
        WritePoint(output, "\"size\":"u8, receipt.Aggregate);
        output.Write(",\"path\":"u8);
        WritePath(output, receipt.AggregatePath);
        output.Write("},\"log_proof\":"u8);
        RecordJson.WriteText(output, new TlogProof(receipt.Record.Position - 1, receipt.LogPath, receipt.Checkpoint).Text());
        output.Write("}"u8);
    }

    public static void Write(IBufferWriter<byte> output, AggregateConsistency proof)
    {
        output.Write("{\"format\":\"eventdbx-aggregate-consistency/1\",\"aggregate_type\":"u8);
        JsonEscape.WriteString(output, proof.Aggregate.TypeUtf8);
        output.Write(",\"aggregate_id\":"u8);
        JsonEscape.WriteString(output, proof.Aggregate.IdUtf8);
        WriteGrowth(output, "\"version\":"u8, proof.From, proof.To, proof.Path);
    }

    public static void Write(IBufferWriter<byte> output, LogConsistency proof)
    {
        output.Write("{\"format\":\"eventdbx-log-consistency/1\",\"origin\":"u8);
        RecordJson.WriteText(output, proof.Origin);
        WriteGrowth(output, "\"size\":"u8, proof.From, proof.To, proof.Path);
    }

    /// <summary>From one point of a tree to a later one, and the end of the document.</summary>
    static void WriteGrowth(IBufferWriter<byte> output, ReadOnlySpan<byte> member, TreePoint from, TreePoint to, IReadOnlyList<Hash32> path)
    {
        output.Write(",\"from\":{"u8);
        WritePoint(output, member, from);
        output.Write("},\"to\":{"u8);
        WritePoint(output, member, to);
        output.Write("},\"path\":"u8);
        WritePath(output, path);
        output.Write("}"u8);
    }

    /// <exception cref="FormatException">It is none.</exception>
    public static EventReceipt ReadReceipt(JsonElement json) => Read(json, ReceiptFormat, static json =>
    {
        var proof = json.GetProperty("aggregate_proof");
        var record = RecordJson.ReadRecord(json.GetProperty("record"));
        if (!TlogProof.TryParse(json.GetProperty("log_proof").GetString()!, out var log) || log.Index != record.Position - 1)
            throw new FormatException("`log_proof` is no tlog-proof of the record's position.");
        var previous = RecordJson.ReadHash(json, "prev_root");
        return new EventReceipt(record with { PreviousRoot = previous }, previous, ReadPoint(proof, "size"), ReadPath(proof), log.Path, log.Checkpoint);
    });

    /// <exception cref="FormatException">It is none.</exception>
    public static AggregateConsistency ReadAggregateConsistency(JsonElement json) => Read(json, AggregateConsistencyFormat, static json => new AggregateConsistency(
        AggregateKey.Create(json.GetProperty("aggregate_type").GetString(), json.GetProperty("aggregate_id").GetString()),
        ReadPoint(json.GetProperty("from"), "version"), ReadPoint(json.GetProperty("to"), "version"), ReadPath(json)));

    /// <exception cref="FormatException">It is none.</exception>
    public static LogConsistency ReadLogConsistency(JsonElement json) => Read(json, LogConsistencyFormat, static json => new LogConsistency(
        json.GetProperty("origin").GetString()!, ReadPoint(json.GetProperty("from"), "size"), ReadPoint(json.GetProperty("to"), "size"), ReadPath(json)));

    static T Read<T>(JsonElement json, string format, Func<JsonElement, T> read)
    {
        try
        {
            return json.GetProperty("format").GetString() == format ? read(json) : throw new FormatException($"`format` is not {format}.");
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException or RefusedException or ArgumentNullException)
        {
            throw new FormatException($"This is no {format}: {cause.Message}", cause);
        }
    }

    static void WritePoint(IBufferWriter<byte> output, ReadOnlySpan<byte> name, TreePoint point)
    {
        output.Write(name);
        RecordJson.WriteNumber(output, point.Size);
        output.Write(",\"root\":\""u8);
        RecordJson.WriteHash(output, point.Root);
        output.Write("\""u8);
    }

    static TreePoint ReadPoint(JsonElement json, string name) => new(json.GetProperty(name).GetUInt64(), RecordJson.ReadHash(json, "root"));

    /// <summary>A path as one string: base64 of its hashes one after the other.</summary>
    internal static void WritePath(IBufferWriter<byte> output, IReadOnlyList<Hash32> path)
    {
        Span<byte> bytes = stackalloc byte[PathMax * Hash32.Length];
        bytes = bytes[..(path.Count * Hash32.Length)];
        for (var i = 0; i < path.Count; i++)
            path[i].Write(bytes[(i * Hash32.Length)..]);
        output.Write("\""u8);
        Base64.EncodeToUtf8(bytes, output.GetSpan(Base64.GetMaxEncodedToUtf8Length(bytes.Length) + 1), out _, out var written);
        output.Advance(written);
        output.Write("\""u8);
    }

    static Hash32[] ReadPath(JsonElement json)
    {
        var text = json.GetProperty("path").GetString()!;
        Span<byte> bytes = stackalloc byte[PathMax * Hash32.Length];
        if (!Convert.TryFromBase64String(text, bytes, out var length) || length % Hash32.Length != 0 || Convert.ToBase64String(bytes[..length]) != text)
            throw new FormatException("`path` is not the base64 of whole hashes.");
        var path = new Hash32[length / Hash32.Length];
        for (var i = 0; i < path.Length; i++)
            path[i] = Hash32.Read(bytes[(i * Hash32.Length)..]);
        return path;
    }
}
