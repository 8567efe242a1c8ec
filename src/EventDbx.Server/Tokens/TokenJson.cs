using System.Buffers;
using System.Text.Json;

namespace EventDbx.Server.Tokens;

/// <summary>Tokens as they stand on every wire, members in their published order; and back.</summary>
public static class TokenJson
{
    static readonly string[] RequestMembers = ["group", "user", "subject", "root", "actions", "resources", "ttl_secs", "issued_by", "write_limit", "keep_alive"];
    static readonly string[] RefreshMembers = ["token", "ttl_secs", "write_limit"];
    static readonly string[] RevokeMembers = ["token", "reason"];
    static readonly string[] RotateMembers = ["overlap_secs"];

    /// <summary>The record with its <c>token</c> in front: the answer that issues it, and no other.</summary>
    public static void WriteIssued(IBufferWriter<byte> output, IssuedToken issued)
    {
        var members = new JsonMembers(output);
        members.Text("token"u8, issued.Token);
        Write(ref members, issued.Listing);
    }

    /// <summary>The record without its token, <c>writes_remaining</c> last.</summary>
    public static void WriteListing(IBufferWriter<byte> output, TokenListing listing)
    {
        var members = new JsonMembers(output);
        Write(ref members, listing);
    }

    /// <summary>An array of them.</summary>
    public static void WriteListings(IBufferWriter<byte> output, IReadOnlyList<TokenListing> listings)
    {
        output.Write("["u8);
        for (var i = 0; i < listings.Count; i++)
        {
            if (i > 0)
                output.Write(","u8);
            WriteListing(output, listings[i]);
        }

        output.Write("]"u8);
    }

    /// <summary><c>reason</c>, <c>revoked</c>, <c>revoked_at</c>, <c>token</c> as it was given, <c>jti</c>.</summary>
    /// <param name="given">What the caller named it by: a token that is revoked is no secret any more.</param>
    public static void WriteRevocation(IBufferWriter<byte> output, TokenRevocation revocation, string given)
    {
        var members = new JsonMembers(output);
        members.TextOrNull("reason"u8, revocation.Reason);
        members.Truth("revoked"u8, true);
        members.Time("revoked_at"u8, revocation.RevokedAt);
        members.Text("token"u8, given);
        members.Text("jti"u8, revocation.Jti.ToString("D"));
        members.End();
    }

    /// <summary>A request as <see cref="ReadRequest"/> reads it.</summary>
    public static void WriteRequest(IBufferWriter<byte> output, TokenRequest request)
    {
        var members = new JsonMembers(output);
        members.Text("group"u8, request.Group);
        members.Text("user"u8, request.User);
        members.TextOrNull("subject"u8, request.Subject);
        members.Truth("root"u8, request.Root);
        members.Texts("actions"u8, request.Actions);
        members.Texts("resources"u8, request.Resources);
        members.NumberOrNull("ttl_secs"u8, request.TtlSeconds);
        members.TextOrNull("issued_by"u8, request.IssuedBy);
        members.NumberOrNull("write_limit"u8, request.WriteLimit);
        members.Truth("keep_alive"u8, request.KeepAlive);
        members.End();
    }

    /// <summary>A request as <see cref="ReadRefresh"/> reads it.</summary>
    public static void WriteRefresh(IBufferWriter<byte> output, string tokenOrJti, TokenRefresh refresh)
    {
        var members = new JsonMembers(output);
        members.Text("token"u8, tokenOrJti);
        members.NumberOrNull("ttl_secs"u8, refresh.TtlSeconds);
        members.NumberOrNull("write_limit"u8, refresh.WriteLimit);
        members.End();
    }

    /// <summary>A request as <see cref="ReadRevoke"/> reads it.</summary>
    public static void WriteRevoke(IBufferWriter<byte> output, string tokenOrJti, string? reason)
    {
        var members = new JsonMembers(output);
        members.Text("token"u8, tokenOrJti);
        members.TextOrNull("reason"u8, reason);
        members.End();
    }

    /// <summary>The body that asks for a token.</summary>
    /// <exception cref="RefusedException">It is not one; a member we do not know is refused.</exception>
    public static TokenRequest ReadRequest(ReadOnlyMemory<byte> body) => Read(body, "a token request", RequestMembers, static json => new TokenRequest
    {
        Group = JsonReading.Required(json.Text("group"), "group"),
        User = JsonReading.Required(json.Text("user"), "user"),
        Subject = json.Text("subject"),
        Root = json.Truth("root") ?? false,
        Actions = json.Texts("actions") ?? [],
        Resources = json.Texts("resources") ?? [],
        TtlSeconds = json.Number("ttl_secs"),
        IssuedBy = json.Text("issued_by"),
        WriteLimit = json.Number("write_limit"),
        KeepAlive = json.Truth("keep_alive") ?? false,
    });

    /// <summary>The body that asks for the successor of a token.</summary>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static (string TokenOrJti, TokenRefresh Refresh) ReadRefresh(ReadOnlyMemory<byte> body) => Read(body, "a token refresh", RefreshMembers, static json =>
        (JsonReading.Required(json.Text("token"), "token"), new TokenRefresh { TtlSeconds = json.Number("ttl_secs"), WriteLimit = json.Number("write_limit") }));

    /// <summary>The body that revokes a token.</summary>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static (string TokenOrJti, string? Reason) ReadRevoke(ReadOnlyMemory<byte> body) => Read(body, "a token revocation", RevokeMembers, static json =>
        (JsonReading.Required(json.Text("token"), "token"), json.Text("reason")));

    /// <summary>A request as <see cref="ReadRotate"/> reads it.</summary>
    public static void WriteRotate(IBufferWriter<byte> output, TimeSpan? overlap)
    {
        var members = new JsonMembers(output);
        members.NumberOrNull("overlap_secs"u8, (ulong?)overlap?.TotalSeconds);
        members.End();
    }

    /// <summary>The body that asks for a new signing secret: how long the old one overlaps; null where it does not say.</summary>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static TimeSpan? ReadRotate(ReadOnlyMemory<byte> body) => Read(body, "a rotation of the secret", RotateMembers, static json =>
        json.Number("overlap_secs") is { } seconds ? TimeSpan.FromSeconds(Math.Min(seconds, (ulong)TokenBounds.OverlapMax.TotalSeconds + 1)) : (TimeSpan?)null);

    /// <summary><c>key_id</c>, <c>previous_key_id</c>, <c>previous_until</c>, and <c>dropped_key_id</c> where one was: no secret.</summary>
    public static void WriteRotation(IBufferWriter<byte> output, SecretRotation rotation)
    {
        var members = new JsonMembers(output);
        members.Text("key_id"u8, rotation.KeyId);
        members.Text("previous_key_id"u8, rotation.PreviousKeyId);
        members.Time("previous_until"u8, rotation.PreviousUntil);
        if (rotation.Dropped is { } dropped)
        {
            members.Text("dropped_key_id"u8, dropped.KeyId);
            members.Time("dropped_until"u8, dropped.Until);
        }

        members.End();
    }

    /// <summary>What <see cref="WriteRotation"/> wrote. Members we do not know are ignored.</summary>
    /// <exception cref="FormatException">It is not that.</exception>
    public static SecretRotation ReadRotation(JsonElement json) => Answer(json, static json => new SecretRotation(
        JsonReading.Required(json.Text("key_id"), "key_id"), JsonReading.Required(json.Text("previous_key_id"), "previous_key_id"), LedgerJson.Time(json, "previous_until"))
    {
        Dropped = json.Text("dropped_key_id") is { } dropped && LedgerJson.Time(json, "dropped_until") is { } until ? new([], dropped, until) : null,
    });

    /// <summary>The body that refreshes a token which is named elsewhere: <c>{"ttl_secs":…,"write_limit":…}</c>, at least <c>{}</c>.</summary>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static TokenRefresh ReadRefreshOf(ReadOnlyMemory<byte> body) => Read(body, "a token refresh", RefreshMembers[1..], static json =>
        new TokenRefresh { TtlSeconds = json.Number("ttl_secs"), WriteLimit = json.Number("write_limit") });

    /// <summary>The body that revokes a token which is named elsewhere: <c>{"reason":…}</c>.</summary>
    /// <exception cref="RefusedException">It is not one.</exception>
    public static string? ReadReason(ReadOnlyMemory<byte> body) => Read(body, "a token revocation", RevokeMembers[1..], static json => json.Text("reason"));

    /// <summary>What <see cref="WriteIssued"/> wrote. Members we do not know are ignored.</summary>
    /// <exception cref="FormatException">It is not that.</exception>
    public static IssuedToken ReadIssued(JsonElement json) => Answer(json, static json => new IssuedToken(
        JsonReading.Required(json.Text("token"), "token"), Listing(json)));

    /// <summary>What <see cref="WriteListing"/> wrote. Members we do not know are ignored.</summary>
    /// <exception cref="FormatException">It is not that.</exception>
    public static TokenListing ReadListing(JsonElement json) => Answer(json, Listing);

    /// <summary>What <see cref="WriteRevocation"/> wrote. Members we do not know are ignored.</summary>
    /// <exception cref="FormatException">It is not that.</exception>
    public static TokenRevocation ReadRevocation(JsonElement json) => Answer(json, static json => new TokenRevocation(
        JsonReading.Required(json.Id("jti"), "jti"), JsonReading.Required(LedgerJson.Time(json, "revoked_at"), "revoked_at"), json.Text("reason")));

    static void Write(ref JsonMembers members, TokenListing listing)
    {
        members.Text("jti"u8, listing.Jti.ToString("D"));
        members.Text("subject"u8, listing.Subject);
        members.Text("group"u8, listing.Group);
        members.Text("user"u8, listing.User);
        members.Truth("root"u8, listing.Root);
        members.Texts("actions"u8, listing.Actions);
        members.Texts("resources"u8, listing.Resources);
        members.Time("issued_at"u8, listing.IssuedAt);
        members.Time("not_before"u8, listing.NotBefore);
        members.Time("expires_at"u8, listing.ExpiresAt);
        members.Text("issued_by"u8, listing.IssuedBy);
        members.Text("status"u8, NameOf(listing.Status));
        members.Limits(listing.Limits);
        if (listing.RevokedAt is { } revoked)
        {
            members.Time("revoked_at"u8, revoked);
            members.TextOrNull("revoked_reason"u8, listing.RevokedReason);
        }

        members.NumberOrNull("writes_remaining"u8, listing.WritesRemaining);
        members.End();
    }

    static TokenListing Listing(JsonElement json)
    {
        var record = LedgerJson.ReadShown(json);
        return new()
        {
            Jti = record.Jti, Subject = record.Subject, Group = record.Group, User = record.User, Root = record.Root, Actions = record.Actions,
            Resources = record.Resources, IssuedAt = record.IssuedAt, NotBefore = record.NotBefore, ExpiresAt = record.ExpiresAt, IssuedBy = record.IssuedBy,
            Status = StatusOf(JsonReading.Required(json.Text("status"), "status")), Limits = record.Limits, RevokedAt = record.RevokedAt,
            RevokedReason = record.RevokedReason, WritesRemaining = json.Number("writes_remaining"),
        };
    }

    /// <summary>The status as it stands in JSON.</summary>
    public static string NameOf(TokenStatus status) => status switch
    {
        TokenStatus.Active => "active",
        TokenStatus.Expired => "expired",
        TokenStatus.Revoked => "revoked",
    };

    static TokenStatus StatusOf(string name) => name switch
    {
        "active" => TokenStatus.Active,
        "expired" => TokenStatus.Expired,
        "revoked" => TokenStatus.Revoked,
        _ => throw new RefusedException(RefusalCode.InvalidArgument, "`status` is active, expired or revoked."),
    };

    static T Answer<T>(JsonElement json, Func<JsonElement, T> read)
    {
        try
        {
            return read(json);
        }
        catch (Exception cause) when (cause is InvalidOperationException or RefusedException)
        {
            throw new FormatException($"This is no answer about a token: {cause.Message}", cause);
        }
    }

    static T Read<T>(ReadOnlyMemory<byte> body, string what, string[] known, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(body, JsonReading.Strict);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new RefusedException(RefusalCode.InvalidPayload, $"The body of {what} is one JSON object; this one is {root.ValueKind}.");
            foreach (var member in root.EnumerateObject())
            {
                if (Array.IndexOf(known, member.Name) < 0)
                {
                    throw new RefusedException(RefusalCode.UnknownMember,
                        $"`{member.Name}` is no member of {what}{NearestName.Hint(member.Name, known)}; known are {string.Join(", ", known)}.");
                }
            }

            return read(root);
        }
        catch (JsonException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body of {what} is not one JSON object with distinct members: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body of {what} holds text that is not valid Unicode: {cause.Message}");
        }
    }
}
