using EventDbx.Encryption;

namespace EventDbx.Tests.Encryption;

public sealed class SealerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sizes_and_content_come_back(bool encrypted)
    {
        using var cipher = encrypted ? Given.Cipher() : null;
        foreach (var size in (int[])[0, 1, 300])
        {
            var plaintext = Given.Bytes(0, size);

            var value = Given.Seal(cipher, Purpose.Body, Given.EventId, plaintext);

            Assert.Equal(size + (encrypted ? 33 : 1), value.Length);
            Assert.Equal(size, Sealer.OpenedBytes(cipher, value.Length));
            Assert.Equal(plaintext, Given.Open(cipher, Purpose.Body, Given.EventId, value));
        }
    }

    [Fact]
    public void A_plain_value_is_never_accepted_in_an_encrypted_store()
    {
        using var cipher = Given.Cipher();

        // Long enough to have the form of either.
        foreach (var size in (int[])[0, 32, 33, 300])
            Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, Given.Seal(null, Purpose.State, "state"u8, new byte[size])));
    }

    [Fact]
    public void A_sealed_value_is_never_accepted_in_a_plain_store()
    {
        using var cipher = Given.Cipher();

        Assert.Null(Given.Open(null, Purpose.State, "state"u8, Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8)));
    }

    [Fact]
    public void An_unknown_algorithm_or_epoch_is_refused_in_both()
    {
        using var cipher = Given.Cipher();
        var value = Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8);

        for (var algorithm = 2; algorithm < 256; algorithm++)
        {
            value[0] = (byte)algorithm;
            Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, value));
            Assert.Null(Given.Open(null, Purpose.State, "state"u8, value));
        }

        value[0] = 1;
        foreach (var epoch in (byte[])[0, 2, 255])
        {
            value[4] = epoch;
            Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, value));
        }
    }

    [Fact]
    public void A_value_too_short_to_be_one_opens_as_nothing()
    {
        using var cipher = Given.Cipher();

        Assert.Equal(0, Sealer.OpenedBytes(cipher, 32));
        Assert.Equal(0, Sealer.OpenedBytes(null, 0));
        Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, new byte[32]));
        Assert.Null(Given.Open(null, Purpose.State, "state"u8, []));
    }
}
