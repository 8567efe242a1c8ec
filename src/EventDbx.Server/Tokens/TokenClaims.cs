using System.Buffers;
using System.Text.Json;

namespace EventDbx.Server.Tokens;

/// <summary>What a token says of itself, under its signature.</summary>
internal sealed record TokenClaims
{
    public required string Issuer { get; init; }

    public required string Audience { get; init; }

    public required string Subject { get; init; }

    public required Guid Jti { get; init; }

    /// <summary>Seconds since 1970, as all times in a token.</summary>
    public required long IssuedAt { get; init; }

    /// <summary>Null: never, or the ledger decides since the token is kept alive.</summary>
    public long? ExpiresAt { get; init; }

    public long? NotBefore { get; init; }

    public required bool Root { get; init; }

    public required string Group { get; init; }

    public required string User { get; init; }

    public required IReadOnlyList<string> Actions { get; init; }

    public required IReadOnlyList<string> Resources { get; init; }

    public required string IssuedBy { get; init; }

    public required TokenLimits Limits { get; init; }

    /// <summary>Members in the published order.</summary>
    public byte[] ToJson()
    {
        var output = new ArrayBufferWriter<byte>(512);
        var members = new JsonMembers(output);
        members.Text("iss"u8, Issuer);
        members.Text("aud"u8, Audience);
        members.Text("sub"u8, Subject);
        members.Text("jti"u8, Jti.ToString("D"));
        members.Number("iat"u8, (ulong)IssuedAt);
        if (ExpiresAt is { } end)
            members.Number("exp"u8, (ulong)end);
        if (NotBefore is { } start)
            members.Number("nbf"u8, (ulong)start);
        members.Truth("root"u8, Root);
        members.Text("group"u8, Group);
        members.Text("user"u8, User);
        members.Texts("actions"u8, Actions);
        members.Texts("resources"u8, Resources);
        members.Text("issued_by"u8, IssuedBy);
        members.Limits(Limits);
        members.End();
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The claims, or null when these are none.</summary>
    public static TokenClaims? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, JsonReading.Strict);
            var claims = document.RootElement;
            var limits = JsonReading.Required(claims.Member("limits"), "limits");
            return new()
            {
                Issuer = JsonReading.Required(claims.Text("iss"), "iss"),
                Audience = JsonReading.Required(claims.Text("aud"), "aud"),
                Subject = JsonReading.Required(claims.Text("sub"), "sub"),
                Jti = JsonReading.Required(claims.Id("jti"), "jti"),
                IssuedAt = JsonReading.Required(Seconds(claims, "iat"), "iat"),
                ExpiresAt = Seconds(claims, "exp"),
                NotBefore = Seconds(claims, "nbf"),
                Root = JsonReading.Required(claims.Truth("root"), "root"),
                Group = JsonReading.Required(claims.Text("group"), "group"),
                User = JsonReading.Required(claims.Text("user"), "user"),
                Actions = JsonReading.Required(claims.Texts("actions"), "actions"),
                Resources = JsonReading.Required(claims.Texts("resources"), "resources"),
                IssuedBy = JsonReading.Required(claims.Text("issued_by"), "issued_by"),
                Limits = new(limits.Number("write_events"), limits.Truth("keep_alive") ?? false),
            };
        }
        catch (Exception none) when (none is JsonException or InvalidOperationException or RefusedException)
        {
            return null;
        }
    }

    /// <summary>Whether the ledger says the same of the token: who changes the one cannot change what the other allows.</summary>
    public bool AgreeWith(TokenRecord record) =>
        Jti == record.Jti && Subject == record.Subject && Group == record.Group && User == record.User && Root == record.Root
        && Actions.SequenceEqual(record.Actions) && Resources.SequenceEqual(record.Resources) && Limits == record.Limits;

    // No time beyond what a timestamp holds: later ones are as good as that.
    static long? Seconds(JsonElement claims, string name) =>
        claims.Number(name) is { } seconds ? (long)Math.Min(seconds, (ulong)Timestamp.MaxValue.Ticks100ns / TimeSpan.TicksPerSecond) : null;
}
