using System.Text;
using System.Text.Json;
using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class StateTextTests
{
    [Fact]
    public void Merging_is_last_write_wins_by_name_as_in_a_dictionary()
    {
        var names = Gen.String[Gen.Char["abé\""], 0, 3];
        var numbers = Gen.Int.Select(number => $"{number}");
        var values = Gen.OneOf(Gen.Const("null"), Gen.Const("[1,{}]"), numbers, Gen.Const(new string('7', 200)));
        var payloads = Gen.Dictionary(names, values)[0, 12];

        payloads.Array[0, 8].Sample(events =>
        {
            SortedDictionary<string, string> model = new(Comparer<string>.Create((left, right) =>
                Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right))));
            var blob = StateText.Empty;
            foreach (var members in events)
            {
                foreach (var (name, value) in members)
                    model[name] = value;
                blob = StateText.Merge(blob, Payload(members));
            }

            return StateText.Validate(blob)
                && StateText.FieldCount(blob) == model.Count
                && FieldsOf(blob).SequenceEqual(model.Select(field => (field.Key, field.Value)))
                && model.All(field => StateText.TryFind(blob, Encoding.UTF8.GetBytes(field.Key), out var value)
                    && value.SequenceEqual(Encoding.UTF8.GetBytes(field.Value)))
                && !StateText.TryFind(blob, "missing"u8, out _);
        }, iter: 3000);
    }

    [Theory]
    [InlineData("""{"b":1}""", """{"a":2}""", "a=2 b=1")]
    [InlineData("""{"b":1}""", """{"c":2}""", "b=1 c=2")]
    [InlineData("""{"a":1,"b":1,"c":1}""", """{"b":2}""", "a=1 b=2 c=1")]
    [InlineData("""{"a":1,"c":1}""", """{"a":2,"b":2,"c":2,"d":2}""", "a=2 b=2 c=2 d=2")]
    [InlineData("""{"a":1}""", "null", "a=1")]
    [InlineData("""{"a":1}""", "{}", "a=1")]
    [InlineData("""{"a":1}""", """{"a":null}""", "a=null")]
    [InlineData("""{"a":1}""", "42", "_value=42 a=1")]
    [InlineData("42", "[1]", "_value=[1]")]
    [InlineData("""{"a":{"x":1,"y":2}}""", """{"a":{"x":3}}""", """a={"x":3}""")]
    public void A_payload_changes_the_fields_it_names_and_no_others(string before, string payload, string after)
    {
        var blob = StateText.Merge(StateText.Merge(StateText.Empty, Payload(before)), Payload(payload));

        Assert.Equal(after, string.Join(' ', FieldsOf(blob).Select(field => $"{field.Name}={field.Value}")));
        Assert.True(StateText.Validate(blob));
    }

    [Fact]
    public void The_bytes_of_a_state_are_these()
    {
        var blob = StateText.Merge(StateText.Empty, Payload("""{"b":[1],"a":"x"}"""));

        Assert.Equal([2, 1, (byte)'a', 3, .. "\"x\""u8, 1, (byte)'b', 3, .. "[1]"u8], blob);
    }

    [Fact]
    public void A_state_larger_than_the_stack_merges_too()
    {
        var large = $"\"{new string('x', 100_000)}\"";

        var before = StateText.Merge(StateText.Empty, Payload($$"""{"m":{{large}}}"""));
        var blob = StateText.Merge(before, Payload("""{"a":1,"z":2}"""));

        Assert.Equal([("a", "1"), ("m", large), ("z", "2")], FieldsOf(blob));
    }

    public static TheoryData<string, byte[]> Broken => new()
    {
        { "no count", [] },
        { "a field is missing", [1] },
        { "a field too many", [0, 1, 97, 1, 49] },
        { "the name is cut off", [1, 2, 97] },
        { "the value is cut off", [1, 1, 97, 2, 49] },
        { "no value", [1, 1, 97] },
        { "an empty value", [1, 1, 97, 0] },
        { "names fall", [2, 1, 98, 1, 49, 1, 97, 1, 49] },
        { "a name twice", [2, 1, 97, 1, 49, 1, 97, 1, 49] },
        { "the empty name twice", [2, 0, 1, 49, 0, 1, 49] },
        { "a byte behind the end", [1, 1, 97, 1, 49, 0] },
        { "a length longer than it need be", [1, 0x81, 0x00, 97, 1, 49] },
        { "a length beyond 32 bits", [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 97] },
        { "a length beyond the blob", [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 97] },
        { "a length that does not end", [1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_is_not_a_state_is_not_valid(string what, byte[] blob)
    {
        Assert.NotEmpty(what);
        Assert.False(StateText.Validate(blob));
    }

    [Fact]
    public void Any_bytes_are_walked_to_an_end_or_to_the_one_exception() => Gen.Byte[0, 12].Array[0, 40].Sample(blob =>
    {
        try
        {
            return FieldsOf(blob).Length == StateText.FieldCount(blob);
        }
        catch (InvalidDataException)
        {
            return !StateText.Validate(blob);
        }
    });

    [Fact]
    public void Walking_a_state_allocates_nothing()
    {
        var blob = StateText.Merge(StateText.Empty, Payload("""{"a":1,"b":"x","c":[1,2,3]}"""));
        var found = 0;

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            foreach (var field in StateText.Fields(blob))
                found += field.Value.Length;
            found += StateText.TryFind(blob, "b"u8, out var value) ? value.Length : 0;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(100 * (1 + 3 + 7 + 3), found);
    }

    [Fact]
    public void A_number_takes_seven_bits_a_byte() => Gen.UInt.Sample(value =>
    {
        var bytes = new byte[Varint.BytesMax];
        var length = Varint.Write(bytes, value);
        ReadOnlySpan<byte> source = bytes.AsSpan(0, length);
        ReadOnlySpan<byte> cut = bytes.AsSpan(0, length - 1);

        return length == Varint.BytesOf(value)
            && Varint.TryRead(ref source, out var read) && read == value && source.IsEmpty
            && !Varint.TryRead(ref cut, out _);
    });

    static JsonPayload Payload(string sent)
    {
        Assert.True(JsonPayload.TryParse(Encoding.UTF8.GetBytes(sent), out var payload, out var refusal), refusal.Message);
        return payload;
    }

    static JsonPayload Payload(Dictionary<string, string> members) => Payload(
        $"{{{string.Join(",", members.Select(member => $"{JsonSerializer.Serialize(member.Key)}:{member.Value}"))}}}");

    static (string Name, string Value)[] FieldsOf(ReadOnlySpan<byte> blob)
    {
        List<(string, string)> fields = [];
        foreach (var field in StateText.Fields(blob))
            fields.Add((Encoding.UTF8.GetString(field.Name), Encoding.UTF8.GetString(field.Value)));
        return [.. fields];
    }
}
