using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EventDbx.Integrity;

namespace EventDbx.Server.Tokens;

/// <summary>The document <c>tokens.json</c>: an array of records, members in their published order, hashes where tokens were.</summary>
/// <remarks>
/// <code>
/// [{"sha256":HEX,"jti":…,"subject":…,"group":…,"user":…,"root":…,"actions":[…],"resources":[…],"issued_at":…,"not_before":…,
///   "expires_at":…,"issued_by":…,"status":"active"|"revoked","limits":{"write_events":…,"keep_alive":…},
///   "revoked_at":…,"revoked_reason":…}]                        the last two only when revoked
/// </code>
/// A record with <c>token</c> instead, as other implementations keep it, is read, and written with its hash.
/// </remarks>
internal static class LedgerJson
{
    public const string DocumentName = "tokens.json";

    public static byte[] Write(IReadOnlyList<TokenEntry> entries)
    {
        var output = new ArrayBufferWriter<byte>(64 + (entries.Count * 512));
        output.Write("["u8);
        for (var i = 0; i < entries.Count; i++)
        {
            if (i > 0)
                output.Write(","u8);
            Write(output, entries[i].Record);
        }

        output.Write("]"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The records of a document; none when there is no document, or nothing in it.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it cannot be read. Nobody then gets in.</exception>
    public static List<TokenRecord> Read(byte[]? content)
    {
        if (content is null || content.AsSpan().IndexOfAnyExcept(" \t\r\n"u8) < 0)
            return [];
        try
        {
            using var document = JsonDocument.Parse(content, JsonReading.Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Array)
                throw Broken("it is not an array of records.");
            var records = new List<TokenRecord>(document.RootElement.GetArrayLength());
            var (ids, hashes) = (new HashSet<Guid>(), new HashSet<Hash32>());
            foreach (var item in document.RootElement.EnumerateArray())
            {
                var record = ReadAt(item, records.Count);
                if (!ids.Add(record.Jti) || !hashes.Add(record.Sha256))
                    throw Broken($"record {records.Count} says again what another one says.");
                records.Add(record);
            }

            return records;
        }
        catch (JsonException cause)
        {
            throw Broken($"it is not JSON, at line {cause.LineNumber + 1}, byte {cause.BytePositionInLine}.");
        }
    }

    /// <summary>What a record in the ledger and a record in an answer have in common. Its hash and status are not read.</summary>
    /// <exception cref="RefusedException">Something is missing, or not what it should be.</exception>
    public static TokenRecord ReadShown(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new RefusedException(RefusalCode.InvalidArgument, "It is not an object.");
        var limits = json.Member("limits") is { } found
            ? found.ValueKind == JsonValueKind.Object ? found : throw new RefusedException(RefusalCode.InvalidArgument, "`limits` is an object.")
            : (JsonElement?)null;
        return new()
        {
            Sha256 = default,
            Jti = JsonReading.Required(json.Id("jti"), "jti"),
            Subject = JsonReading.Required(json.Text("subject"), "subject"),
            Group = JsonReading.Required(json.Text("group"), "group"),
            User = JsonReading.Required(json.Text("user"), "user"),
            Root = JsonReading.Required(json.Truth("root"), "root"),
            Actions = JsonReading.Required(json.Texts("actions"), "actions"),
            Resources = JsonReading.Required(json.Texts("resources"), "resources"),
            IssuedAt = JsonReading.Required(Time(json, "issued_at"), "issued_at"),
            NotBefore = Time(json, "not_before"),
            ExpiresAt = Time(json, "expires_at"),
            IssuedBy = JsonReading.Required(json.Text("issued_by"), "issued_by"),
            RevokedAt = Time(json, "revoked_at"),
            RevokedReason = json.Text("revoked_reason"),
            Limits = new(limits?.Number("write_events"), limits?.Truth("keep_alive") ?? false),
        };
    }

    /// <summary>A time; digits beyond 100 ns, which other implementations write, are cut off.</summary>
    public static Timestamp? Time(JsonElement json, string name)
    {
        if (json.Text(name) is not { } text)
            return null;
        var point = text.IndexOf('.', StringComparison.Ordinal);
        var end = point < 0 ? -1 : text.AsSpan(point + 1).IndexOfAnyExceptInRange('0', '9') + point + 1;
        if (point >= 0 && end - point > 8)
            text = string.Concat(text.AsSpan(0, point + 8), text.AsSpan(end));
        return Timestamp.TryParse(text, out var time, out _) ? time : throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is no time.");
    }

    static void Write(IBufferWriter<byte> output, TokenRecord record)
    {
        var members = new JsonMembers(output);
        members.Text("sha256"u8, record.Sha256.ToString());
        members.Text("jti"u8, record.Jti.ToString("D"));
        members.Text("subject"u8, record.Subject);
        members.Text("group"u8, record.Group);
        members.Text("user"u8, record.User);
        members.Truth("root"u8, record.Root);
        members.Texts("actions"u8, record.Actions);
        members.Texts("resources"u8, record.Resources);
        members.Time("issued_at"u8, record.IssuedAt);
        members.Time("not_before"u8, record.NotBefore);
        members.Time("expires_at"u8, record.ExpiresAt);
        members.Text("issued_by"u8, record.IssuedBy);
        members.Text("status"u8, record.Revoked ? "revoked" : "active");
        members.Limits(record.Limits);
        if (record.Revoked)
        {
            members.Time("revoked_at"u8, record.RevokedAt);
            members.TextOrNull("revoked_reason"u8, record.RevokedReason);
        }

        members.End();
    }

    static TokenRecord ReadAt(JsonElement json, int index)
    {
        try
        {
            var record = ReadShown(json);
            var hash = json.Text("sha256") is { } hex
                ? Hash32.TryParse(hex, out var read) ? read : throw new RefusedException(RefusalCode.InvalidArgument, "`sha256` is 64 lower-case hex digits.")
                : Hash32.Of(Encoding.UTF8.GetBytes(JsonReading.Required(json.Text("token"), "sha256")));
            return record with
            {
                Sha256 = hash,
                Revoked = json.Text("status") switch
                {
                    "active" => false,
                    "revoked" => true,
                    _ => throw new RefusedException(RefusalCode.InvalidArgument, "`status` is active or revoked."),
                },
            };
        }
        catch (Exception cause) when (cause is RefusedException or InvalidOperationException)
        {
            throw Broken(string.Create(CultureInfo.InvariantCulture, $"record {index}: {cause.Message}"));
        }
    }

    static RefusedException Broken(string why) => new(RefusalCode.IntegrityViolation,
        $"The ledger {DocumentName} cannot be read: {why} Until it can, no token is accepted. Put back a copy; or remove the file (in an encrypted store, then `dbx recover --accept-document tokens.json`) and issue new tokens.");
}
