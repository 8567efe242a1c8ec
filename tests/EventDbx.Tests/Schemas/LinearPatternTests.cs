using System.Diagnostics;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Patterns: what they mean, what is refused when written, and that none explodes.</summary>
public sealed class LinearPatternTests
{
    [Theory]
    [InlineData("b", "abc", true)]
    [InlineData("^b", "abc", false)]
    [InlineData("B", "abc", false)]
    [InlineData("(?i)B", "abc", true)]
    [InlineData("c$", "abc", true)]
    [InlineData("c$", "abc\n", false)]
    [InlineData("(?m)c$", "abc\nd", true)]
    [InlineData("(?m:b$)c|c$", "abc\n", false)]
    [InlineData(@"\$$", "5$", true)]
    [InlineData("[$]", "5$", true)]
    [InlineData("^[$]$", "$\n", false)]
    [InlineData("^.$", "😀", true)]
    [InlineData("^.$", "\n", false)]
    [InlineData("(?s)^.$", "\n", true)]
    [InlineData("^[^a]$", "😀", true)]
    [InlineData("^[^a]{2}$", "😀", false)]
    [InlineData("^[^]a]$", "]", false)]
    [InlineData("^😀{2}$", "😀😀", true)]
    [InlineData("^(?:(?s).)$", "\n", true)]
    [InlineData("^(?P<year>[0-9]{4})-(?<month>[0-9]{2})$", "2025-01", true)]
    [InlineData(@"^\pL\p{Nd}$", "é5", true)]
    [InlineData(@"^\w+$", "größe", true)]
    [InlineData(@"\bword\b", "a word here", true)]
    [InlineData("^(a|b){2,3}?$", "abab", false)]
    [InlineData(@"^\{x\}$", "{x}", true)]
    public void Patterns_mean_what_they_say(string pattern, string text, bool matches) =>
        Assert.Equal(matches, LinearPattern.Compile(pattern, out _)!.IsMatch(text));

    [Theory]
    [InlineData("(?=a)", "linear")]
    [InlineData("(?<!a)b", "linear")]
    [InlineData(@"(a)\1", "linear")]
    [InlineData(@"(?<n>a)\k<n>", "linear")]
    [InlineData("(?>a+)b", "linear")]
    [InlineData("(", "regular expression")]
    [InlineData("a)", "regular expression")]
    [InlineData("*", "regular expression")]
    [InlineData("a{3,2}", "regular expression")]
    [InlineData("[a", "not closed")]
    [InlineData("[[:alpha:]]", "inside a class")]
    [InlineData("[a-z&&[^b]]", "set operation")]
    [InlineData("[a-z--b]", "set operation")]
    [InlineData("[😀]", "U+FFFF")]
    [InlineData("(?x)a b", "flags are")]
    [InlineData("(?i", "not closed")]
    [InlineData(@"a\Z", "very end")]
    [InlineData(@"\Ga", "no meaning")]
    [InlineData("a{", "repetition")]
    [InlineData("a{1,2,3}", "repetition")]
    [InlineData(@"a\", "backslash")]
    [InlineData("(?:a{100}){100}", "steps")]
    [InlineData("((a{1,20}){1,20}){1,20}", "steps")]
    [InlineData(@"\p{Nonsense}", "regular expression")]
    public void What_cannot_be_matched_in_linear_time_is_refused_when_written(string pattern, string said)
    {
        Assert.Null(LinearPattern.Compile(pattern, out var why));
        Assert.Contains(said, why, StringComparison.Ordinal);
        var json = System.Text.Json.JsonEncodedText.Encode(pattern);
        var refusal = Schemata.RefusalOf(() => Schemata.Of($$$$"""{"v":{"type":"text","regex":["a","{{{{json}}}}"]}}"""));
        Assert.Equal(RefusalCode.InvalidSchema, refusal.Code);
        Assert.Contains("$.column_types.v.regex[1]", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(a+)+$")]
    [InlineData("^(a|a)*$")]
    [InlineData("(a*)*c")]
    [InlineData("^(a?){500}a{500}$")]
    [InlineData("(?:a.{1,30}){1,30}c")]
    public void A_pattern_that_explodes_elsewhere_stays_linear_here(string pattern)
    {
        var schema = CompiledSchema.Of(Schemata.Of("{}") with
        {
            ColumnTypes = Column.None.Add("v", new() { Kind = ColumnKind.Text, Regex = [pattern] }),
        });
        var payload = Schemata.Payload($$$$"""{"v":"{{{{new string('a', 50_000)}}}}b"}""");
        List<SchemaViolation> violations = [];
        var started = Stopwatch.GetTimestamp();

        Assert.False(schema.Check("e", payload, violations));

        // Takes milliseconds; a backtracking engine takes years. Nothing in between is of interest.
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(30));
    }
}
