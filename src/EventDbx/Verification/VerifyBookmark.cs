using System.Buffers;
using System.Text.Json;
using EventDbx.Documents;

namespace EventDbx.Verification;

/// <summary>The document <c>verify.progress</c>: how far a verify of everything came, for one that goes on with it.</summary>
/// <remarks>
/// In an encrypted store it is sealed as other documents are, so that nobody without the key pretends that something was
/// verified. In a plain store whoever can write there can: start anew where that matters. Replaced whole, a few hundred bytes.
/// Two at once share it: the newer one stands. Format: docs/storage-format.md.
/// </remarks>
internal sealed class VerifyBookmark(IDocuments documents, StoreIdentity identity)
{
    const string Name = "verify.progress";
    const string Format = "eventdbx-verify-progress/1";

    /// <summary>What was kept; null when nothing was, or it is of another database or epoch, or cannot be read: then one starts anew.</summary>
    public EarlierVerify? Find()
    {
        try
        {
            return documents.Read(Name).Content is { } content ? Read(content) : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or RefusedException)
        {
            return null;
        }
    }

    /// <summary>Keeps how far it is. That it could not be kept stops nothing.</summary>
    public void Save(EarlierVerify progress)
    {
        try
        {
            documents.TryReplace(Name, Write(progress), ReadRevision());
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or RefusedException)
        {
            // A full disk costs the resumption, not the verify.
        }
    }

    /// <summary>Nothing is left to go on with.</summary>
    public void Clear()
    {
        try
        {
            documents.Delete(Name);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // What it says is still so: a later verify may go on with it.
        }
    }

    /// <summary>A document that does not open is replaced all the same: it is worth nothing.</summary>
    Document ReadRevision()
    {
        try
        {
            return documents.Read(Name);
        }
        catch (RefusedException)
        {
            documents.Delete(Name);
            return documents.Read(Name);
        }
    }

    byte[] Write(EarlierVerify progress)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("format", Format);
            json.WriteString("database_id", identity.DatabaseId);
            json.WriteNumber("epoch", identity.Epoch);
            json.WriteString("started_at", progress.StartedAt.ToString());
            json.WriteString("saved_at", progress.SavedAt.ToString());
            json.WriteNumber("log_size", progress.LogSize);
            json.WriteString("log_root", progress.LogRoot.ToString());
            json.WriteString("aggregate_type", progress.Last.Type);
            json.WriteString("aggregate_id", progress.Last.Id);
            json.WriteNumber("aggregates", progress.Aggregates);
            json.WriteNumber("events", progress.Events);
            json.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    EarlierVerify? Read(byte[] content)
    {
        try
        {
            using var document = JsonDocument.Parse(content);
            var json = document.RootElement;
            if (json.GetProperty("format").GetString() != Format
                || json.GetProperty("database_id").GetGuid() != identity.DatabaseId || json.GetProperty("epoch").GetUInt32() != identity.Epoch
                || !Timestamp.TryParse(json.GetProperty("started_at").GetString()!, out var started, out _)
                || !Timestamp.TryParse(json.GetProperty("saved_at").GetString()!, out var saved, out _)
                || !Hash32.TryParse(json.GetProperty("log_root").GetString()!, out var root)
                || !AggregateKey.TryCreate(json.GetProperty("aggregate_type").GetString()!, json.GetProperty("aggregate_id").GetString()!, out var last, out _))
                return null;
            return new()
            {
                StartedAt = started, SavedAt = saved, LogSize = Number("log_size"), LogRoot = root, Last = last,
                Aggregates = Number("aggregates"), Events = Number("events"),
            };

            ulong Number(string name) => json.GetProperty(name).GetUInt64();
        }
        catch (Exception cause) when (cause is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentNullException)
        {
            return null;
        }
    }
}
