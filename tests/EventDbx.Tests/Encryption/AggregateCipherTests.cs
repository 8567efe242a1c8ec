using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.Tests.Encryption;

public sealed class AggregateCipherTests
{
    const string Canary = "canary-7f3a-do-not-store-me";
    static readonly Purpose[] Usable = [Purpose.Body, Purpose.State, Purpose.Snapshot];

    [Fact]
    public void A_value_of_any_size_opens_where_it_was_sealed()
    {
        using var cipher = Given.Cipher();

        foreach (var size in (int[])[0, 1, 15, 16, 17, 300, 4096, 1024 * 1024])
            foreach (var purpose in Usable)
            {
                var plaintext = new byte[size];
                new NoncePool(Random(size)).Take(plaintext.AsSpan(0, Math.Min(size, NoncePool.PoolBytes)));

                Assert.Equal(plaintext, Given.Open(cipher, purpose, Given.EventId, Given.Seal(cipher, purpose, Given.EventId, plaintext)));
            }
    }

    [Fact]
    public void A_value_with_any_one_bit_changed_is_refused_and_leaves_no_plaintext()
    {
        using var cipher = Given.Cipher();
        var content = Encoding.UTF8.GetBytes(Canary);
        var value = Given.Seal(cipher, Purpose.Body, Given.EventId, content);
        var plaintext = new byte[content.Length];

        for (var bit = 0; bit < value.Length * 8; bit++)
        {
            value[bit / 8] ^= (byte)(1 << (bit % 8));
            plaintext.AsSpan().Clear();
            Assert.False(cipher.TryOpen(Purpose.Body, Given.EventId, value, plaintext), $"bit {bit}");
            Assert.All(plaintext, b => Assert.Equal(0, b));
            value[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.True(cipher.TryOpen(Purpose.Body, Given.EventId, value, plaintext));
    }

    [Fact]
    public void A_value_cut_or_lengthened_is_refused()
    {
        using var cipher = Given.Cipher();
        var value = Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8);

        for (var length = 0; length < value.Length; length++)
            Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, value.AsSpan(0, length)));
        Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, [.. value, 0]));
        Assert.Null(Given.Open(cipher, Purpose.State, "state"u8, [.. value, .. value]));
    }

    [Fact]
    public void A_value_does_not_open_in_another_place()
    {
        using var cipher = Given.Cipher();
        var otherEvent = Given.EventId.ToArray();
        otherEvent[15] ^= 1;
        var value = Given.Seal(cipher, Purpose.Body, Given.EventId, "{}"u8);

        Assert.Null(Given.Open(cipher, Purpose.Body, otherEvent, value));
        Assert.Null(Given.Open(cipher, Purpose.Body, [], value));
        Assert.Null(Given.Open(cipher, Purpose.Body, Given.EventId.AsSpan(0, 15), value));
    }

    [Fact]
    public void A_value_does_not_open_for_another_purpose()
    {
        using var cipher = Given.Cipher();

        foreach (var purpose in Usable)
            foreach (var other in Usable.Where(other => other != purpose))
                Assert.Null(Given.Open(cipher, other, "state"u8, Given.Seal(cipher, purpose, "state"u8, "{}"u8)));
    }

    [Theory]
    [InlineData("order", "1002")]
    [InlineData("order1", "001")]
    [InlineData("orde", "r1001")]
    [InlineData("Order", "1001")]
    [InlineData("1001", "order")]
    public void A_value_does_not_open_for_another_aggregate_even_under_the_same_key(string type, string id)
    {
        using var cipher = Given.Cipher();
        using var other = Given.Cipher(AggregateKey.Create(type, id));

        Assert.Null(Given.Open(other, Purpose.State, "state"u8, Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8)));
    }

    [Fact]
    public void Bytes_that_wander_between_id_and_place_are_found()
    {
        using var one = Given.Cipher(AggregateKey.Create("t", "ab"));
        using var other = Given.Cipher(AggregateKey.Create("t", "a"));

        Assert.Null(Given.Open(other, Purpose.State, "bstate"u8, Given.Seal(one, Purpose.State, "state"u8, "{}"u8)));
    }

    [Fact]
    public void A_value_does_not_open_with_another_key()
    {
        using var cipher = Given.Cipher();
        using var other = new AggregateCipher(Given.Order, Given.Bytes(33), []);

        Assert.Null(Given.Open(other, Purpose.State, "state"u8, Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8)));
    }

    [Fact]
    public void No_part_of_the_plaintext_stands_in_a_sealed_value_and_no_two_are_alike()
    {
        using var cipher = Given.Cipher();
        var nonces = new NoncePool();
        HashSet<string> seen = [];

        for (var i = 0; i < 1000; i++)
        {
            var value = Given.Seal(cipher, Purpose.Body, Given.EventId, Encoding.UTF8.GetBytes(Canary), nonces);

            Assert.True(seen.Add(Convert.ToHexString(value)));
            for (var at = 0; at + 4 <= Canary.Length; at++)
                Assert.Equal(-1, value.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Canary.Substring(at, 4))));
        }
    }

    [Fact]
    public void The_longest_names_and_places_work()
    {
        var longest = AggregateKey.Create(new string('t', Limits.TypeBytesMax), new string('i', Limits.IdBytesMax));
        using var cipher = Given.Cipher(longest);
        var place = new byte[Limits.FieldNameBytesMax];

        var value = Given.Seal(cipher, Purpose.State, place, "1"u8);

        Assert.Equal("1"u8.ToArray(), Given.Open(cipher, Purpose.State, place, value));
        place[^1] = 1;
        Assert.Null(Given.Open(cipher, Purpose.State, place, value));
    }

    [Fact]
    public void A_created_cipher_opens_again_from_its_wrapped_form()
    {
        using var dataKey = Given.DataKey();
        using var created = AggregateCipher.Create(Given.Order, dataKey, new());
        var value = Given.Seal(created, Purpose.State, "state"u8, "{}"u8);

        using var opened = AggregateCipher.Open(Given.Order, dataKey, created.Wrapped.Span);

        Assert.NotNull(opened);
        Assert.Equal(DataKey.WrappedBytes, created.Wrapped.Length);
        Assert.True(created.Wrapped.Span.SequenceEqual(opened.Wrapped.Span));
        Assert.Equal("{}"u8.ToArray(), Given.Open(opened, Purpose.State, "state"u8, value));
        Assert.Null(AggregateCipher.Open(AggregateKey.Create("order", "1002"), dataKey, created.Wrapped.Span));
        Assert.Null(AggregateCipher.Open(Given.Order, dataKey, []));
    }

    [Fact]
    public void Two_aggregates_never_share_a_key()
    {
        using var dataKey = Given.DataKey();
        var nonces = new NoncePool();
        using var one = AggregateCipher.Create(Given.Order, dataKey, nonces);
        using var other = AggregateCipher.Create(Given.Order, dataKey, nonces);

        Assert.Null(Given.Open(other, Purpose.State, "state"u8, Given.Seal(one, Purpose.State, "state"u8, "{}"u8)));
    }

    [Fact]
    public void Field_tags_are_equal_for_equal_names_of_one_aggregate_key_only()
    {
        using var cipher = Given.Cipher();
        using var same = Given.Cipher();
        using var other = new AggregateCipher(Given.Order, Given.Bytes(33), []);

        Assert.Equal(Tag(cipher, "total"), Tag(same, "total"));
        Assert.NotEqual(Tag(cipher, "total"), Tag(cipher, "totals"));
        Assert.NotEqual(Tag(cipher, "total"), Tag(other, "total"));
    }

    [Fact]
    public void Many_threads_seal_and_open_with_one_cipher()
    {
        using var cipher = Given.Cipher();
        var nonces = new NoncePool();

        Parallel.For(0, 8, thread =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                var purpose = Usable[(thread + i) % Usable.Length];
                var plaintext = Encoding.UTF8.GetBytes($"{thread}/{i}");
                Assert.Equal(plaintext, Given.Open(cipher, purpose, plaintext, Given.Seal(cipher, purpose, plaintext, plaintext, nonces)));
                Assert.Equal(Tag(cipher, "a"), Tag(cipher, "a"));
            }
        });
    }

    [Fact]
    public void Sealing_opening_and_tagging_allocate_nothing()
    {
        using var cipher = Given.Cipher();
        var nonces = new NoncePool();
        var (plaintext, opened, tag) = (new byte[300], new byte[300], new byte[16]);
        var value = new byte[Sealer.SealedBytes(cipher, plaintext.Length)];
        void Once()
        {
            foreach (var purpose in Usable)
            {
                cipher.Seal(purpose, Given.EventId, plaintext, value, nonces);
                Assert.True(cipher.TryOpen(purpose, Given.EventId, value, opened));
            }

            cipher.FieldTag("total"u8, tag);
        }

        // The least of five rounds: the runtime may allocate on this thread while it compiles a method anew.
        var least = long.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
                Once();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    [Fact]
    public void A_disposed_cipher_does_nothing_more()
    {
        var used = Given.Cipher();
        var value = Given.Seal(used, Purpose.State, "state"u8, "{}"u8);
        var unused = Given.Cipher();
        used.Dispose();
        used.Dispose();
        unused.Dispose();

        Assert.Throws<ObjectDisposedException>(() => Given.Open(used, Purpose.State, "state"u8, value));
        Assert.Throws<ObjectDisposedException>(() => Given.Open(unused, Purpose.State, "state"u8, value));
        Assert.Throws<ObjectDisposedException>(() => Tag(unused, "total"));
    }

    [Fact]
    public void Wrong_lengths_are_our_own_mistake_and_throw()
    {
        using var cipher = Given.Cipher();
        var value = Given.Seal(cipher, Purpose.State, "state"u8, "{}"u8);

        Assert.Throws<ArgumentException>(() => cipher.TryOpen(Purpose.State, "state"u8, value, new byte[3]));
        Assert.Throws<ArgumentException>(() => cipher.Seal(Purpose.State, "state"u8, "{}"u8, new byte[36], new()));
        Assert.Throws<ArgumentOutOfRangeException>(() => cipher.Seal(Purpose.Key, "state"u8, "{}"u8, new byte[35], new()));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AggregateCipher(Given.Order, new byte[16], []));
    }

    [Fact]
    public void A_cipher_as_text_names_the_aggregate_and_nothing_of_the_key()
    {
        using var cipher = Given.Cipher();

        Assert.Equal("AggregateCipher of order/1001", cipher.ToString());
    }

    static string Tag(AggregateCipher cipher, string name)
    {
        var tag = new byte[AggregateCipher.FieldTagBytes];
        cipher.FieldTag(Encoding.UTF8.GetBytes(name), tag);
        return Convert.ToHexString(tag);
    }

    static Action<Span<byte>> Random(int seed) => target => new Random(seed).NextBytes(target);
}
