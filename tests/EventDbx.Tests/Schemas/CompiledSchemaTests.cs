using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Everything an event breaks is found, in order, and told.</summary>
public sealed class CompiledSchemaTests
{
    static readonly CompiledSchema Order = CompiledSchema.Of(SchemaJson.ReadDeclaredSchema("""
        {"aggregate":"order","field_locks":["tenant","region"],"hidden_fields":["card"],
         "events":{"paid":{"fields":["amount","card"]},"any":{}},
         "column_types":{
           "amount":{"type":"decimal(6,2)","required":true,"range":{"min":"1","max":"99.5"}},
           "card":{"type":"text","format":"credit_card","length":{"min":12}},
           "contact":{"type":"object","required":true,"properties":{
             "again":{"type":"text","must_match":"contact.email"},
             "email":{"type":"text","required":true,"contains":["@"],"does_not_contain":[" ","!"],"regex":["^a","z$"],"format":"email","length":{"max":5}}}}}}
        """u8, Schemata.Now));

    [Fact]
    public void Every_violation_is_listed_in_the_order_of_the_checks() => Assert.Equal(
        "region:field_locked tenant:field_locked card:field_missing contact:field_not_permitted region:field_not_permitted tenant:field_not_permitted "
        + "amount:type amount:type amount:range contact.again:type contact.email:required contact.again:must_match",
        Order.Broken("""{"tenant":1,"region":2,"amount":1234.567,"contact":{"again":5}}""", "paid"));

    [Fact]
    public void Every_broken_rule_of_a_text_is_listed_the_length_last() => Assert.Equal(
        "amount:required contact.email:contains contact.email:does_not_contain contact.email:does_not_contain contact.email:regex contact.email:regex contact.email:format contact.email:length",
        Order.Broken("""{"contact":{"email":"b c!d e"}}""", "any"));

    [Fact]
    public void A_locked_type_says_so_first_and_then_what_else_is_wrong()
    {
        var locked = CompiledSchema.Of(SchemaChange.SetLocked(Order.Schema, true, Schemata.Now));
        Assert.Equal(":locked region:field_locked :event_undefined amount:required contact:required", locked.Broken("""{"region":2}""", "piad"));
        Assert.Contains("did you mean `paid`", locked.Check("{}", "piad")[1].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("[{}]")]
    public void With_columns_a_payload_is_an_object(string payload)
    {
        Assert.Equal(":payload", Order.Broken(payload, "any"));
        Assert.Equal("", CompiledSchema.Of(Schemata.Of("{}")).Broken(payload));
    }

    [Fact]
    public void A_text_is_refused_that_is_too_long_for_its_pattern_and_one_that_is_not_is_matched()
    {
        var slow = CompiledSchema.Of(Schemata.Of("""{"t":{"type":"text","regex":["(?:a?){480}b"]},"u":{"type":"text","regex":["(?:a?){480}b"]}}"""));
        string Payload(int t, int u) => $$"""{"t":"{{new string('a', t)}}b","u":"{{new string('a', u)}}b"}""";

        Assert.Equal("", slow.Broken(Payload(10_000, 10_000)));
        Assert.Equal("t:regex", slow.Broken(Payload(30_000, 10)));
        // All patterns of one event share what they may take.
        Assert.Equal("u:regex", slow.Broken(Payload(15_000, 15_000)));
        Assert.Contains("30001 characters, which is too long for the pattern", slow.Check(Payload(30_000, 10))[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_payload_that_is_no_object_is_the_field_value()
    {
        var schema = SchemaChange.AddFields(Schemata.Of("{}"), "e", ["_value"], Schemata.Now);
        Assert.Equal("", CompiledSchema.Of(schema).Broken("[1]"));
        Assert.Equal("_value:field_missing", CompiledSchema.Of(schema).Broken("null"));
        Assert.Equal("_value:field_locked", CompiledSchema.Of(SchemaChange.SetFieldLocked(schema, "_value", true, Schemata.Now)).Broken("[1]"));
    }

    [Fact]
    public void Fields_are_an_exact_set()
    {
        var fields = CompiledSchema.Of(SchemaChange.AddFields(Schemata.Of("{}"), "e", ["a", "c", "😀"], Schemata.Now));
        Assert.Equal("", fields.Broken("""{"😀":1,"c":null,"a":2}"""));
        Assert.Equal("a:field_missing 😀:field_missing b:field_not_permitted d:field_not_permitted", fields.Broken("""{"d":1,"c":1,"b":1}"""));
        Assert.Equal("d:field_not_permitted", fields.Broken("""{"\ud83d\ude00":1,"a":1,"c":1,"d":1}"""));
    }

    [Fact]
    public void Names_are_found_however_they_are_written_and_in_any_order()
    {
        var schema = Schemata.Compiled("""{"é":{"type":"object","properties":{"b\"":"integer","a":{"type":"text","must_match":"é.c"},"c":"text"}}}""");
        Assert.Equal("", schema.Broken("""{"\u00e9":{"c":"\u0078","x":{"a":"]}"},"\u0061":"x","b\u0022":1}}"""));
        Assert.Equal("é.a:type é.b\":type", schema.Broken("""{"\u00e9":{"c":"x","x":["\\\"",{"a":1}],"\u0061":1,"b\u0022":"x"}}"""));
        Assert.Equal("é.a:must_match", schema.Broken("""{"é":{"c":"x","a":"y"}}"""));
        Assert.Equal("é.a:must_match", schema.Broken("""{"é":{"a":"y"}}"""));
        Assert.Equal("", schema.Broken("""{"é":{"c":"y"}}"""));
        Assert.Equal("é:type", schema.Broken("""{"é":[]}"""));
    }

    [Theory]
    [InlineData("binary", "\"YWI=\"", "\"YW\"")]
    [InlineData("integer", "1", "\"one\"")]
    [InlineData("text", "\"a\"", "1")]
    [InlineData("object", "{}", "[1]")]
    public void What_is_not_of_its_type_is_not_compared_as_well(string type, string good, string bad)
    {
        var schema = Schemata.Compiled($"{{\"a\":\"{type}\",\"b\":{{\"type\":\"{type}\",\"must_match\":\"a\"}}}}");
        Assert.Equal("a:type", schema.Broken($"{{\"a\":{bad},\"b\":{good}}}"));
        Assert.Equal("b:type", schema.Broken($"{{\"a\":{good},\"b\":{bad}}}"));
    }

    [Fact]
    public void More_columns_on_a_level_than_lie_on_the_stack_are_checked_too()
    {
        var nested = string.Join(',', Enumerable.Range(0, 300).Select(i => $"\"c{i}\":{{\"type\":\"integer\",\"required\":true}}"));
        var schema = Schemata.Compiled($$$$"""{"o":{"type":"object","properties":{{{{{nested}}}}}}}""");
        var members = string.Join(',', Enumerable.Range(0, 300).Reverse().Select(i => $"\"c{i}\":{(i == 150 ? "\"x\"" : i)}"));
        Assert.Equal("o.c150:type", schema.Broken($$$$"""{"o":{{{{{members}}}}}}"""));
    }

    [Fact]
    public void At_most_100_violations_are_listed_behind_those_that_are_there()
    {
        var columns = string.Join(',', Enumerable.Range(0, 500).Select(i => $"\"c{i}\":{{\"type\":\"integer\",\"required\":true}}"));
        List<SchemaViolation> violations = [new("", SchemaRule.Locked, "")];
        Assert.False(Schemata.Compiled($"{{{columns}}}").Check("e", Schemata.Payload("{}"), violations));
        Assert.Equal(1 + Limits.SchemaViolationsMax, violations.Count);
    }

    [Fact]
    public void Messages_say_what_was_found_in_60_characters_and_without_control_characters()
    {
        var schema = Schemata.Compiled("""{"v":{"type":"text","length":{"max":1}}}""");
        var message = schema.Check($$$$"""{"v":"😀{{{{"\u0085"}}}}{{{{new string('a', 1000)}}}}"}""")[0].Message;
        Assert.Contains("`v` is \"😀\uFFFDaaa", message, StringComparison.Ordinal);
        Assert.Contains("a…; it has a length of 1002 and has to have a length <= 1 characters.", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 60, 160);
    }

    [Fact]
    public void Values_of_hidden_fields_are_not_quoted()
    {
        var violations = Order.Check("""{"amount":5,"card":"4111","contact":{"email":"a@z"}}""", "any");
        Assert.Equal([SchemaRule.Format, SchemaRule.Length], violations.Select(violation => violation.Rule));
        Assert.All(violations, violation => Assert.DoesNotContain("4111", violation.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_rule_has_a_name_of_its_own()
    {
        var names = Enum.GetValues<SchemaRule>().Select(SchemaRules.NameOf).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.All(names, name => Assert.Matches("^[a-z_]+$", name));
    }
}
