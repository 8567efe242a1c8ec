using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Every type with every rule: what it accepts, what it refuses, or that the schema itself is refused.</summary>
public sealed class RuleMatrixTests
{
    static readonly string[] Types = ["integer", "float", "decimal(6,2)", "boolean", "text", "timestamp", "date", "json", "binary", "object"];

    static readonly Dictionary<string, string> Rules = new()
    {
        ["required"] = """{"required":true}""",
        ["contains"] = """{"contains":["ab"]}""",
        ["does_not_contain"] = """{"does_not_contain":["ab"]}""",
        ["regex"] = """{"regex":["^[a-c]+$"]}""",
        ["email"] = """{"format":"email"}""",
        ["url"] = """{"format":"url"}""",
        ["credit_card"] = """{"format":"credit_card"}""",
        ["length"] = """{"length":{"min":2,"max":3}}""",
        ["range"] = """{"range":{"min":"2","max":"3"}}""",
        ["must_match"] = """{"must_match":"twin"}""",
        ["properties"] = """{"properties":{"inner":{"type":"integer","required":true}}}""",
    };

    // Type, an accepted value, a refused one.
    static readonly Dictionary<string, (string Good, string Bad)> Values = new()
    {
        ["integer"] = ("2", "2.5"), ["float"] = ("2.5", "\"two\""), ["decimal(6,2)"] = ("2.25", "2.225"), ["boolean"] = ("true", "2"),
        ["text"] = ("\"abc\"", "2"), ["timestamp"] = ("\"2025-01-31T10:00:00Z\"", "\"2025-01-31\""), ["date"] = ("\"2025-01-31\"", "\"2025-02-30\""),
        ["json"] = ("null", ""), ["binary"] = ("\"YWI=\"", "\"YWI\""), ["object"] = ("{}", "[]"),
    };

    // Type and rule, an accepted value, a refused one. What is not here is a rule that does not apply to the type.
    static readonly Dictionary<(string Type, string Rule), (string Good, string Bad)> Applied = new()
    {
        [("text", "contains")] = ("\"xaby\"", "\"xay\""),
        [("text", "does_not_contain")] = ("\"xay\"", "\"xaby\""),
        [("text", "regex")] = ("\"abc\"", "\"abcd\""),
        [("text", "email")] = ("\"jane@example.com\"", "\"jane.example.com\""),
        [("text", "url")] = ("\"https://example.com/a\"", "\"example.com/a\""),
        [("text", "credit_card")] = ("\"4111111111111111\"", "\"4111111111111112\""),
        [("text", "length")] = ("\"😀😀😀\"", "\"abcd\""),
        [("binary", "length")] = ("\"YWI=\"", "\"YWJjZA==\""),
        [("integer", "range")] = ("3", "4"),
        [("float", "range")] = ("2.5", "3.0001"),
        [("decimal(6,2)", "range")] = ("\"3.00\"", "1.99"),
        [("timestamp", "range")] = ("\"2025-01-31T10:00:00+01:00\"", "\"2026-01-01T00:00:01Z\""),
        [("date", "range")] = ("\"2025-12-31\"", "\"2024-12-31\""),
        [("integer", "must_match")] = ("7", "8"),
        [("float", "must_match")] = ("7.0", "7.5"),
        [("decimal(6,2)", "must_match")] = ("\"7.00\"", "7.01"),
        [("boolean", "must_match")] = ("\"TRUE\"", "false"),
        [("text", "must_match")] = ("\"a\\u0062\"", "\"aB\""),
        [("timestamp", "must_match")] = ("\"2025-01-31T11:00:00+01:00\"", "\"2025-01-31T11:00:00Z\""),
        [("date", "must_match")] = ("\"2025-1-31\"", "\"2025-01-30\""),
        [("json", "must_match")] = ("""{"b":[1.0],"a":"x"}""", """{"a":"x","b":[2]}"""),
        [("binary", "must_match")] = ("\"YW\\u0049=\"", "\"YWE=\""),
        [("object", "must_match")] = ("""{"b":1,"a":2}""", """{"a":2}"""),
        [("object", "properties")] = ("""{"x":0,"inner":1}""", """{"x":0,"inner":"one"}"""),
    };

    static readonly Dictionary<string, string> Twins = new()
    {
        ["integer"] = "\" +7 \"", ["float"] = "7", ["decimal(6,2)"] = "7.0", ["boolean"] = "1", ["text"] = "\"ab\"",
        ["timestamp"] = "\"2025-01-31T10:00:00.000Z\"", ["date"] = "\"2025-01-31\"", ["json"] = """{"a":"\u0078","b":[1]}""",
        ["binary"] = "\"YWI=\"", ["object"] = """{"a":2,"b":1}""",
    };

    public static TheoryData<string, string, int> Cells()
    {
        TheoryData<string, string, int> cells = [];
        foreach (var type in Types)
        {
            foreach (var rule in Rules.Keys.Prepend("type"))
            {
                for (var depth = 1; depth <= 4; depth++)
                    cells.Add(type, rule, depth);
            }
        }

        return cells;
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void Every_type_with_every_rule(string type, string rule, int depth)
    {
        var column = ColumnOf(type, rule);
        var columns = Nested($"\"v\":{column}", depth, declared: true, $"\"twin\":\"{type}\"");
        var named = rule is "email" or "url" or "credit_card" ? "format" : rule;
        if (!Applies(type, rule))
        {
            var refusal = Schemata.RefusalOf(() => Schemata.Of(columns));
            Assert.Equal(RefusalCode.InvalidSchema, refusal.Code);
            Assert.Contains($".v.{named}", refusal.Message, StringComparison.Ordinal);
            Assert.Contains($"of type {type}", refusal.Message, StringComparison.Ordinal);
            return;
        }

        var schema = Schemata.Compiled(columns);
        var path = string.Concat(Enumerable.Repeat("n.", depth - 1)) + "v";
        var (good, bad) = rule is "type" or "required" ? Values[type] : Applied[(type, rule)];
        var twin = $"\"twin\":{Twins[type]}";

        Assert.Equal("", schema.Broken(Nested($"\"v\":{good}", depth, declared: false, twin)));
        if (rule == "required")
        {
            Assert.Equal($"{path}:required", schema.Broken(Nested("", depth, declared: false, twin)));
            Assert.Equal(type == "json" ? "" : $"{path}:type", schema.Broken(Nested("\"v\":null", depth, declared: false, twin)));
            return;
        }

        Assert.Equal("", schema.Broken(Nested("", depth, declared: false, twin)));
        if (bad.Length == 0)
            return;
        var violation = Assert.Single(schema.Check(Nested($"\"v\":{bad}", depth, declared: false, twin)));
        var (at, broken) = rule == "properties" ? ($"{path}.inner", "type") : (path, named);
        Assert.Equal((at, broken), (violation.Path, SchemaRules.NameOf(violation.Rule)));
        Assert.Contains($"`{at}`", violation.Message, StringComparison.Ordinal);
        Assert.Contains(rule == "properties" ? "\"one\"" : bad, violation.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_matrix_has_a_value_of_every_type_and_a_case_of_every_rule()
    {
        Assert.Equal(Enum.GetValues<ColumnKind>(), Types.Select(type => Column.OfType(type)!.Kind));
        Assert.All(Rules.Keys, rule => Assert.Contains(Types, type => Applies(type, rule)));
        Assert.Equal(24, Applied.Count);
    }

    static bool Applies(string type, string rule) => rule is "type" or "required" || Applied.ContainsKey((type, rule));

    static string ColumnOf(string type, string rule)
    {
        if (rule == "type")
            return $"\"{type}\"";
        var rules = (type, rule) switch
        {
            ("timestamp", "range") => """{"range":{"min":" 2025-01-31T09:00:00Z ","max":"2026-01-01T00:00:00Z"}}""",
            ("date", "range") => """{"range":{"min":"2025-01-01","max":"2025-12-31"}}""",
            _ => Rules[rule],
        };
        return $$$$"""{"type":"{{{{type}}}}",{{{{rules[1..]}}}}""";
    }

    // Puts members into objects `n` in `n`, and others beside the outermost.
    static string Nested(string members, int depth, bool declared, string beside)
    {
        var inner = $"{{{members}}}";
        for (var i = 1; i < depth; i++)
            inner = declared ? $$$$"""{"n":{"type":"object","properties":{{{{inner}}}}}}""" : $$$$"""{"n":{{{{inner}}}}}""";
        return inner == "{}" ? $"{{{beside}}}" : $"{inner[..^1]},{beside}}}";
    }
}
