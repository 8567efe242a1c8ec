using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Public keys of other nodes: one spelling, a fingerprint that OpenSSH shows, and none that anybody could sign for.</summary>
public sealed class PeerKeyTests
{
    /// <summary>RFC 8032, section 7.1, test 1.</summary>
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    [Theory]
    [InlineData(Key)]
    [InlineData(Key + "=")]
    [InlineData("  " + Key + "=\n")]
    public void A_key_is_read_with_its_padding_and_without(string text)
    {
        var key = PeerKey.Parse(text);

        Assert.Equal(Key, key.ToString());
        Assert.Equal(PeerKey.Parse(Key), key);
        Assert.Equal(Convert.FromHexString("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), key.Bytes.ToArray());
    }

    /// <summary>Made with <c>ssh-keygen -l</c>.</summary>
    [Fact]
    public void The_fingerprint_is_the_one_that_OpenSSH_shows_of_the_same_key() =>
        Assert.Equal("SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8", PeerKey.Parse(Key).Fingerprint);

    [Theory]
    [InlineData("", "public key cannot be empty")]
    [InlineData(" ", "public key cannot be empty")]
    [InlineData("nonsense!", "invalid base64 public key: character 9 is none of base64")]
    [InlineData("11qYAYKxCrfVS-7TyWQHOg7hcvPapiMlrwIaaPcHURo", "invalid base64 public key: it is in the alphabet for URLs")]
    [InlineData("11qYAYKxCrfVS/7TyWQHOg7hcvP\napiMlrwIaaPcHURo", "invalid base64 public key: character 28 is none of base64")]
    [InlineData(Key + "==", "invalid base64 public key: its length")]
    [InlineData("=" + Key, "invalid base64 public key: character 1 is none of base64")]
    [InlineData("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp", "invalid base64 public key: its last character")]
    [InlineData("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR", "public key must decode to 32 bytes, and this one to 31")]
    [InlineData(Key + "AA", "invalid base64 public key: its length")]
    [InlineData("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURoAAAAA", "public key must decode to 32 bytes, and this one to 36")]
    public void What_is_no_base64_of_32_bytes_is_refused_with_what_is_wrong(string text, string why)
    {
        var refused = Assert.Throws<RefusedException>(() => PeerKey.Parse(text));

        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        Assert.StartsWith(why, refused.Message, StringComparison.Ordinal);
        Assert.Null(PeerKey.FingerprintOf(text));
    }

    [Theory]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // y = 0: of order 4, and all zero
    [InlineData("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // the neutral point
    [InlineData("7P///////////////////////////////////////38")] // y = -1: of order 2
    [InlineData("JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/AU")] // of order 8
    [InlineData("7f///////////////////////////////////////38")] // y = p: another spelling of 0
    [InlineData("7v///////////////////////////////////////38")] // y = p + 1: another spelling of 1
    [InlineData("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // y = 2: no point
    [InlineData("BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // y = 7: no point
    [InlineData("O1tHXEuC3RVyeZ/FRvTGwD5HjGZUqkx/lFs0fqMq9g0")] // a good key and a point of order 8 added
    public void A_point_that_no_private_key_has_is_refused(string text) =>
        Assert.StartsWith("public key is none of Ed25519", Assert.Throws<RefusedException>(() => PeerKey.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Every_key_that_is_made_is_one(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 50; i++)
        {
            var bytes = new byte[32];
            random.NextBytes(bytes);
            using var key = NSec.Cryptography.Key.Import(NSec.Cryptography.SignatureAlgorithm.Ed25519, bytes, NSec.Cryptography.KeyBlobFormat.RawPrivateKey);
            var text = Convert.ToBase64String(key.PublicKey.Export(NSec.Cryptography.KeyBlobFormat.RawPublicKey));
            Assert.Equal(text.TrimEnd('='), PeerKey.Parse(text).ToString());
        }
    }
}
