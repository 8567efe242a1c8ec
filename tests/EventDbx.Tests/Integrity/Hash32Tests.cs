using System.Security.Cryptography;
using System.Text;
using CsCheck;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

public sealed class Hash32Tests
{
    const string OfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    [Fact]
    public void The_published_digests_of_nothing_and_of_abc_are_printed_in_lower_case()
    {
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Hash32.Empty.ToString());
        Assert.Equal(OfAbc, Hash32.Of("abc"u8).ToString());
    }

    [Fact]
    public void Bytes_and_text_lead_back_to_the_same_hash() =>
        Gen.Byte.Array[Hash32.Length].Sample(bytes =>
        {
            var hash = Hash32.Read(bytes);
            var written = new byte[Hash32.Length];
            hash.Write(written);
            var text = new byte[Hash32.HexLength];

            return written.SequenceEqual(bytes)
                && hash.TryFormat(text)
                && hash.ToString() == Convert.ToHexStringLower(bytes)
                && hash.ToString() == Encoding.ASCII.GetString(text)
                && Hash32.TryParse(hash.ToString(), out var parsed)
                && parsed == hash;
        });

    [Fact]
    public void The_hash_of_a_content_is_its_SHA_256() =>
        Gen.Byte.Array[0, 300].Sample(content => Hash32.Of(content) == Hash32.Read(SHA256.HashData(content)));

    [Fact]
    public void Sixty_four_lower_case_digits_are_accepted() => Assert.True(Hash32.TryParse(OfAbc, out _));

    public static TheoryData<string> Refused =>
    [
        "", OfAbc[..63], OfAbc + "0", OfAbc[..62], $" {OfAbc[1..]}", $"{OfAbc[..63]} ", $"{OfAbc[..63]}g", $"0x{OfAbc[2..]}",
        OfAbc.ToUpperInvariant(), $"B{OfAbc[1..]}", $"{OfAbc[..63]}٣",
    ];

    [Theory]
    [MemberData(nameof(Refused))]
    public void Anything_else_is_refused(string text)
    {
        Assert.False(Hash32.TryParse(text, out var hash));
        Assert.Equal(default, hash);
    }

    [Fact]
    public void Too_few_bytes_are_a_bug_of_the_caller_and_too_short_a_text_buffer_an_answer()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Hash32.Read(new byte[31]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Hash32.Empty.Write(new byte[31]));
        Assert.False(Hash32.Empty.TryFormat(new byte[63]));
    }
}
