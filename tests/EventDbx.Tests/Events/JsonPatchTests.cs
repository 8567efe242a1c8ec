using System.Buffers;
using System.Text;
using System.Text.Json;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

/// <summary>RFC 6902 by its public cases, and what they leave open.</summary>
public sealed class JsonPatchTests
{
    [Theory]
    [InlineData("tests.json", 85)]
    [InlineData("spec_tests.json", 15)]
    public void Every_public_case_gives_what_it_says(string file, int atLeast)
    {
        var ran = 0;
        using var cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Folder("json-patch"), file)), new() { AllowDuplicateProperties = true });
        foreach (var one in cases.RootElement.EnumerateArray())
        {
            if (!one.TryGetProperty("doc", out var doc) || !one.TryGetProperty("patch", out var patch) || one.TryGetProperty("disabled", out _))
                continue;
            var named = one.GetRawText();
            var result = Apply(doc.GetRawText(), patch.GetRawText());
            if (one.TryGetProperty("error", out _))
                Assert.True(result.Tree is null, $"accepted: {named}");
            else
                Assert.True(result.Tree is not null, $"refused: {result.Refusal?.Message} {named}");
            if (one.TryGetProperty("expected", out var expected))
                Assert.True(JsonTree.Parse(Encoding.UTF8.GetBytes(expected.GetRawText())).SameAs(result.Tree!), named);
            ran++;
        }

        Assert.True(ran >= atLeast, $"only {ran} cases ran");
    }

    [Theory]
    [InlineData("""{"a":"42","b":1.50}""", """[{"op":"replace","path":"/b","value":123456789012345678901234567890}]""", """{"a":"42","b":123456789012345678901234567890}""")]
    [InlineData("""{"a":[1.50,"x"]}""", """[{"op":"add","path":"/a/-","value":2.0}]""", """{"a":[1.50,"x",2.0]}""")]
    [InlineData("""{"a":{"b":1}}""", """[{"op":"test","path":"/a/b","value":1.0},{"op":"remove","path":"/a/b"}]""", """{"a":{}}""")]
    [InlineData("""{"é":"\u00e9"}""", """[{"op":"copy","from":"/é","path":"/x~1y"}]""", """{"é":"\u00e9","x/y":"\u00e9"}""")]
    public void Values_that_are_not_touched_keep_their_bytes(string doc, string patch, string expected) =>
        Assert.Equal(expected, Text(Apply(doc, patch).Tree!));

    [Theory]
    [InlineData("""{"op":"add"}""", "array")]
    [InlineData("""[1]""", "Operation 1")]
    [InlineData("""[{"path":"/a"}]""", "no `op`")]
    [InlineData("""[{"op":"add","path":"/a"}]""", "no `value`")]
    [InlineData("""[{"op":"put","path":"/a","value":1}]""", "`put`")]
    [InlineData("""[{"op":"add","path":"a","value":1}]""", "JSON Pointer")]
    [InlineData("""[{"op":"add","path":"/a~2","value":1}]""", "JSON Pointer")]
    [InlineData("""[{"op":"move","path":"/a"}]""", "no `from`")]
    [InlineData("""[{"op":"move","from":"/a","path":"/a/b"}]""", "into itself")]
    [InlineData("""[{"op":"replace","path":"/z","value":1}]""", "nothing at /z")]
    [InlineData("""[{"op":"add","path":"/l/4","value":1}]""", "3 items")]
    [InlineData("""[{"op":"add","path":"/l/01","value":1}]""", "3 items")]
    [InlineData("""[{"op":"add","path":"/n/x","value":1}]""", "no members")]
    [InlineData("""[{"op":"add","op":"add","path":"/n","value":1}]""", "not JSON")]
    [InlineData("""[""", "not JSON")]
    public void What_is_wrong_is_said(string patch, string said)
    {
        var refused = Apply("""{"a":{"b":1},"l":[1,2,3],"n":1}""", patch).Refusal;
        Assert.NotNull(refused);
        Assert.Equal(RefusalCode.InvalidPatch, refused.Value.Code);
        Assert.Contains(said, refused.Value.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_document_never_becomes_deeper_than_a_payload_may_be()
    {
        var deep = string.Concat(Enumerable.Repeat("""{"x":""", 60)) + "1" + new string('}', 60);
        var path = string.Concat(Enumerable.Repeat("/x", 60));
        Assert.Contains("levels", Apply("{}", $$"""[{"op":"add","path":"/x","value":{{deep}}},{"op":"add","path":"{{path}}","value":{{deep}}}]""").Refusal!.Value.Message, StringComparison.Ordinal);

        var nesting = string.Join(',', Enumerable.Repeat("""{"op":"copy","from":"","path":"/x"}""", 70));
        Assert.NotNull(Apply("{}", $"[{nesting}]").Refusal);
    }

    [Fact]
    public void Copies_of_copies_are_bounded()
    {
        var doubling = string.Join(',', Enumerable.Range(0, 40).Select(i => $$"""{"op":"copy","from":"/a","path":"/a/-"},{"op":"copy","from":"/b","path":"/a/-"},{"op":"copy","from":"/a","path":"/b"}"""));
        Assert.NotNull(Apply("""{"a":[1],"b":[1]}""", $"[{doubling}]").Refusal);
    }

    [Fact]
    public void More_operations_than_a_patch_may_have_are_refused()
    {
        string Patch(int count) => "[" + string.Join(',', Enumerable.Repeat("""{"op":"test","path":"","value":{}}""", count)) + "]";
        Assert.NotNull(Apply("{}", Patch(JsonPatch.OperationsMax)).Tree);
        Assert.NotNull(Apply("{}", Patch(JsonPatch.OperationsMax + 1)).Refusal);
    }

    [Theory]
    [InlineData("1", "1.0", true)]
    [InlineData("1e2", "100", true)]
    [InlineData("-0", "0", true)]
    [InlineData("0.10", "1e-1", true)]
    [InlineData("123456789012345678901", "123456789012345678902", false)]
    [InlineData("1", "-1", false)]
    [InlineData("1e99999999999999999999", "1", false)]
    public void Numbers_are_equal_by_value(string left, string right, bool equal) =>
        Assert.Equal(equal, Apply($$"""{"n":{{left}}}""", $$"""[{"op":"test","path":"/n","value":{{right}}}]""").Tree is not null);

    static (JsonTree? Tree, Refusal? Refusal) Apply(string doc, string patch)
    {
        try
        {
            return (JsonPatch.Parse(Encoding.UTF8.GetBytes(patch)).Apply(JsonTree.Parse(Encoding.UTF8.GetBytes(doc))), null);
        }
        catch (RefusedException refused)
        {
            return (null, refused.Refusal);
        }
    }

    static string Text(JsonTree tree)
    {
        var text = new ArrayBufferWriter<byte>();
        tree.Write(text);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }
}
