using System.Text;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class JsonPayloadTests
{
    [Theory]
    [InlineData("{}", "{}")]
    [InlineData(" \t\r\n{ \"b\" : 1 ,\n\"a\":[ 1 , 2 ] } ", """{"b":1,"a":[1,2]}""")]
    [InlineData("""{"a": " x  y\t"}""", """{"a":" x  y\t"}""")]
    [InlineData("""{"a" :1.50, "b":1E+2, "c":-0.0, "d":123456789012345678901234567890}""",
        """{"a":1.50,"b":1E+2,"c":-0.0,"d":123456789012345678901234567890}""")]
    [InlineData("""{"\u0061\/" : "\u00e9\ud83d\ude00é😀"}""", """{"\u0061\/":"\u00e9\ud83d\ude00é😀"}""")]
    [InlineData(" [ ] ", "[]")]
    [InlineData(" true ", "true")]
    [InlineData("\"\u007f\"", "\"\u007f\"")]
    public void Only_the_white_space_between_tokens_goes(string sent, string kept) => Assert.Equal(kept, TextOf(Accepted(sent)));

    [Theory]
    [InlineData("{}", "")]
    [InlineData("null", "")]
    [InlineData(" null ", "")]
    [InlineData("42", "_value=42")]
    [InlineData(" \"a b\" ", "_value=\"a b\"")]
    [InlineData("false", "_value=false")]
    [InlineData("[ 1, 2 ]", "_value=[1,2]")]
    [InlineData("""{ "b" : { "z" : 1, "y" : [ ] }, "a" : null }""", """a=null b={"z":1,"y":[]}""")]
    [InlineData("""{ "_value" : 1 }""", "_value=1")]
    [InlineData("""{ "" : 1 }""", "=1")]
    [InlineData("""{"\u0062":1, "a\n":2, "c\"\\\/\b\f\r\t":3}""", "a\n=2 b=1 c\"\\/\b\f\r\t=3")]
    [InlineData("""{"\ud83d\ude00":1,"\uff61":2,"é":3}""", "é=3 ｡=2 😀=1")]
    public void The_members_are_named_without_escapes_and_sorted_by_their_bytes(string sent, string members) =>
        Assert.Equal(members, MembersOf(Accepted(sent)));

    [Fact]
    public void Many_members_are_sorted_too()
    {
        var names = Enumerable.Range(0, 1000).Select(i => (i * 7919 % 1009).ToString(null, null)).ToArray();

        var payload = Accepted($"{{{string.Join(",", names.Select(name => $"\"\\u{(int)name[0]:x4}{name[1..]}\": {name}"))}}}");

        Assert.Equal(string.Join(' ', names.Order(StringComparer.Ordinal).Select(name => $"{name}={name}")), MembersOf(payload));
    }

    [Fact]
    public void Escaped_names_of_all_lengths_find_their_room()
    {
        string[] lengths = [.. Enumerable.Range(0, 300).Select(i => new string('n', i * 37 % 1000))];

        var payload = Accepted($"{{{string.Join(",", lengths.Select((name, i) => $"\"\\u00e9{i:x4}{name}\":0"))}}}");

        var expected = lengths.Select((name, i) => $"é{i:x4}{name}=0");
        Assert.Equal(string.Join(' ', expected), MembersOf(payload));
        AssertRefused(
            $"{{\"{new string('x', 200)}\\n\":0,\"\\n{new string('x', 5000)}\":0}}",
            RefusalCode.LimitExceeded,
            "has 5001 bytes");
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("  ", "at byte 2: a value is expected, but the end was found")]
    [InlineData("{\"a\":1,}", "at byte 7: a member name is expected, but '}' was found; a trailing comma")]
    [InlineData("[1,]", "at byte 3, in $[1]: a value is expected, but ']' was found; a trailing comma")]
    [InlineData("{\"a\":{\"b c\":[0,{\"x\":nul}]}}", "at byte 20, in $.a[\"b c\"][1].x: a value is expected")]
    [InlineData("{\"a\":1 /* x */}", "at byte 7: ',' or '}' is expected, but '/' was found")]
    [InlineData("[/**/1]", "comments are not accepted")]
    [InlineData("{} {}", "at byte 3: the document has ended, but '{' follows")]
    [InlineData("{}\0", "but the byte 0x00 follows")]
    [InlineData("{'a':1}", "a member name in double quotes is expected, but ''' was found")]
    [InlineData("{a:1}", "a member name in double quotes is expected, but 'a' was found")]
    [InlineData("{\"a\" 1}", "':' is expected behind a member name, but '1' was found")]
    [InlineData("{\"a\":}", "at byte 5, in $.a: a value is expected")]
    [InlineData("{\"a\":1", "',' or '}' is expected, but the end was found")]
    [InlineData("[1 2]", "',' or ']' is expected, but '2' was found")]
    [InlineData("\"abc", "a string is not closed")]
    [InlineData("\"a\nb\"", "the control character U+000A; send it as \\u000a")]
    [InlineData("\"\\x\"", "a backslash in a string starts none of")]
    [InlineData("\"\\", "a backslash in a string starts none of")]
    [InlineData("\"\\u12G4\"", "\\u takes four hex digits")]
    [InlineData("\"\\u123\"", "\\u takes four hex digits")]
    [InlineData("\"\\u12", "\\u takes four hex digits")]
    [InlineData("01", "a number starts with a zero that means nothing")]
    [InlineData("-01", "a number starts with a zero that means nothing")]
    [InlineData("-", "a digit is expected in a number, but the end was found")]
    [InlineData("-a", "a digit is expected in a number, but 'a' was found")]
    [InlineData("+1", "a value is expected, but '+' was found")]
    [InlineData(".5", "a value is expected, but '.' was found")]
    [InlineData("1.", "behind the decimal point")]
    [InlineData("1.e1", "behind the decimal point")]
    [InlineData("1e", "in an exponent")]
    [InlineData("1e+", "in an exponent")]
    [InlineData("NaN", "a value is expected, but 'N' was found")]
    [InlineData("nan", "none of true, false, null")]
    [InlineData("True", "a value is expected, but 'T' was found")]
    [InlineData("truex", "the document has ended, but 'x' follows")]
    [InlineData("\uFEFF{}", "byte order mark")]
    [InlineData("{\"a\":\"\\ud800\"}", "in $.a: \\ud800 is half of a surrogate pair")]
    [InlineData("{\"\\udc00\":1}", "\\udc00 is half of a surrogate pair")]
    [InlineData("\"\\ud800\\u0041\"", "half of a surrogate pair")]
    [InlineData("\"\\ud800\\ud800\"", "half of a surrogate pair")]
    [InlineData("\"\\ude00\\ud83d\"", "\\ude00 is half of a surrogate pair")]
    [InlineData("\"\\ud83d\\ude0\"", "half of a surrogate pair")]
    [InlineData("{\"a\":1,\"b\":2,\"a\":3}", "at byte 14: the member \"a\" is there twice")]
    [InlineData("{\"a\":1,\"\\u0061\":3}", "at byte 8: the member \"a\" is there twice")]
    [InlineData("{\"\\u0061\":1,\"a\":3}", "the member \"a\" is there twice")]
    [InlineData("{\"x\":[0,{\"y\":{\"\":1,\"\":1}}]}", "in $.x[1].y: the member \"\" is there twice")]
    [InlineData("{\"\\u001b[2J\":1,\"\\u001b[2J\":1}", "the member \"\uFFFD[2J\" is there twice")]
    public void What_is_not_a_payload_is_refused_with_the_place_and_the_reason(string sent, string reason) =>
        AssertRefused(Encoding.UTF8.GetBytes(sent), RefusalCode.InvalidPayload, reason);

    [Fact]
    public void Names_that_only_look_alike_are_not_duplicates()
    {
        Accepted("""{"a":1,"A":2,"a ":3,"":4,"\u0000":5,"é":6,"e\u0301":7}""");
        Accepted("""{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}""");
    }

    [Fact]
    public void Duplicates_among_many_members_are_found()
    {
        var members = string.Join(",", Enumerable.Range(0, 5000).Select(i => $"\"n{i}\":0"));

        Accepted($"{{\"x\":{{{members}}}}}");
        AssertRefused($"{{\"x\":{{{members},\"n\\u0030\":0}}}}", RefusalCode.InvalidPayload, "the member \"n0\" is there twice");
    }

    public static TheoryData<string, byte[]> NotUtf8 => new()
    {
        { "a byte that starts nothing", [0xFF] },
        { "a continuation byte alone", [0x80] },
        { "a character cut off", [0xE2, 0x82] },
        { "an overlong form of /", [0xC0, 0xAF] },
        { "an encoded high surrogate", [0xED, 0xA0, 0x80] },
        { "an encoded pair of surrogates", [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80] },
        { "a character above U+10FFFF", [0xF4, 0x90, 0x80, 0x80] },
    };

    [Theory]
    [MemberData(nameof(NotUtf8))]
    public void Bytes_that_are_not_UTF_8_are_refused_in_values_in_names_and_outside(string what, byte[] bytes)
    {
        AssertRefused([.. "{\"a\":\"x"u8, .. bytes, .. "\"}"u8], RefusalCode.InvalidPayload, "not UTF-8 at byte 7");
        AssertRefused([.. "{\"a"u8, .. bytes, .. "\":1}"u8], RefusalCode.InvalidPayload, "not UTF-8 at byte 3");
        AssertRefused([.. "{}"u8, .. bytes], RefusalCode.InvalidPayload, "not UTF-8 at byte 2");
        Assert.NotEmpty(what);
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    [InlineData("[{\"a\":", "}]")]
    public void Sixty_four_levels_are_accepted_and_one_more_is_not(string open, string close)
    {
        string Nested(int times) =>
            string.Concat(Enumerable.Repeat(open, times)) + "1" + string.Concat(Enumerable.Repeat(close, times));
        var times = open.StartsWith("[{", StringComparison.Ordinal) ? 32 : 64;

        Accepted(Nested(times));
        AssertRefused(Nested(times + 1), RefusalCode.LimitExceeded, "nested deeper than 64 levels");
        AssertRefused(Nested(10_000), RefusalCode.LimitExceeded, "nested deeper than 64 levels");
        AssertRefused(new string('[', 100_000), RefusalCode.LimitExceeded, "nested deeper than 64 levels");
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("0.")]
    [InlineData("1e")]
    public void A_number_of_a_thousand_characters_is_accepted_and_one_more_is_not(string start)
    {
        string Number(int length) => start + new string('7', length - start.Length);

        Accepted(Number(1000));
        AssertRefused($"[{Number(1001)}]", RefusalCode.LimitExceeded, "in $[0]: a number has 1001 characters; at most 1000");
    }

    [Fact]
    public void A_thousand_and_twenty_four_top_level_members_are_accepted_and_one_more_is_not()
    {
        string Object(int members) => $"{{{string.Join(",", Enumerable.Range(0, members).Select(i => $"\"{i}\":{i}"))}}}";

        Assert.Equal(1024, Accepted(Object(1024)).Members.Length);
        AssertRefused(Object(1025), RefusalCode.LimitExceeded, "this is member 1025; at most 1024");
        Accepted($"[{Object(1025)}]");
    }

    [Theory]
    [InlineData("a")]
    [InlineData("é")]
    [InlineData("\\u0061")]
    [InlineData("\\u00e9")]
    [InlineData("\\ud83d\\ude00")]
    public void A_name_of_a_kibibyte_unescaped_is_accepted_and_one_byte_more_is_not_at_any_level(string letter)
    {
        var letterBytes = Encoding.UTF8.GetByteCount(System.Text.RegularExpressions.Regex.Unescape(letter));
        var name = string.Concat(Enumerable.Repeat(letter, 1024 / letterBytes));

        Accepted($"{{\"{name}\":[{{\"{name}\":1}}]}}");
        AssertRefused($"{{\"{name}x\":1}}", RefusalCode.LimitExceeded, "a member name has 1025 bytes; at most 1024");
        AssertRefused($"[[{{\"{name}x\":1}}]]", RefusalCode.LimitExceeded, "in $[0][0]: a member name has 1025 bytes");
    }

    [Fact]
    public void A_mebibyte_is_accepted_and_one_byte_more_is_not_even_if_white_space()
    {
        var largest = $"\"{new string('x', Limits.PayloadBytesMax - 2)}\"";

        Accepted(largest);
        AssertRefused($"{largest} ", RefusalCode.LimitExceeded, "has 1048577 bytes; at most 1048576");
    }

    [Fact]
    public void Messages_stay_short_whatever_is_sent()
    {
        var deep = string.Concat(Enumerable.Repeat($"{{\"{new string('n', 1000)}\":", 64));

        Assert.False(JsonPayload.TryParse(Encoding.UTF8.GetBytes(deep + "!"), out _, out var refusal));
        Assert.InRange(refusal.Message.Length, 1, 400);
    }

    [Fact]
    public void A_payload_costs_its_text_and_its_members_and_nothing_else()
    {
        var sent = """{ "order" : 1, "lines" : [ { "sku" : "A", "\u006eumber_of_pieces" : 2 } ], "é\u0041" : 1.50 }"""u8
            .ToArray();
        Assert.True(JsonPayload.TryParse(sent, out var payload, out _));
        var bytes = payload.Text.Length + "éA"u8.Length;
        var budget = Allocated(() => GC.KeepAlive(new byte[bytes])) + Allocated(() => GC.KeepAlive(new JsonMember[3]));

        Assert.Equal(budget, Allocated(() => Assert.True(JsonPayload.TryParse(sent, out _, out _))));
    }

    static long Allocated(Action action)
    {
        action();
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    static JsonPayload Accepted(string sent)
    {
        Assert.True(JsonPayload.TryParse(Encoding.UTF8.GetBytes(sent), out var payload, out var refusal), refusal.Message);
        return payload;
    }

    static void AssertRefused(string sent, RefusalCode code, string reason) =>
        AssertRefused(Encoding.UTF8.GetBytes(sent), code, reason);

    static void AssertRefused(byte[] sent, RefusalCode code, string reason)
    {
        Assert.False(JsonPayload.TryParse(sent, out _, out var refusal));
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(code, refusal.Code);
    }

    static string TextOf(JsonPayload payload) => Encoding.UTF8.GetString(payload.Text.Span);

    static string MembersOf(JsonPayload payload)
    {
        List<string> members = [];
        foreach (var member in payload.Members)
            members.Add($"{Encoding.UTF8.GetString(payload.NameOf(member))}={Encoding.UTF8.GetString(payload.ValueOf(member))}");
        return string.Join(' ', members);
    }
}
