using System.Buffers;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

public sealed class TokenJsonTests
{
    static readonly TokenListing Listing = new()
    {
        Jti = Guid.Parse("45c3013e-9b95-4ed0-9af9-1a465f81d3cf"), Subject = "admin:jane", Group = "admin", User = "jane", Root = false, Actions = ["aggregate.append"],
        Resources = ["aggregate:patient:*"], IssuedAt = new(17356896000000000), ExpiresAt = new(17356932000000000), IssuedBy = "cli", Status = TokenStatus.Active,
        Limits = new(5, KeepAlive: false), WritesRemaining = 3,
    };

    const string Shown =
        """{"jti":"45c3013e-9b95-4ed0-9af9-1a465f81d3cf","subject":"admin:jane","group":"admin","user":"jane","root":false,"actions":["aggregate.append"],"resources":["aggregate:patient:*"],"issued_at":"2025-01-01T00:00:00Z","not_before":null,"expires_at":"2025-01-01T01:00:00Z","issued_by":"cli","status":"active","limits":{"write_events":5,"keep_alive":false},"writes_remaining":3}""";

    [Fact]
    public void A_token_is_shown_in_the_answer_that_issues_it_and_no_other()
    {
        Assert.Equal(Shown, Write(output => TokenJson.WriteListing(output, Listing)));
        Assert.Equal("{\"token\":\"abc\"," + Shown[1..], Write(output => TokenJson.WriteIssued(output, new("abc", Listing))));
        Assert.Equal($"[{Shown},{Shown}]", Write(output => TokenJson.WriteListings(output, [Listing, Listing])));
        Assert.Equal("[]", Write(output => TokenJson.WriteListings(output, [])));
    }

    [Fact]
    public void A_revoked_token_says_when_and_why()
    {
        var revoked = Listing with { Status = TokenStatus.Revoked, RevokedAt = new(17356896000000000), Limits = new(null, KeepAlive: true), WritesRemaining = null };
        Assert.EndsWith(
            "\"status\":\"revoked\",\"limits\":{\"write_events\":null,\"keep_alive\":true},\"revoked_at\":\"2025-01-01T00:00:00Z\",\"revoked_reason\":null,\"writes_remaining\":null}",
            Write(output => TokenJson.WriteListing(output, revoked)), StringComparison.Ordinal);
        Assert.Equal(
            """{"reason":"lost","revoked":true,"revoked_at":"2025-01-01T00:00:00Z","token":"as given","jti":"45c3013e-9b95-4ed0-9af9-1a465f81d3cf"}""",
            Write(output => TokenJson.WriteRevocation(output, new(Listing.Jti, new(17356896000000000), "lost"), "as given")));
    }

    [Fact]
    public void Answers_are_read_back()
    {
        var revoked = Listing with { Status = TokenStatus.Revoked, RevokedAt = new(17356896000000000), RevokedReason = "lost", ExpiresAt = null, WritesRemaining = null };
        foreach (var listing in new[] { Listing, revoked })
        {
            var text = Write(output => TokenJson.WriteIssued(output, new("abc", listing)));
            var read = TokenJson.ReadIssued(JsonDocument.Parse(text).RootElement);
            Assert.Equal("abc", read.Token);
            Assert.Equal(text, Write(output => TokenJson.WriteIssued(output, read)));
        }

        var revocation = new TokenRevocation(Listing.Jti, new(17356896000000000), null);
        Assert.Equal(revocation, TokenJson.ReadRevocation(JsonDocument.Parse(Write(output => TokenJson.WriteRevocation(output, revocation, "x"))).RootElement));
        foreach (var wrong in new[] { "{}", "[]", "1", Shown.Replace("active", "gone", StringComparison.Ordinal) })
            Assert.Throws<FormatException>(() => TokenJson.ReadListing(JsonDocument.Parse(wrong).RootElement));
    }

    [Fact]
    public void Requests_are_read_as_they_are_written()
    {
        var request = new TokenRequest
        {
            Group = "g", User = "u", Subject = "s", Root = true, Actions = ["a"], Resources = ["r", "q"], TtlSeconds = 0, IssuedBy = "cli", WriteLimit = ulong.MaxValue, KeepAlive = true,
        };
        foreach (var wanted in new[] { request, new TokenRequest { Group = "g", User = "u" } })
        {
            var text = Write(output => TokenJson.WriteRequest(output, wanted));
            Assert.Equal(text, Write(output => TokenJson.WriteRequest(output, TokenJson.ReadRequest(Encoding.UTF8.GetBytes(text)))));
        }

        var refresh = new TokenRefresh { TtlSeconds = 9, WriteLimit = null };
        Assert.Equal(("t", refresh), TokenJson.ReadRefresh(Bytes(output => TokenJson.WriteRefresh(output, "t", refresh))));
        Assert.Equal(("t", "why"), TokenJson.ReadRevoke(Bytes(output => TokenJson.WriteRevoke(output, "t", "why"))));
        Assert.Equal(("t", null), TokenJson.ReadRevoke(Bytes(output => TokenJson.WriteRevoke(output, "t", null))));
    }

    [Theory]
    [InlineData("""{"group":"g","user":"u","write_limt":5}""", RefusalCode.UnknownMember, "did you mean `write_limit`?")]
    [InlineData("""{"group":"g","user":"u","ttl":5}""", RefusalCode.UnknownMember, "ttl_secs")]
    [InlineData("""{"group":"g"}""", RefusalCode.InvalidArgument, "`user` is missing")]
    [InlineData("""{"group":"g","user":"u","ttl_secs":-1}""", RefusalCode.InvalidArgument, "-1")]
    [InlineData("""{"group":"g","user":"u","ttl_secs":1.5}""", RefusalCode.InvalidArgument, "1.5")]
    [InlineData("""{"group":"g","user":"u","ttl_secs":"60"}""", RefusalCode.InvalidArgument, "a string")]
    [InlineData("""{"group":"g","user":"u","actions":"aggregate.read"}""", RefusalCode.InvalidArgument, "`actions`")]
    [InlineData("""{"group":"g","user":"u","actions":[1]}""", RefusalCode.InvalidArgument, "`actions`")]
    [InlineData("""{"group":"g","user":"u","root":"yes"}""", RefusalCode.InvalidArgument, "`root`")]
    [InlineData("""{"group":"g","user":"u","user":"v"}""", RefusalCode.InvalidPayload, "distinct")]
    [InlineData("""{"group":"g","user":"\ud800"}""", RefusalCode.InvalidPayload, "Unicode")]
    [InlineData("[]", RefusalCode.InvalidPayload, "object")]
    [InlineData("", RefusalCode.InvalidPayload, "object")]
    public void A_request_that_is_none_is_refused(string body, RefusalCode code, string says)
    {
        var refusal = Assert.Throws<RefusedException>(() => TokenJson.ReadRequest(Encoding.UTF8.GetBytes(body))).Refusal;
        Assert.Equal(code, refusal.Code);
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refresh_or_revocation_names_its_token_and_nothing_unknown()
    {
        Assert.Contains("`token` is missing", Assert.Throws<RefusedException>(() => TokenJson.ReadRefresh("{}"u8.ToArray())).Message, StringComparison.Ordinal);
        Assert.Contains("`token` is missing", Assert.Throws<RefusedException>(() => TokenJson.ReadRevoke("{}"u8.ToArray())).Message, StringComparison.Ordinal);
        Assert.Equal(RefusalCode.UnknownMember, Assert.Throws<RefusedException>(() => TokenJson.ReadRefresh("{\"token\":\"t\",\"root\":true}"u8.ToArray())).Refusal.Code);
        Assert.Equal(RefusalCode.UnknownMember, Assert.Throws<RefusedException>(() => TokenJson.ReadRevoke("{\"token\":\"t\",\"why\":\"\"}"u8.ToArray())).Refusal.Code);
    }

    static string Write(Action<ArrayBufferWriter<byte>> write) => Encoding.UTF8.GetString(Bytes(write).Span);

    static ReadOnlyMemory<byte> Bytes(Action<ArrayBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return output.WrittenMemory;
    }
}
