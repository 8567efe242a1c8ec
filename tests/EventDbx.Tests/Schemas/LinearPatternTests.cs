using System.Diagnostics;
using System.Text.RegularExpressions;
using CsCheck;
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
    [InlineData("^[😀-😂x]+$", "x😁", true)]
    [InlineData(@"^[^\d\pP]$", "5", false)]
    [InlineData(@"^[^\d\pP]$", "𝒳", true)]
    [InlineData(@"^\x41\u0042\x{1F600}$", "AB😀", true)]
    [InlineData(@"^[\x41-\x43-]+$", "A-C", true)]
    [InlineData("(?i)^[^a]$", "A", false)]
    [InlineData("(?i:É)x", "éx", true)]
    [InlineData("(?i:É)x", "éX", false)]
    [InlineData("a(?i)b|c", "aC", true)]
    [InlineData("^(?:|a)$", "", true)]
    [InlineData("^(a*)*$", "aaab", false)]
    [InlineData("^(?:a{2}){2}$", "aaaa", true)]
    [InlineData("^(?:a{2}){2}$", "aaa", false)]
    [InlineData("a{1000}", "a", false)]
    [InlineData("^a{2,}$", "a", false)]
    [InlineData("^a{2,}$", "aaaaa", true)]
    [InlineData("(){999999}", "", true)]
    [InlineData(@"(?m)^b$", "a\nb\nc", true)]
    [InlineData(@"\Bb", "ab", true)]
    [InlineData(@"\Bb", "b", false)]
    [InlineData(@"\Ab\z", "b", true)]
    public void Patterns_mean_what_they_say(string pattern, string text, bool matches) =>
        Assert.Equal(matches, LinearPattern.Compile(pattern, out _)!.IsMatch(text));

    [Theory]
    [InlineData("(?=a)", "linear")]
    [InlineData("(?<!a)b", "linear")]
    [InlineData(@"(a)\1", "linear")]
    [InlineData(@"(?<n>a)\k<n>", "linear")]
    [InlineData("(?>a+)b", "linear")]
    [InlineData("(", "not closed")]
    [InlineData("a)", "closes no group")]
    [InlineData("*", "nothing to repeat")]
    [InlineData("a|+", "nothing to repeat")]
    [InlineData("(?i)*", "nothing to repeat")]
    [InlineData("a{3,2}", "larger bound first")]
    [InlineData("{2}", "repetition")]
    [InlineData("(?<n", "not closed")]
    [InlineData("[z-a]", "larger end first")]
    [InlineData("[a", "not closed")]
    [InlineData("[[:alpha:]]", "inside a class")]
    [InlineData("[a-z&&[^b]]", "set operation")]
    [InlineData("[a-z--b]", "set operation")]
    [InlineData("(?x)a b", "flags are")]
    [InlineData("(?i", "not closed")]
    [InlineData(@"a\Z", "very end")]
    [InlineData(@"\Ga", "no escape")]
    [InlineData("a{", "repetition")]
    [InlineData("a{1,2,3}", "repetition")]
    [InlineData(@"a\", "backslash")]
    [InlineData(@"\x{110000}", "by its number")]
    [InlineData(@"\xZZ", "by its number")]
    [InlineData(@"[\b]", "no escape")]
    [InlineData("a{1001}", "steps")]
    [InlineData("(?:a{100}){100}", "steps")]
    [InlineData("((){999999}a){999999}", "steps")]
    [InlineData("((a{1,20}){1,20}){1,20}", "steps")]
    [InlineData(@"\p{Greek}", "general category")]
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
    [InlineData("^(a?){300}a{300}$")]
    [InlineData("(?:a.{1,20}){1,20}c")]
    [InlineData("^(?:[a-b]{1,20}a){1,20}$")]
    [InlineData("[ab]*a[ab]{20}c")]
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

    [Fact]
    public void Random_patterns_match_what_the_framework_says() => Gen.Select(Pattern(3), Gen.String[Gen.Char["abB\n "], 0, 8]).Sample((pattern, text) =>
    {
        // Its engine without backtracking, for the other takes hours over some of these draws.
        // Without (?m), which no draw has, the framework's $ also stands before a last line feed.
        var expected = Regex.IsMatch(
            text,
            pattern.Replace("$", @"\z", StringComparison.Ordinal), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        Assert.Equal((pattern, text, expected), (pattern, text, LinearPattern.Compile(pattern, out _)!.IsMatch(text)));
    }, iter: Effort.Choose(2_000, 30_000, 300_000));

    static Gen<string> Pattern(int depth)
    {
        var atom = Schemata.Among("a", "b", ".", "[ab]", "[^a]", "[^a-c]", "^", "$", @"\b", @"\B", @"\w", @"\S", "(?i:b)", "(?s:.)", "");
        if (depth == 0)
            return atom;
        var below = Pattern(depth - 1);
        return Gen.OneOf(
            atom, Gen.Select(below, below).Select((left, right) => left + right), Gen.Select(below, below).Select((left, right) => $"(?:{left}|{right})"),
            Gen.Select(below, Schemata.Among("*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "{0,2}?")).Select((one, times) => $"({one}){times}"));
    }
}
