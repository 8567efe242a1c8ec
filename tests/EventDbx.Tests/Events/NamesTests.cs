using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class NamesTests
{
    public static TheoryData<string> Accepted =>
    [
        "a", " ", "...", ".a", "a.", "a/b", "/", "a:b", "-rf", "a b", "%2e%2e", "\u00a0",
        "é", "注文", "😀", "\u0080", "\uFEFF", "\"", "\\",
    ];

    public static TheoryData<string?, string> Refused => new()
    {
        { null, "is empty" },
        { "", "is empty" },
        { ".", "is \".\", which no URL can name" },
        { "..", "is \"..\", which no URL can name" },
        { "\0", "holds the control character U+0000 at index 0" },
        { "ab\n", "holds the control character U+000A at index 2" },
        { "a\u001fb", "holds the control character U+001F at index 1" },
        { "\u007f", "holds the control character U+007F at index 0" },
        { "a\ud800", "holds half of a surrogate pair" },
        { "\udc00a", "holds half of a surrogate pair" },
        { "\ud83d\ud83d", "holds half of a surrogate pair" },
        { "\ude00\ud83d", "holds half of a surrogate pair" },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void These_are_names(string name)
    {
        var key = AggregateKey.Create(name, name);

        Assert.Equal((name, name), (key.Type, key.Id));
        Assert.Null(Names.Check("event_type", name, Limits.TypeBytesMax));
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void These_are_not_and_the_message_says_why(string? name, string reason)
    {
        AssertRefused(name, "o-1", $"aggregate_type {reason}");
        AssertRefused("order", name, $"aggregate_id {reason}");
    }

    [Theory]
    [InlineData("a", 1)]
    [InlineData("é", 2)]
    [InlineData("注", 3)]
    [InlineData("😀", 4)]
    public void A_type_takes_256_bytes_and_an_id_512_whatever_the_characters(string letter, int letterBytes)
    {
        string Name(int bytes) =>
            string.Concat(Enumerable.Repeat(letter, bytes / letterBytes)) + new string('x', bytes % letterBytes);

        var key = AggregateKey.Create(Name(256), Name(512));

        Assert.Equal((256, 512), (key.TypeUtf8.Length, key.IdUtf8.Length));
        AssertRefused(Name(257), "o-1", "aggregate_type has 257 bytes of UTF-8; at most 256 are accepted");
        AssertRefused("order", Name(513), "aggregate_id has 513 bytes of UTF-8; at most 512 are accepted");
    }

    [Fact]
    public void A_key_is_its_bytes_in_the_store_and_back() => Gen.Select(Name, Name).Sample((type, id) =>
    {
        var key = AggregateKey.Create(type, id);

        return AggregateKey.TryRead(key.Row, out var read)
            && read.Equals(key)
            && read.GetHashCode() == key.GetHashCode()
            && (read.Type, read.Id) == (type, id)
            && key.Row.SequenceEqual((byte[])[.. key.TypeUtf8, 0, .. key.IdUtf8]);
    });

    [Fact]
    public void Keys_are_ordered_by_their_bytes_and_not_by_their_characters()
    {
        // U+FF61 comes before U+1F600 in UTF-8 and behind it in UTF-16.
        var (low, high) = (AggregateKey.Create("t", "\uFF61"), AggregateKey.Create("t", "😀"));

        Assert.True(low.CompareTo(high) < 0);
        Assert.True(AggregateKey.Create("a", "z").CompareTo(AggregateKey.Create("a b", "a")) < 0);
    }

    [Fact]
    public void Bytes_that_no_key_has_are_not_read_as_one()
    {
        byte[][] rows =
        [
            [], [0], [.. "a"u8], [.. "a"u8, 0], [0, .. "a"u8], [.. "a"u8, 0, .. "b"u8, 0], [.. "."u8, 0, .. "a"u8],
            [.. "a"u8, 0, 0xFF], [.. "a"u8, 0, 0xED, 0xA0, 0x80], [0xC1, 0x81, 0, .. "a"u8],
        ];

        Assert.All(rows, row => Assert.False(AggregateKey.TryRead(row, out _)));
    }

    [Fact]
    public void Actors_are_equal_when_group_and_user_are()
    {
        Assert.Equal(new Actor("ops", "jané"), new Actor("ops", "jané"));
        Assert.Equal(new Actor("ops", "jané").GetHashCode(), new Actor("ops", "jané").GetHashCode());
        Assert.NotEqual(new Actor("ops", "jane"), new Actor("op", "sjane"));
        Assert.Equal([.. "jané"u8], new Actor("ops", "jané").UserUtf8.ToArray());
        Assert.Equal([.. "ops"u8], new Actor("ops", "jané").GroupUtf8.ToArray());
    }

    static Gen<string> Name => Gen.String[Gen.Char["aZ.é注 :/"], 1, 40].Where(name => name is not "." and not "..");

    static void AssertRefused(string? type, string? id, string reason)
    {
        Assert.False(AggregateKey.TryCreate(type, id, out var key, out var refusal));
        Assert.Null(key);
        Assert.Equal(RefusalCode.InvalidName, refusal.Value.Code);
        Assert.Contains(reason, refusal.Value.Message, StringComparison.Ordinal);
        Assert.Throws<RefusedException>(() => AggregateKey.Create(type, id));
    }
}
