using System.Buffers;
using System.Text;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class FieldSelectionTests
{
    const string State = """{"status":"paid","n":1.50,"off":null,"a/b":{"m~n":[10,{"x":true},"z"]},"":{"":1},"caf\u00e9":{"\u00e9":2}}""";

    [Theory]
    [InlineData("status", """{"status":"paid"}""")]
    [InlineData("n,status,n", """{"n":"1.50","status":"paid"}""")]
    [InlineData("/n,off", """{"/n":"1.50","off":""}""")]
    [InlineData("a/b", """{"a/b":{"m~n":[10,{"x":true},"z"]}}""")]
    [InlineData("/a~1b/m~0n/0", """{"/a~1b/m~0n/0":"10"}""")]
    [InlineData("/a~1b/m~0n/1", """{"/a~1b/m~0n/1":{"x":true}}""")]
    [InlineData("/a~1b/m~0n/1/x", """{"/a~1b/m~0n/1/x":"true"}""")]
    [InlineData("/a~1b/m~0n/3,/a~1b/m~0n/-,/a~1b/m~0n/00,/a~1b/m~0n/+1,/a~1b/m~0n/,/a~1b/m~0n/99999999999", "{}")]
    [InlineData("/status/x,/n/0,/a/b,nothing,/off/", "{}")]
    [InlineData("/", """{"/":{"":1}}""")]
    [InlineData("//", """{"//":"1"}""")]
    [InlineData("/café/é", """{"/café/é":"2"}""")]
    public void Parts_that_are_there_stand_under_the_text_that_asked_for_them(string asked, string shown)
    {
        Assert.True(FieldSelection.TryParse(asked, out var selection, out var refusal), refusal.Message);
        Assert.True(JsonPayload.TryParse(Encoding.UTF8.GetBytes(State), out var payload, out refusal), refusal.Message);
        var output = new ArrayBufferWriter<byte>();

        StateJson.Write(output, StateText.Merge(StateText.Empty, payload), typed: false, selection);

        Assert.Equal(shown, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData("", "A field is empty")]
    [InlineData("a,", "A field is empty")]
    [InlineData("a.b", "`a.b` is no plain name")]
    [InlineData("/a~", "`/a~` is no JSON Pointer")]
    [InlineData("/a~2b", "`/a~2b` is no JSON Pointer")]
    public void What_is_neither_name_nor_pointer_is_refused(string asked, string reason)
    {
        Assert.False(FieldSelection.TryParse(asked, out _, out var refusal));
        Assert.Equal(RefusalCode.InvalidArgument, refusal.Code);
        Assert.StartsWith(reason, refusal.Message, StringComparison.Ordinal);
    }
}
