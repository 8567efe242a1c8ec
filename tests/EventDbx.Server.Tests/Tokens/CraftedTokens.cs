using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>A token that a test has made, of the kind that its name says.</summary>
/// <param name="Token">As it is sent; null: nothing is.</param>
/// <param name="Known">What the ledger says of it; null: the ledger does not know it.</param>
internal sealed record Crafted(string Name, string? Token, TokenClaims? Known = null, bool Revoked = false);

/// <summary>
/// Tokens of every kind that must be refused, all of them for root: whatever was overlooked would open everything. Most stand in the
/// ledger, so that nothing but the one fault that their name says keeps them out.
/// </summary>
internal static class CraftedTokens
{
    static readonly byte[] OldSecret = [.. Enumerable.Range(100, 32).Select(i => (byte)i)];

    public static RetiredSecret OldSecretUntil(DateTimeOffset until) => new(OldSecret, "key-0", Timestamp.From(until));

    /// <summary>A root token that is good.</summary>
    public static Crafted Good(AuthSettings auth, DateTimeOffset now, string name = "good") => Signed(name, auth, Claims(auth, now));

    /// <summary>A root token of the secret before: good as long as that overlaps.</summary>
    public static Crafted OfOldSecret(AuthSettings auth, DateTimeOffset now) =>
        Signed("of the old secret", auth with { Secret = auth.Previous!.Secret, KeyId = auth.Previous.KeyId }, Claims(auth, now));

    /// <param name="auth">In force; the secret before it has ended.</param>
    /// <param name="now">By the clock of the server.</param>
    public static IReadOnlyList<Crafted> Refused(AuthSettings auth, DateTimeOffset now)
    {
        var good = Good(auth, now);
        var parts = good.Token!.Split('.');
        var seconds = now.ToUnixTimeSeconds();
        var hour = (long)TimeSpan.FromHours(1).TotalSeconds;
        List<Crafted> all =
        [
            new("none", null), new("empty", ""), new("garbage", "nonsense"), new("two parts", $"{parts[0]}.{parts[1]}"), new("not ours", "abcd.abcd.abcd"),
            new("two of them", $"{good.Token} {good.Token}"), new("its claims as its head", $"{parts[1]}.{parts[1]}.{parts[2]}"),
            new("signed, and unknown", Good(auth, now).Token),
            Signed("expired", auth, Claims(auth, now) with { IssuedAt = seconds - (2 * hour), ExpiresAt = seconds - hour }),
            Signed("not valid yet", auth, Claims(auth, now) with { NotBefore = seconds + hour }),
            Signed("issued in the future", auth, Claims(auth, now) with { IssuedAt = seconds + hour }),
            Signed("revoked", auth, Claims(auth, now)) with { Revoked = true },
            Signed("another audience", auth, Claims(auth, now) with { Audience = "others" }),
            Signed("another issuer", auth, Claims(auth, now) with { Issuer = "eventdbx://other" }),
            Signed("another secret", auth with { Secret = new byte[32] }, Claims(auth, now)),
            Signed("another key id", auth with { KeyId = "key-9" }, Claims(auth, now)),
            Signed("of the old secret, after its overlap", auth with { Secret = OldSecret, KeyId = "key-0" }, Claims(auth, now)),
            Signed("the old key id over the new secret", auth with { KeyId = "key-0" }, Claims(auth, now)),
            Headed("alg none", auth, now, """{"typ":"JWT","alg":"none","kid":"KID"}""", static (_, _) => []),
            Headed("alg none, signed", auth, now, """{"typ":"JWT","alg":"none","kid":"KID"}""", HMACSHA256.HashData),
            Headed("alg HS384", auth, now, """{"typ":"JWT","alg":"HS384","kid":"KID"}""", HMACSHA384.HashData),
            Headed("alg HS512 in name only", auth, now, """{"typ":"JWT","alg":"HS512","kid":"KID"}""", HMACSHA256.HashData),
            Headed("alg RS256", auth, now, """{"typ":"JWT","alg":"RS256","kid":"KID"}""", static (_, text) => RsaOf(text)),
            Headed("alg RS256 in name only", auth, now, """{"typ":"JWT","alg":"RS256","kid":"KID"}""", HMACSHA256.HashData),
            Headed("alg hs256", auth, now, """{"typ":"JWT","alg":"hs256","kid":"KID"}""", HMACSHA256.HashData),
            Headed("without typ", auth, now, """{"alg":"HS256","kid":"KID"}""", HMACSHA256.HashData),
            Headed("without kid", auth, now, """{"typ":"JWT","alg":"HS256"}""", HMACSHA256.HashData),
            Headed("typ of an access token elsewhere", auth, now, """{"typ":"at+jwt","alg":"HS256","kid":"KID"}""", HMACSHA256.HashData),
            Headed("typ of something else", auth, now, """{"typ":"dpop+jwt","alg":"HS256","kid":"KID"}""", HMACSHA256.HashData),
            Headed("with its own key", auth, now, """{"typ":"JWT","alg":"HS256","kid":"KID","jwk":{"kty":"oct","k":"AAAA"}}""", HMACSHA256.HashData),
            Headed("with its own critical member", auth, now, """{"typ":"JWT","alg":"HS256","kid":"KID","crit":["b64"],"b64":false}""", HMACSHA256.HashData),
            Bodied("an id token", auth, now, $$"""{"iss":"{{auth.Issuer}}","aud":"{{auth.Audience}}","sub":"jane","iat":{{seconds}},"exp":{{seconds + hour}},"nonce":"n","email":"jane@example.com"}"""),
            Bodied("claims twice", auth, now, Encoding.UTF8.GetString(Claims(auth, now).ToJson())[..^1] + ",\"root\":true}"),
            Bodied("claims that are an array", auth, now, "[]"),
        ];
        // Each part of the token, and both dots.
        var random = new Random(6962);
        for (var i = 0; i < 12; i++)
        {
            var at = i < 2 ? (i == 0 ? parts[0].Length : parts[0].Length + 1 + parts[1].Length) : random.Next(good.Token.Length);
            all.Add(new($"bit {i} flipped at {at}", $"{good.Token[..at]}{(char)(good.Token[at] ^ (1 << random.Next(5)))}{good.Token[(at + 1)..]}"));
        }

        return all;
    }

    /// <summary>The ledger that knows them.</summary>
    public static string Ledger(IEnumerable<Crafted> tokens) => $"[{string.Join(',', tokens.Where(token => token.Known is not null).Select(RecordOf))}]";

    static string RecordOf(Crafted token)
    {
        var known = token.Known!;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token.Token!)));
        return $$"""{"sha256":"{{hash}}","jti":"{{known.Jti}}","subject":"{{known.Subject}}","group":"{{known.Group}}","user":"{{known.User}}","root":{{(known.Root ? "true" : "false")}},"actions":{{Array(known.Actions)}},"resources":{{Array(known.Resources)}},"issued_at":{{Time(known.IssuedAt)}},"not_before":null,"expires_at":{{Time(known.ExpiresAt)}},"issued_by":"{{known.IssuedBy}}","status":"{{(token.Revoked ? "revoked" : "active")}}","limits":{"write_events":null,"keep_alive":false}{{(token.Revoked ? $",\"revoked_at\":{Time(known.IssuedAt)},\"revoked_reason\":null" : "")}}}""";

        static string Array(IReadOnlyList<string> texts) => JsonSerializer.Serialize(texts);

        static string Time(long? seconds) => seconds is { } at ? $"\"{Timestamp.From(DateTimeOffset.FromUnixTimeSeconds(at))}\"" : "null";
    }

    static TokenClaims Claims(AuthSettings auth, DateTimeOffset now) => new()
    {
        Issuer = auth.Issuer, Audience = auth.Audience, Subject = "ops:root", Jti = Guid.NewGuid(), IssuedAt = now.ToUnixTimeSeconds() - 60, Root = true, Group = "ops",
        User = "root", Actions = ["*.*"], Resources = ["*"], IssuedBy = "test", Limits = new(null, KeepAlive: false),
    };

    static Crafted Signed(string name, AuthSettings auth, TokenClaims claims) => new(name, new TokenSigner(auth).Sign(claims), claims);

    static Crafted Headed(string name, AuthSettings auth, DateTimeOffset now, string head, Func<byte[], byte[], byte[]> sign)
    {
        var claims = Claims(auth, now);
        return new(name, Put(head.Replace("KID", auth.KeyId, StringComparison.Ordinal), claims.ToJson(), auth.Secret, sign), claims);
    }

    static Crafted Bodied(string name, AuthSettings auth, DateTimeOffset now, string body) => new(
        name, Put($$"""{"typ":"JWT","alg":"HS256","kid":"{{auth.KeyId}}"}""", Encoding.UTF8.GetBytes(body), auth.Secret, HMACSHA256.HashData), Claims(auth, now));

    static string Put(string head, byte[] body, byte[] secret, Func<byte[], byte[], byte[]> sign)
    {
        var text = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(head))}.{Base64Url.EncodeToString(body)}";
        return $"{text}.{Base64Url.EncodeToString(sign(secret, Encoding.ASCII.GetBytes(text)))}";
    }

    static byte[] RsaOf(byte[] text)
    {
        using var key = RSA.Create(2048);
        return key.SignData(text, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
    }
}
