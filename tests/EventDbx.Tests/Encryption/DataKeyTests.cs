using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.Tests.Encryption;

public sealed class DataKeyTests
{
    const string Text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    static readonly byte[] DatabaseId = Given.Bytes(100, 16);

    [Theory]
    [InlineData(Text)]
    [InlineData("  " + Text + "\r\n")]
    public void A_key_reads_back_as_the_same_key(string text)
    {
        Assert.True(DataKey.TryParse(text, out var key, out var why), why);
        using (key)
            Assert.Equal(Text, key.ToBase64());
    }

    [Theory]
    [InlineData(null, "The data key is empty; ")]
    [InlineData("", "The data key is empty; ")]
    [InlineData(" \n", "The data key is empty; ")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "The data key has 43 characters; ")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==", "The data key has 48 characters; ")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "The data key is not valid base64; ")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==", "The data key is not valid base64; ")]
    [InlineData("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "The data key is not valid base64; ")]
    [InlineData("AAECAwQFBgcICQoL DA0ODxAREhMUFRYXGBkaGxwdHh8", "The data key is not valid base64; ")]
    [InlineData("!AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "The data key is not valid base64; ")]
    [InlineData("_-ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "The data key is in the URL alphabet of base64 (with - and _); ")]
    public void What_is_not_a_key_is_refused_with_a_reason_that_holds_no_part_of_it(string? text, string reason)
    {
        Assert.False(DataKey.TryParse(text, out var key, out var why));

        Assert.Null(key);
        Assert.Equal(reason + "a data key is 32 bytes in standard base64: 44 characters, the last one =.", why);
    }

    [Fact]
    public void Two_generated_keys_differ()
    {
        using var one = DataKey.Generate();
        using var other = DataKey.Generate();

        Assert.NotEqual(one.ToBase64(), other.ToBase64());
    }

    [Fact]
    public void A_key_as_text_for_people_says_nothing_of_the_key()
    {
        using var key = Given.DataKey();

        Assert.Equal("DataKey", key.ToString());
        Assert.Equal("DataKey", $"{key}");
        Assert.Equal("{}", System.Text.Json.JsonSerializer.Serialize(key));
    }

    [Fact]
    public void A_disposed_key_does_nothing_more()
    {
        var key = Given.DataKey();
        key.Dispose();
        key.Dispose();

        Assert.Throws<ObjectDisposedException>(() => key.ToBase64());
        Assert.Throws<ObjectDisposedException>(() => key.MakeCheck(DatabaseId));
        Assert.Throws<ObjectDisposedException>(() => key.Wrap(Given.Order, Given.Bytes(0), new byte[DataKey.WrappedBytes], new()));
    }

    [Fact]
    public void A_wrapped_key_opens_for_its_aggregate_and_with_its_data_key_only()
    {
        using var key = Given.DataKey();
        using var otherKey = DataKey.Generate();
        var wrapped = new byte[DataKey.WrappedBytes];
        key.Wrap(Given.Order, Given.Bytes(32), wrapped, new());
        var unwrapped = new byte[32];

        Assert.True(key.TryUnwrap(Given.Order, wrapped, unwrapped));
        Assert.Equal(Given.Bytes(32), unwrapped);
        Assert.False(otherKey.TryUnwrap(Given.Order, wrapped, unwrapped));
        Assert.False(key.TryUnwrap(AggregateKey.Create("order", "1002"), wrapped, unwrapped));
        Assert.False(key.TryUnwrap(AggregateKey.Create("orders", "1001"), wrapped, unwrapped));
        Assert.DoesNotContain(Convert.ToHexString(Given.Bytes(32, 8)), Convert.ToHexString(wrapped), StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrapped_key_with_any_one_bit_changed_or_of_another_length_does_not_open()
    {
        using var key = Given.DataKey();
        var wrapped = new byte[DataKey.WrappedBytes];
        key.Wrap(Given.Order, Given.Bytes(32), wrapped, new());
        var unwrapped = new byte[32];

        for (var bit = 0; bit < wrapped.Length * 8; bit++)
        {
            wrapped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(key.TryUnwrap(Given.Order, wrapped, unwrapped), $"bit {bit}");
            wrapped[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        for (var length = 0; length < wrapped.Length; length++)
            Assert.False(key.TryUnwrap(Given.Order, wrapped.AsSpan(0, length), unwrapped), $"length {length}");
        Assert.False(key.TryUnwrap(Given.Order, [.. wrapped, 0], unwrapped));
    }

    [Fact]
    public void A_key_check_matches_its_key_and_its_database_and_no_other()
    {
        using var key = Given.DataKey();
        using var otherKey = DataKey.Generate();
        var check = key.MakeCheck(DatabaseId);

        Assert.Equal(DataKey.CheckBytes, check.Length);
        Assert.True(key.Matches(DatabaseId, check));
        Assert.False(otherKey.Matches(DatabaseId, check));
        Assert.False(key.Matches(Given.Bytes(101, 16), check));
        Assert.False(key.Matches(DatabaseId, []));
        for (var bit = 0; bit < check.Length * 8; bit++)
        {
            check[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(key.Matches(DatabaseId, check), $"bit {bit}");
            check[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }
}
