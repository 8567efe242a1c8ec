using CsCheck;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>The compiled checks against the slow ones, on random schemas and payloads.</summary>
public sealed class SchemaOracleTests
{
    static readonly string[] Names = ["a", "b", "c", "é", "n", "o", "😀", "\uFFFD"];

    static readonly Gen<string> Name = Schemata.Among(Names);

    static readonly Gen<string> Rules = Schemata.Among(
        "\"integer\"", "\"float\"", "\"boolean\"", "\"text\"", "\"timestamp\"", "\"date\"", "\"json\"", "\"binary\"", "\"decimal(4,2)\"", "\"decimal(2,2)\"", "\"decimal(30,10)\"",
        """{"type":"integer","required":true,"range":{"min":"-5","max":"+7"}}""", """{"type":"float","range":{"min":"0.5","max":"1e2"}}""",
        """{"type":"decimal(6,3)","range":{"min":"0.05","max":"12"}}""", """{"type":"boolean","required":true}""",
        """{"type":"date","range":{"min":"2025-01-31","max":"2025-2-28"}}""", """{"type":"timestamp","range":{"min":"2025-01-31T00:00:00Z","max":"2025-01-31T23:00:00+01:00"}}""",
        """{"type":"text","length":{"min":1,"max":3},"contains":["a"],"does_not_contain":["b","ba"]}""",
        """{"type":"text","regex":["^[ab]+$","a$","a"]}""", """{"type":"binary","length":{"min":1,"max":2}}""", """{"type":"json","required":true}""");

    static readonly Gen<string> Scalar = Gen.OneOf(
        Schemata.Among("null", "true", "false", "0", "1", "-1", "7", "8", "-0", "1.0", "1.50", "0.05", "12.345", "1e1", "1.25e1", "100.0", "9223372036854775807", "9223372036854775808", "1e16", "[]", "[{\"a\":1}]"),
        Schemata.Among("", "a", "ab", "ba", "aa\\n", "😀😀a", "\\u0061", "true", "FALSE", "0", " 7 ", "+8", "1e2", "nan", "-inf", "0.50", "1_0.5", "_1", "1_", ".5", "5.", "99.99", "1.5e1",
            "2025-01-31", "2025-2-28", "2025-02-29", "2025-3-1", "2025-01-31T00:00:00Z", "2025-01-31t22:00:01Z", "2025-01-31 23:30:00.5+01:00", "2025-01-31T25:00:00Z",
            "YQ==", "YR==", "YWI=", "YWJj", "YW", "a b=").Select(text => $"\"{text}\""));

    static readonly Gen<(string Columns, string Payload, string Lists, bool Locked, string Event)> Case = Gen.Select(
        Columns(3), Gen.OneOf(Object(3), Object(3), Object(3), Object(3), Object(3), Scalar), Name.Array[0, 2], Gen.Bool, Schemata.Among("e", "e", "f", "g"))
        .Select((columns, payload, names, locked, eventType) => (columns, payload, string.Join(',', names.Distinct().Select(name => $"\"{name}\"")), locked, eventType));

    [Fact]
    public void Random_events_break_exactly_what_the_slow_checks_say()
    {
        var (broken, passed) = (0, 0);
        Case.Sample(one =>
        {
            var schema = Linked(SchemaJson.ReadDeclaredSchema(Encoding.UTF8.GetBytes($$$$"""
                {"aggregate":"t","locked":{{{{(one.Locked ? "true" : "false")}}}},"field_locks":[{{{{(one.Locked ? one.Lists : "")}}}}],
                 "events":{"e":{},"f":{"fields":[{{{{one.Lists}}}}]}},"column_types":{{{{one.Columns}}}}}
                """), Schemata.Now));
            var expected = SchemaOracle.Broken(schema, one.Event, one.Payload);
            Assert.Equal(expected, CompiledSchema.Of(schema).Broken(one.Payload, one.Event));
            _ = expected.Length > 0 ? Interlocked.Increment(ref broken) : Interlocked.Increment(ref passed);
        }, iter: Effort.Choose(4_000, 40_000, 400_000));

        Assert.True(broken > 100 && passed > 100, $"{broken} broken, {passed} passed: the draws show little");
    }

    // Every column must match the first of its type, wherever it stands; JSON is left out, for the oracle does not compare it.
    static AggregateSchema Linked(AggregateSchema schema)
    {
        var first = new Dictionary<string, string>();
        return schema with
        {
            ColumnTypes = schema.ColumnTypes.ToBuilder() is var columns && Link(columns) is var _ ? columns.ToImmutable() : null!,
        };

        bool Link(System.Collections.Immutable.ImmutableSortedDictionary<string, Column>.Builder columns)
        {
            foreach (var (name, column) in columns.ToArray())
            {
                if (column.Kind is ColumnKind.Json or ColumnKind.Object)
                    continue;
                if (!first.TryAdd(column.TypeName, name))
                    columns[name] = column with { MustMatch = first[column.TypeName] };
            }

            foreach (var (name, column) in columns.ToArray().Where(one => one.Value.Kind == ColumnKind.Object))
            {
                var nested = column.Properties.ToBuilder();
                foreach (var (inner, below) in nested.ToArray())
                {
                    if (first.TryGetValue(below.TypeName, out var target))
                        nested[inner] = below with { MustMatch = target };
                }

                columns[name] = column with { Properties = nested.ToImmutable() };
            }

            return true;
        }
    }

    static Gen<string> Columns(int depth) => Gen.Select(Name, depth == 1 ? Rules : Gen.Frequency((4, Rules), (1, Columns(depth - 1).Select(columns => $$$$"""{"type":"object","properties":{{{{columns}}}}}"""))))
        .Array[0, 4].Select(Joined);

    static Gen<string> Object(int depth) => Gen.Select(Name, depth == 1 ? Scalar : Gen.Frequency((3, Scalar), (1, Object(depth - 1)))).Array[0, 6].Select(Joined);

    static string Joined((string Name, string Value)[] members) =>
        "{" + string.Join(',', members.DistinctBy(member => member.Name).Select(member => $"\"{member.Name}\":{member.Value}")) + "}";
}
