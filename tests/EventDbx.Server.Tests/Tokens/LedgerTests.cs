using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>What lies on disk, and what happens when it is not what it should be.</summary>
public sealed class LedgerTests
{
    const string Jti = "45c3013e-9b95-4ed0-9af9-1a465f81d3cf";

    [Theory, InlineData(false), InlineData(true)]
    public async Task The_ledger_survives_a_reopen_and_holds_no_token(bool encrypted)
    {
        await using var bench = TokenBench.Open(encrypted);
        var issued = await bench.IssueAsync(request => request with { Group = "accounting-group", User = "bookkeeper" });
        var before = bench.Tokens.List(bench.Owner);

        await bench.ReopenAsync();

        bench.Tokens.Authenticate(issued.Token);
        Assert.Equal(Text(before), Text(bench.Tokens.List(bench.Owner)));
        Assert.DoesNotContain(issued.Token.Split('.')[2], bench.LedgerText, StringComparison.Ordinal);
        foreach (var word in new[] { "accounting-group", "bookkeeper", issued.Listing.Jti.ToString(), "sha256", "aggregate.append" })
            Assert.Equal(!encrypted, bench.LedgerText.Contains(word, StringComparison.Ordinal));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(bench.LedgerPath));
    }

    [Fact]
    public async Task A_record_has_its_members_in_the_published_order()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync(request => request with { WriteLimit = 3 });
        await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, "gone", TokenBench.Cancellation);
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(issued.Token)));

        Assert.Equal(
            $$"""[{"sha256":"{{hash}}","jti":"{{issued.Listing.Jti}}","subject":"ops:cron","group":"ops","user":"cron","root":false,"actions":["aggregate.append","aggregate.read"],"resources":["*"],"issued_at":"2026-01-02T03:04:05Z","not_before":null,"expires_at":"2026-01-02T04:04:05Z","issued_by":"admin","status":"revoked","limits":{"write_events":3,"keep_alive":false},"revoked_at":"2026-01-02T03:04:05.678Z","revoked_reason":"gone"}]""",
            bench.LedgerText);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("[{}]")]
    [InlineData("[] []")]
    [InlineData("""[{"jti":1}]""")]
    [InlineData("REFERENCE,REFERENCE")]
    [InlineData("REFERENCE|\"status\":\"active\"|\"status\":\"paused\"")]
    [InlineData("REFERENCE|\"token\":\"abc\",|")]
    [InlineData("REFERENCE|\"token\":\"abc\"|\"sha256\":\"abc\"")]
    [InlineData("REFERENCE|\"root\":false|\"root\":\"false\"")]
    [InlineData("REFERENCE|\"issued_at\":\"2025|\"issued_at\":\"yesterday")]
    [InlineData("REFERENCE|\"keep_alive\":false|\"keep_alive\":1")]
    [InlineData("REFERENCE|\"group\":\"ops\",|\"group\":\"ops\",\"group\":\"root\",")]
    public async Task A_broken_ledger_lets_nobody_in(string content)
    {
        var parts = content.Replace("REFERENCE", Reference("abc"), StringComparison.Ordinal).Split('|');
        var text = parts.Length == 3 ? parts[0].Replace(parts[1], parts[2], StringComparison.Ordinal) : parts[0];
        await using var bench = TokenBench.Open(encrypted: false);
        await File.WriteAllTextAsync(bench.LedgerPath, text.StartsWith("{\"", StringComparison.Ordinal) ? $"[{text}]" : text, TokenBench.Cancellation);

        var refused = Assert.Throws<RefusedException>(() => TokenAuthority.Open(bench.Database, bench.Settings, bench.Clock));

        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
        Assert.Contains("tokens.json", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("[]")]
    public async Task No_ledger_is_an_empty_one(string? content)
    {
        await using var bench = TokenBench.Open(encrypted: false, ledger: content);
        Assert.Empty(bench.Tokens.List(bench.Owner));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_ledger_that_keeps_tokens_is_read_and_written_back_without_them(bool encrypted)
    {
        var signer = new TokenSigner(TokenBench.Auth());
        var token = signer.Sign(new TokenClaims
        {
            Issuer = "eventdbx://self", Audience = "eventdbx-clients", Subject = "ops:cron", Jti = Guid.Parse(Jti), IssuedAt = 1735689600, Root = false, Group = "ops",
            User = "cron", Actions = ["aggregate.append"], Resources = ["aggregate:order:*"], IssuedBy = "cli", Limits = new(null, KeepAlive: false),
        });
        await using var bench = TokenBench.Open(encrypted);
        var documents = bench.Database.Documents;
        Assert.True(documents.TryReplace("tokens.json", System.Text.Encoding.UTF8.GetBytes($"[{Reference(token)}]\n"), documents.Read("tokens.json")));
        await bench.ReopenAsync();

        Assert.Equal(new Actor("ops", "cron"), bench.Tokens.Authenticate(token).Actor);
        Assert.Equal("2025-01-01T00:00:00.1234567Z", bench.Tokens.List(bench.Owner)[0].IssuedAt.ToString());
        await bench.IssueAsync();
        Assert.DoesNotContain(token, bench.LedgerText, StringComparison.Ordinal);
        Assert.Equal(!encrypted, bench.LedgerText.Contains(Jti, StringComparison.Ordinal));
        await bench.ReopenAsync();
        bench.Tokens.Authenticate(token);
        Assert.Equal(2, bench.Tokens.List(bench.Owner).Count);
    }

    [Fact]
    public async Task A_ledger_in_clear_in_an_encrypted_store_lets_nobody_in()
    {
        await using var bench = TokenBench.Open();
        await File.WriteAllTextAsync(bench.LedgerPath, $"[{Reference("abc")}]", TokenBench.Cancellation);

        var refused = Assert.Throws<RefusedException>(() => TokenAuthority.Open(bench.Database, bench.Settings, bench.Clock));

        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
    }

    [Fact]
    public async Task A_ledger_changed_meanwhile_by_another_hand_loses_nothing()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var mine = await bench.IssueAsync();
        await using var other = TokenAuthority.Open(bench.Database, bench.Settings, bench.Clock);
        var theirs = await other.IssueAsync(bench.Owner, new() { Group = "a", User = "b" }, TokenBench.Cancellation);

        var next = await bench.IssueAsync();

        Assert.Equal(
            [mine.Listing.Jti, theirs.Listing.Jti, next.Listing.Jti], bench.Tokens.List(bench.Owner).Select(listing => listing.Jti));
        bench.Tokens.Authenticate(theirs.Token);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_older_ledger_that_is_put_back_revives_no_token(bool refreshed)
    {
        await using var bench = TokenBench.Open();
        var issued = await bench.IssueAsync(request => request with { TtlSeconds = 0 });
        var older = File.ReadAllBytes(bench.LedgerPath);
        if (refreshed)
            await bench.Tokens.RefreshAsync(bench.Owner, issued.Token, new(), TokenBench.Cancellation);
        else
            await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, "stolen", TokenBench.Cancellation);
        await bench.Tokens.DisposeAsync();
        await bench.Database.DisposeAsync();
        File.WriteAllBytes(bench.LedgerPath, older);
        var refused = await Assert.ThrowsAsync<RefusedException>(bench.ReopenAsync);
        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
        // Put back on purpose: then it is said, and even so no token lives again.
        await bench.Database.OpenSession(new Actor("cli", "owner")).AcceptDocumentAsync("tokens.json");
        await bench.Database.DisposeAsync();
        await bench.ReopenAsync();

        Assert.Equal(RefusalCode.Unauthenticated, Assert.Throws<RefusedException>(() => bench.Tokens.Authenticate(issued.Token)).Refusal.Code);
        Assert.Equal(TokenStatus.Revoked, Assert.Single(bench.Tokens.List(bench.Owner)).Status);
    }

    [Fact]
    public async Task Dead_tokens_are_forgotten_after_thirty_days()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var revoked = await bench.IssueAsync(request => request with { TtlSeconds = 0, WriteLimit = 5 });
        var expired = await bench.IssueAsync(request => request with { TtlSeconds = 60 });
        var alive = await bench.IssueAsync(request => request with { TtlSeconds = 0 });
        await bench.Tokens.Authenticate(revoked.Token).AppendAsync(TokenBench.Draft("1"), TokenBench.Cancellation);
        await bench.Tokens.RevokeAsync(bench.Owner, revoked.Token, null, TokenBench.Cancellation);

        bench.Clock.Pass(TimeSpan.FromDays(30));
        var last = await bench.IssueAsync(request => request with { TtlSeconds = 0 });
        Assert.Equal(4, bench.Tokens.List(bench.Owner).Count);
        bench.Clock.Pass(TimeSpan.FromDays(1));
        await bench.Tokens.RevokeAsync(bench.Owner, last.Token, null, TokenBench.Cancellation);

        Assert.Equal([alive.Listing.Jti, last.Listing.Jti], bench.Tokens.List(bench.Owner).Select(listing => listing.Jti));
        Assert.Contains("not known", bench.Refused(expired.Token).Message, StringComparison.Ordinal);
        await bench.Tokens.DisposeAsync();
        // What has an end is forgotten with it; what has none is dead in the store for good, whatever ledger is put back.
        Assert.Equal(default, bench.Database.FindTokenUse(expired.Listing.Jti));
        Assert.True(bench.Database.FindTokenUse(revoked.Listing.Jti).Dead);
    }

    [Fact]
    public async Task A_revocation_holds_even_when_the_disk_does_not_take_it()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        // A directory where the new content is to be put together.
        Directory.CreateDirectory(bench.LedgerPath + ".tmp");

        var issue = await Assert.ThrowsAsync<RefusedException>(() => bench.IssueAsync());
        var revoke = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RevokeAsync(bench.Owner, issued.Token, null, TokenBench.Cancellation));

        Assert.Equal((RefusalCode.Unavailable, RefusalCode.Unavailable), (issue.Refusal.Code, revoke.Refusal.Code));
        Assert.Contains("is revoked for as long as", revoke.Message, StringComparison.Ordinal);
        Assert.Contains("revoked", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
        Assert.Single(bench.Tokens.List(bench.Owner));

        Directory.Delete(bench.LedgerPath + ".tmp");
        await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, null, TokenBench.Cancellation);
        await bench.ReopenAsync();
        Assert.Contains("revoked", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revocation_holds_even_when_the_log_takes_no_more_writes()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        var owner = bench.Owner;
        await bench.Database.DisposeAsync();

        var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RevokeAsync(owner, issued.Token, null, TokenBench.Cancellation));

        Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
        Assert.Contains($"The token {issued.Listing.Jti} is revoked", refused.Message, StringComparison.Ordinal);
        Assert.Contains("revoked", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
        bench.OpenDatabase();
        await using var again = TokenAuthority.Open(bench.Database, bench.Settings, bench.Clock);
        Assert.Throws<RefusedException>(() => again.Authenticate(issued.Token));
    }

    static string Reference(string token) =>
        $$"""{"token":"{{token}}","jti":"{{Jti}}","subject":"ops:cron","group":"ops","user":"cron","root":false,"actions":["aggregate.append"],"resources":["aggregate:order:*"],"issued_at":"2025-01-01T00:00:00.123456789Z","not_before":null,"expires_at":null,"issued_by":"cli","status":"active","limits":{"write_events":null,"keep_alive":false},"later":"unknown"}""";

    static string Text(IReadOnlyList<TokenListing> listings)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        TokenJson.WriteListings(output, listings);
        return System.Text.Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
