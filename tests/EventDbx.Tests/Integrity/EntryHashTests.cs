using System.Security.Cryptography;
using System.Text;
using CsCheck;
using EventDbx.Events;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

public sealed class EntryHashTests
{
    static readonly Guid Id = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057");
    static readonly byte[] Salt = [.. Enumerable.Range(0xA0, 16).Select(i => (byte)i)];
    static readonly Hash32 PrevRoot = Hash32.Of("before"u8);

    [Fact]
    public void An_event_hashes_exactly_the_published_bytes()
    {
        // Written by hand from the document, byte by byte; nothing here comes from the engine.
        byte[] entry =
        [
            0x00, 0x01,
            0, 0, 0, 5, .. "order"u8,
            0, 0, 0, 3, .. "o-1"u8,
            0, 0, 0, 0, 0, 0, 0x01, 0x02,
            0, 0, 0, 4, .. "paid"u8,
            0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x57,
            0, 0, 0, 0, 0, 0, 0x03, 0xE8,
            1, 0, 0, 0, 3, .. "ops"u8, 0, 0, 0, 6, .. "jané"u8, (byte)'!',
            1, 0, 0, 0, 2, .. "ok"u8,
            .. SHA256.HashData("before"u8),
            0, 0, 0, 2, .. "{}"u8,
            0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF,
        ];

        var hash = EntryHash.OfEvent(
            AggregateKey.Create("order", "o-1"), 258, "paid"u8, Id, 1000, new Actor("ops", "jané!"), "ok", PrevRoot,
            "{}"u8, Salt);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(entry)), hash.ToString());
        Assert.Equal("ff30da9227fac3ef0b77a0edfc0f87393a1f90b6a9d3ca42a796a94e2fbbee1b", hash.ToString());
    }

    [Fact]
    public void A_control_entry_hashes_exactly_the_published_bytes()
    {
        byte[] entry =
        [
            0x00, 0x02,
            0, 0, 0, 7, .. "archive"u8,
            0, 0, 0, 9, .. "order/o-1"u8,
            0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            0,
            0, 0, 0, 2, .. "{}"u8,
            .. Salt,
        ];

        var hash = EntryHash.OfControl("archive"u8, "order/o-1"u8, -1, null, "{}"u8, Salt);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(entry)), hash.ToString());
        Assert.Equal("2ee0570ce9f5f70a742a41ca87e73fbb39374ca8361ffccce8730defd44ddaf5", hash.ToString());
    }

    [Fact]
    public void Any_event_hashes_as_the_layout_says()
    {
        var names = Gen.String[Gen.Char["aä€/ :"], 1, 60];
        var texts = Gen.String[Gen.Char["xß€ \n"], 0, 100];
        var cases = Gen.Select(
            Gen.Select(names, names, names), Gen.Select(Gen.ULong, Gen.Long, Gen.Guid),
            Gen.Select(texts, texts, texts, Gen.Int[0, 7]), Gen.Byte.Array[0, 3000], Gen.Byte.Array[16]);

        cases.Sample((name, number, text, payload, salt) =>
        {
            var actor = (text.Item4 & 1) != 0 ? new Actor(text.Item1, text.Item2) : null;
            var note = (text.Item4 & 2) != 0 ? text.Item3 : null;
            byte[] entry =
            [
                0x00, 0x01, .. Lp(name.Item1), .. Lp(name.Item2), .. U64(number.Item1), .. Lp(name.Item3),
                .. Convert.FromHexString(number.Item3.ToString("N")), .. U64((ulong)number.Item2),
                .. actor is null ? [0] : (byte[])[1, .. Lp(text.Item1), .. Lp(text.Item2)],
                .. note is null ? [0] : (byte[])[1, .. Lp(note)],
                .. SHA256.HashData("before"u8), .. Lp(payload), .. salt,
            ];

            var hash = EntryHash.OfEvent(
                AggregateKey.Create(name.Item1, name.Item2), number.Item1, Encoding.UTF8.GetBytes(name.Item3),
                number.Item3, number.Item2, actor, note, PrevRoot, payload, salt);

            return hash == Hash32.Read(SHA256.HashData(entry));
        });
    }

    [Fact]
    public void Bytes_cannot_move_from_one_part_of_an_entry_to_the_next()
    {
        Hash32[] hashes =
        [
            Event("ab", "c", "paid", new Actor("x", "y"), null),
            Event("a", "bc", "paid", new Actor("x", "y"), null),
            Event("ab", "cp", "aid", new Actor("x", "y"), null),
            Event("ab", "c", "paid", new Actor("xy", ""), null),
            Event("ab", "c", "paid", new Actor("", "xy"), null),
            Event("ab", "c", "paid", new Actor("x", "y"), ""),
            Event("ab", "c", "paid", null, null),
            Event("ab", "c", "paid", new Actor("", ""), null),
            Event("ab", "c", "paid", null, ""),
        ];

        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(17)]
    public void A_salt_of_another_length_is_a_bug_of_the_caller(int bytes)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => EntryHash.OfControl("k"u8, "s"u8, 0, null, "{}"u8, new byte[bytes]));
        Assert.Throws<ArgumentOutOfRangeException>(() => EntryHash.OfEvent(
            AggregateKey.Create("a", "b"), 1, "c"u8, Id, 0, null, null, PrevRoot, "{}"u8, new byte[bytes]));
    }

    [Fact]
    public void A_leaf_of_any_length_is_the_hash_of_a_zero_byte_and_the_entry() =>
        Gen.Byte.Array[0, 2100].Sample(entry => MerkleNode.Leaf(entry) == Hash32.Read(SHA256.HashData([0x00, .. entry])));

    [Fact]
    public void Hashing_an_event_allocates_nothing()
    {
        var key = AggregateKey.Create("order", "o-1");
        var actor = new Actor("ops", "jane");
        var payload = new byte[5000];
        EntryHash.OfEvent(key, 1, "paid"u8, Id, 0, actor, "note", PrevRoot, payload, Salt);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            EntryHash.OfEvent(key, 1, "paid"u8, Id, 0, actor, "note", PrevRoot, payload, Salt);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    static Hash32 Event(string type, string id, string eventType, Actor? actor, string? note) => EntryHash.OfEvent(
        AggregateKey.Create(type, id), 1, Encoding.UTF8.GetBytes(eventType), Id, 0, actor, note, PrevRoot, "{}"u8, Salt);

    static byte[] Lp(string text) => Lp(Encoding.UTF8.GetBytes(text));

    static byte[] Lp(byte[] bytes) =>
        [(byte)(bytes.Length >> 24), (byte)(bytes.Length >> 16), (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];

    static byte[] U64(ulong value) => [.. Enumerable.Range(0, 8).Select(i => (byte)(value >> (56 - (8 * i))))];
}
