using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>Decision 27: the compact form, and everything that is not it.</summary>
public sealed class TokenFormatTests
{
    const string Published =
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImtleS0yMDI1MDEwMTAwMDAwMCJ9.eyJpc3MiOiJldmVudGRieDovL3NlbGYiLCJhdWQiOiJldmVudGRieC1jbGllbnRzIiwic3ViIjoiYWRtaW46amFuZSIsImp0aSI6IjQ1YzMwMTNlLTliOTUtNGVkMC05YWY5LTFhNDY1ZjgxZDNjZiIsImlhdCI6MTczNTY4OTYwMCwiZXhwIjoxNzM1NjkzMjAwLCJyb290IjpmYWxzZSwiZ3JvdXAiOiJhZG1pbiIsInVzZXIiOiJqYW5lIiwiYWN0aW9ucyI6WyJhZ2dyZWdhdGUuYXBwZW5kIl0sInJlc291cmNlcyI6WyJhZ2dyZWdhdGU6cGF0aWVudDoqIl0sImlzc3VlZF9ieSI6ImNsaSIsImxpbWl0cyI6eyJ3cml0ZV9ldmVudHMiOm51bGwsImtlZXBfYWxpdmUiOmZhbHNlfX0.QqttZfiRPfmBfdvV0zd0SUMOj9caLpSN-d5KD__aris";

    static readonly TokenSigner Signer = new(TokenBench.Auth());

    static TokenClaims Claims { get; } = new()
    {
        Issuer = "eventdbx://self", Audience = "eventdbx-clients", Subject = "admin:jane", Jti = Guid.Parse("45c3013e-9b95-4ed0-9af9-1a465f81d3cf"),
        IssuedAt = 1735689600, ExpiresAt = 1735693200, Root = false, Group = "admin", User = "jane", Actions = ["aggregate.append"],
        Resources = ["aggregate:patient:*"], IssuedBy = "cli", Limits = new(null, KeepAlive: false),
    };

    [Fact]
    public void The_published_token_comes_out_byte_for_byte_and_is_read_back()
    {
        Assert.Equal(Published, Signer.Sign(Claims));
        Assert.Null(Verify(Published, out var read));
        Assert.Equal(Claims.ToJson(), read!.ToJson());
    }

    [Fact]
    public void A_bit_flipped_at_any_character_is_refused()
    {
        for (var at = 0; at < Published.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var changed = Encoding.Latin1.GetBytes(Published);
                changed[at] ^= (byte)(1 << bit);
                Assert.True(Signer.Verify(changed, out var claims) is not null && claims is null, $"Bit {bit} of character {at} can be flipped.");
            }
        }
    }

    [Fact]
    public void A_token_has_one_spelling()
    {
        var parts = Published.Split('.');
        foreach (var (spelling, what) in new[]
        {
            (Published + "=", "padding"), (Published + " ", "white space behind"), (" " + Published, "white space in front"), (Published + ".", "a fourth part"),
            ("." + Published, "an empty part in front"), (parts[0] + "." + parts[1], "two parts"), ($"{parts[0]}.{parts[1]}.", "no signature"),
            ($"{parts[0]}..{parts[2]}", "no claims"), ($"{parts[0]}.{parts[1]}=.{parts[2]}", "padding inside"),
            // The last character carries two bits that are not used; 's' has them clear.
            (Published[..^1] + "t", "stray bits"), (Published.Replace('-', '+').Replace('_', '/'), "the other alphabet"), ("", "nothing"), ("..", "only dots"),
        })
        {
            Assert.True(Verify(spelling, out _) is not null, $"A token with {what} is taken.");
        }
    }

    [Theory]
    [InlineData("""{"typ":"JWT","alg":"none","kid":"key-20250101000000"}""")]
    [InlineData("""{"typ":"JWT","alg":"None"}""")]
    [InlineData("""{"typ":"JWT","alg":"HS512","kid":"key-20250101000000"}""")]
    [InlineData("""{"typ":"JWT","alg":"HS256","kid":"key-20240101000000"}""")]
    [InlineData("""{"typ":"JWT","alg":"HS256"}""")]
    [InlineData("""{"alg":"HS256","typ":"JWT","kid":"key-20250101000000"}""")]
    public void Another_head_is_refused_even_with_a_signature_that_fits(string head)
    {
        var text = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(head))}.{Base64Url.EncodeToString(Claims.ToJson())}";
        var mac = HMACSHA256.HashData(TokenBench.Auth().Secret, Encoding.ASCII.GetBytes(text));

        Assert.Contains("HS256", Verify($"{text}.{Base64Url.EncodeToString(mac)}", out _), StringComparison.Ordinal);
        Assert.NotNull(Verify($"{text}.", out _));
        Assert.Null(Verify(Published, out _));
    }

    [Fact]
    public void Another_secret_key_issuer_or_audience_is_refused()
    {
        var ours = TokenBench.Auth();
        foreach (var theirs in new[]
        {
            ours with { Secret = new byte[32] }, ours with { KeyId = "key-2" }, ours with { Issuer = "eventdbx://other" }, ours with { Audience = "others" },
        })
        {
            var claims = Claims with { Issuer = theirs.Issuer, Audience = theirs.Audience };
            Assert.NotNull(Verify(new TokenSigner(theirs).Sign(claims), out _));
            Assert.Null(new TokenSigner(theirs).Verify(Encoding.ASCII.GetBytes(new TokenSigner(theirs).Sign(claims)), out _));
        }
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("{}")]
    [InlineData("{")]
    [InlineData("""{"iss":"eventdbx://self","iss":"eventdbx://self"}""")]
    public void Signed_claims_that_are_none_are_refused(string json)
    {
        var head = Published.Split('.')[0];
        var text = $"{head}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json))}";
        var mac = HMACSHA256.HashData(TokenBench.Auth().Secret, Encoding.ASCII.GetBytes(text));

        Assert.Contains("claims", Verify($"{text}.{Base64Url.EncodeToString(mac)}", out _), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_beyond_ascii_and_times_that_are_absent_travel()
    {
        var claims = Claims with { Group = "Büro \"1\"", User = "Ω😀", ExpiresAt = null, NotBefore = 1735689601, Limits = new(ulong.MaxValue, KeepAlive: true) };

        Assert.Null(Verify(Signer.Sign(claims), out var read));
        Assert.Equal((claims.Group, claims.User, null, claims.NotBefore, claims.Limits), (read!.Group, read.User, read.ExpiresAt, read.NotBefore, read.Limits));
        Assert.DoesNotContain("\"exp\"", Encoding.UTF8.GetString(claims.ToJson()), StringComparison.Ordinal);
    }

    static string? Verify(string token, out TokenClaims? claims) => Signer.Verify(Encoding.UTF8.GetBytes(token), out claims);
}
