using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class StateJsonTests
{
    [Theory]
    [InlineData("{}", "{}", "{}")]
    [InlineData("42", """{"_value":"42"}""", """{"_value":42}""")]
    [InlineData("""{"a":42}""", """{"a":"42"}""", """{"a":42}""")]
    [InlineData("""{"a":-1.50E+3}""", """{"a":"-1.50E+3"}""", """{"a":-1.50E+3}""")]
    [InlineData("""{"a":true,"b":false}""", """{"a":"true","b":"false"}""", """{"a":true,"b":false}""")]
    [InlineData("""{"a":null}""", """{"a":""}""", """{"a":null}""")]
    [InlineData("""{"a":""}""", """{"a":""}""", """{"a":""}""")]
    [InlineData("""{"a":"null"}""", """{"a":"null"}""", """{"a":"null"}""")]
    [InlineData("""{"a":"x\ny\u00e9é\/"}""", """{"a":"x\ny\u00e9é\/"}""", """{"a":"x\ny\u00e9é\/"}""")]
    [InlineData("""{"a":[1,true,null,"x"]}""", """{"a":[1,true,null,"x"]}""", """{"a":[1,true,null,"x"]}""")]
    [InlineData("""{"a":{"n":1.0}}""", """{"a":{"n":1.0}}""", """{"a":{"n":1.0}}""")]
    [InlineData("""{"b":1,"a":2}""", """{"a":"2","b":"1"}""", """{"a":2,"b":1}""")]
    public void Scalars_are_strings_as_published_or_JSON_when_typed(string payload, string plain, string typed)
    {
        Assert.Equal(plain, Shown(payload, typed: false));
        Assert.Equal(typed, Shown(payload, typed: true));
    }

    [Theory]
    [InlineData("""{"\u00e9😀":1}""", """{"é😀":1}""")]
    [InlineData("""{"a\"b\\c":1}""", """{"a\"b\\c":1}""")]
    [InlineData("""{"\/":1}""", """{"/":1}""")]
    [InlineData("""{"\b\f\n\r\t":1}""", """{"\b\f\n\r\t":1}""")]
    [InlineData("""{"\u0000\u001F":1}""", """{"\u0000\u001f":1}""")]
    [InlineData("{\"\\u007f\\u2028<\":1}", "{\"\u007f\u2028<\":1}")]
    public void Names_get_the_escapes_that_JSON_requires_and_no_others(string payload, string shown) =>
        Assert.Equal(shown, Shown(payload, typed: true));

    [Fact]
    public void Any_name_is_read_back_by_another_parser() => Gen.String.Where(IsWhole).Sample(name =>
    {
        var payload = $"{{{JsonSerializer.Serialize(name)}:[1]}}";

        using var shown = JsonDocument.Parse(Shown(payload, typed: false));
        return shown.RootElement.EnumerateObject().Single().Name == name;
    });

    [Fact]
    public void Unescaping_equals_what_another_parser_reads() => Gen.String.Where(IsWhole).Sample(text =>
    {
        var literal = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(text)).AsSpan()[1..^1];
        var bytes = new byte[literal.Length];

        return Encoding.UTF8.GetString(bytes, 0, JsonEscape.Unescape(literal, bytes)) == text;
    });

    static bool IsWhole(string text) =>
        text.EnumerateRunes().All(rune => rune != Rune.ReplacementChar) && Encoding.UTF8.GetByteCount(text) <= 1024;

    static string Shown(string sent, bool typed)
    {
        Assert.True(JsonPayload.TryParse(Encoding.UTF8.GetBytes(sent), out var payload, out var refusal), refusal.Message);
        ArrayBufferWriter<byte> output = new();
        StateJson.Write(output, StateText.Merge(StateText.Empty, payload), typed);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
