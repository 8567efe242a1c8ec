using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.Tests.Encryption;

/// <summary>docs/integrity.md, "Sealed values: vectors": each computed with the engine, and directly with the primitives.</summary>
public sealed class SealedValueVectorTests
{
    static readonly Dictionary<string, Dictionary<string, string>> Vectors = ReadDocument();

    public static TheoryData<string> Sealed => [.. Vectors.Where(vector => vector.Value.ContainsKey("nonce")).Select(vector => vector.Key)];

    [Theory]
    [MemberData(nameof(Sealed))]
    public void The_primitives_alone_give_what_the_page_says(string title)
    {
        var vector = Vectors[title];
        var derived = HKDF.Expand(HashAlgorithmName.SHA256, Hex(vector, "owner"), 32, Encoding.UTF8.GetBytes("eventdbx/1/" + vector["purpose"]));
        byte[] aad = [.. Lp(vector["purpose"]), .. Lp(vector["type"]), .. Lp(vector["id"]), .. Lp(Hex(vector, "place")), 0, 0, 0, 1];
        var plaintext = Hex(vector, "plaintext");
        var (ciphertext, tag) = (new byte[plaintext.Length], new byte[16]);
        using (var aes = new AesGcm(derived, 16))
            aes.Encrypt(Hex(vector, "nonce"), plaintext, ciphertext, tag, aad);

        Assert.Equal(vector["derived"], Convert.ToHexStringLower(derived));
        Assert.Equal(vector["aad"], Convert.ToHexStringLower(aad));
        Assert.Equal(vector["sealed"], Convert.ToHexStringLower([1, 0, 0, 0, 1, .. Hex(vector, "nonce"), .. ciphertext, .. tag]));
    }

    [Theory]
    [MemberData(nameof(Sealed))]
    public void The_engine_seals_and_opens_what_the_page_says(string title)
    {
        var vector = Vectors[title];
        var aggregate = AggregateKey.Create(vector["type"], vector["id"]);
        var nonces = Given.Repeating(Hex(vector, "nonce"));
        var (plaintext, place) = (Hex(vector, "plaintext"), Hex(vector, "place"));
        var sealedValue = new byte[plaintext.Length + SealedValue.OverheadBytes];
        byte[]? opened = new byte[plaintext.Length];
        bool opens;
        if (vector["purpose"] == "key")
        {
            using var key = new DataKey(Hex(vector, "owner"));
            key.Wrap(aggregate, plaintext, sealedValue, nonces);
            opens = key.TryUnwrap(aggregate, sealedValue, opened);
        }
        else if (vector["purpose"] == "document")
        {
            using var key = new DataKey(Hex(vector, "owner"));
            sealedValue = key.SealDocument(aggregate, place, plaintext, nonces);
            opened = key.OpenDocument(aggregate, place, sealedValue);
            opens = opened is not null;
        }
        else if (vector["purpose"] == "rotation")
        {
            using var key = new DataKey(Hex(vector, "owner"));
            using var other = new DataKey(plaintext, generation: 2);
            sealedValue = key.SealKey(other, place, nonces);
            using var again = key.OpenKey(2, place, sealedValue);
            (opens, opened) = (again is not null, Convert.FromBase64String(again!.ToBase64()));
        }
        else
        {
            using var cipher = new AggregateCipher(aggregate, Hex(vector, "owner"), []);
            var purpose = Enum.Parse<Purpose>(vector["purpose"], ignoreCase: true);
            cipher.Seal(purpose, place, plaintext, sealedValue, nonces);
            opens = cipher.TryOpen(purpose, place, sealedValue, opened);
        }

        Assert.Equal(vector["sealed"], Convert.ToHexStringLower(sealedValue));
        Assert.True(opens);
        Assert.Equal(plaintext, opened);
    }

    [Fact]
    public void Every_purpose_has_a_vector() =>
        Assert.Equal(
            Enum.GetValues<Purpose>().Select(purpose => Encoding.UTF8.GetString(Purposes.NameOf(purpose))),
            Vectors.Values.Where(vector => vector.ContainsKey("purpose")).Select(vector => vector["purpose"]).Distinct());

    [Fact]
    public void The_field_tag_is_as_the_page_says()
    {
        var vector = Vectors["field tag"];
        var derived = HKDF.Expand(HashAlgorithmName.SHA256, Hex(vector, "owner"), 32, "eventdbx/1/field"u8.ToArray());
        using var cipher = new AggregateCipher(Given.Order, Hex(vector, "owner"), []);
        var tag = new byte[AggregateCipher.FieldTagBytes];

        cipher.FieldTag(Hex(vector, "field"), tag);

        Assert.Equal(vector["derived"], Convert.ToHexStringLower(derived));
        Assert.Equal(vector["tag"], Convert.ToHexStringLower(HMACSHA256.HashData(derived, Hex(vector, "field"))[..16]));
        Assert.Equal(vector["tag"], Convert.ToHexStringLower(tag));
    }

    [Fact]
    public void The_key_check_value_is_as_the_page_says()
    {
        var vector = Vectors["key check value"];
        var derived = HKDF.Expand(HashAlgorithmName.SHA256, Hex(vector, "owner"), 32, "eventdbx/1/check"u8.ToArray());
        using var key = new DataKey(Hex(vector, "owner"));

        Assert.Equal(vector["derived"], Convert.ToHexStringLower(derived));
        Assert.Equal(vector["check"], "0100000001" + Convert.ToHexStringLower(HMACSHA256.HashData(derived, Hex(vector, "database"))));
        Assert.Equal(vector["check"], Convert.ToHexStringLower(key.MakeCheck(Hex(vector, "database"))));
    }

    [Fact]
    public void The_check_of_a_key_that_replaced_another_binds_which_one_it_is()
    {
        var vector = Vectors["key check value, second key"];
        using var second = new DataKey(Hex(vector, "owner"), generation: 2);
        using var first = new DataKey(Hex(vector, "owner"));

        Assert.Equal(vector["check"], Convert.ToHexStringLower(second.MakeCheck(Hex(vector, "database"))));
        using var fit = first.Fit(Hex(vector, "database"), Hex(vector, "check"));
        Assert.Equal(2u, fit!.Generation);
        var asAnother = Hex(vector, "check");
        asAnother[4] = 3;
        Assert.Null(first.Fit(Hex(vector, "database"), asAnother));
    }

    [Fact]
    public void The_request_fingerprint_is_hidden_as_the_page_says()
    {
        var vector = Vectors["request fingerprint"];
        var derived = HKDF.Expand(HashAlgorithmName.SHA256, Hex(vector, "owner"), 32, "eventdbx/1/request"u8.ToArray());
        using var cipher = new AggregateCipher(Given.Order, Hex(vector, "owner"), []);

        Assert.Equal(vector["derived"], Convert.ToHexStringLower(derived));
        Assert.Equal(vector["hidden"], Convert.ToHexStringLower(HMACSHA256.HashData(derived, Hex(vector, "plain"))));
        Assert.Equal(vector["hidden"], cipher.HideFingerprint(EventDbx.Integrity.Hash32.Read(Hex(vector, "plain"))).ToString());
    }

    [Fact]
    public void A_store_without_encryption_writes_what_the_page_says() =>
        Assert.Equal(
            Hex(Vectors["plain value"], "sealed"),
            Given.Seal(null, Purpose.State, "state"u8, Hex(Vectors["plain value"], "plaintext")));

    static byte[] Hex(Dictionary<string, string> vector, string name) => Convert.FromHexString(vector[name]);

    static byte[] Lp(string text) => Lp(Encoding.UTF8.GetBytes(text));

    static byte[] Lp(byte[] bytes)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
        return [.. length, .. bytes];
    }

    static Dictionary<string, Dictionary<string, string>> ReadDocument()
    {
        var vectors = new Dictionary<string, Dictionary<string, string>>();
        Dictionary<string, string> current = [];
        var lines = File.ReadLines(FindDocument()).SkipWhile(line => !line.EndsWith("Sealed values: vectors", StringComparison.Ordinal)).Skip(1);
        foreach (var line in lines.TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal)))
        {
            if (line.StartsWith('['))
                vectors.Add(line.Trim('[', ']'), current = []);
            else if (line.IndexOf('=', StringComparison.Ordinal) is var at and > 0)
                current.Add(line[..at].Trim(), line[(at + 1)..].Trim());
        }

        return vectors;
    }

    static string FindDocument()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var document = Path.Combine(at.FullName, "docs", "integrity.md");
            if (File.Exists(document))
                return document;
        }

        throw new FileNotFoundException("docs/integrity.md stands in no folder above the tests.");
    }
}
