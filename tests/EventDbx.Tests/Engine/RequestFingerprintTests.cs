using System.Buffers.Binary;
using System.Security.Cryptography;
using EventDbx.Commit;

namespace EventDbx.Tests.Engine;

public class RequestFingerprintTests
{
    [Theory]
    [InlineData("opened", """{"a":1}""", null)]
    [InlineData("opened", """{"a":1}""", "")]
    [InlineData("geöffnet", "null", "mit Umlaut: ü")]
    public void It_is_the_hash_of_every_part_behind_its_length(string eventType, string payload, string? note)
    {
        byte[] request = [.. Prefixed("payload"), .. Prefixed(eventType), .. Prefixed(payload), .. note is null ? [0] : (byte[])[1, .. Prefixed(note)]];
        var fingerprint = RequestFingerprint.Of("payload"u8, Encoding.UTF8.GetBytes(eventType), Encoding.UTF8.GetBytes(payload), note);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(request)), fingerprint.ToString());
    }

    [Fact]
    public void A_large_payload_is_hashed_as_well()
    {
        var payload = new string('x', 100_000);
        byte[] request = [.. Prefixed("payload"), .. Prefixed("t"), .. Prefixed(payload), 0];
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(request)), RequestFingerprint.Of("payload"u8, "t"u8, Encoding.UTF8.GetBytes(payload), null).ToString());
    }

    static byte[] Prefixed(string text)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, Encoding.UTF8.GetByteCount(text));
        return [.. length, .. Encoding.UTF8.GetBytes(text)];
    }
}
