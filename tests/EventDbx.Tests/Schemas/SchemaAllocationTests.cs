using System.Diagnostics;
using System.Globalization;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Checking runs on the one writer, for every event: an event that passes leaves nothing to the collector.</summary>
/// <remarks>The counter is of this thread only, so others may run beside it.</remarks>
public sealed class SchemaAllocationTests(ITestOutputHelper output)
{
    [Fact]
    public void Ten_thousand_checks_of_an_event_of_20_columns_allocate_nothing()
    {
        var schema = Schemata.Compiled("""
            {"a01":{"type":"integer","required":true,"range":{"min":"0","max":"100"}},"a02":{"type":"float","range":{"max":"1e3"}},
             "a03":{"type":"decimal(12,2)","range":{"min":"0"}},"a04":"boolean","a05":{"type":"text","length":{"min":1,"max":50}},
             "a06":{"type":"timestamp","range":{"min":"2020-01-01T00:00:00Z"}},"a07":{"type":"date","range":{"max":"2030-12-31"}},"a08":"json",
             "a09":{"type":"binary","length":{"max":10}},"a10":{"type":"object","properties":{"x":{"type":"integer","required":true},"y":{"type":"text","must_match":"a05"}}},
             "a11":{"type":"text","contains":["ab"],"does_not_contain":["xyz"]},"a12":{"type":"text","regex":["^[a-z ]+$"]},
             "a13":{"type":"text","format":"email"},"a14":{"type":"text","format":"credit_card"},"a15":"integer","a16":"float","a17":"decimal(6,2)",
             "a18":{"type":"text","regex":["é$"]},"a19":{"type":"integer","must_match":"a15"},"a20":{"type":"text","required":true}}
            """);
        schema = CompiledSchema.Of(SchemaChange.SetFieldLocked(SchemaChange.AddFields(schema.Schema, "e",
            Enumerable.Range(1, 20).Select(i => $"a{i:00}"), Schemata.Now), "tenant", true, Schemata.Now));
        var payload = Schemata.Payload($$$$"""
            {"a20":"\u00e9 \"quoted\"","a19":" +7 ","a18":"caf\u00e9","a17":1.5e1,"a16":"2.5","a15":7,"a14":"4111111111111111","a13":"jane@example.com",
             "a12":"some words","a11":"cabbage","a10":{"z":[{"y":"}"}],"y":"text","\u0078":1},"a09":"YWI=","a08":{"any":[1,2,3]},"a07":"2025-1-31",
             "a06":"2025-01-31T10:00:00.123456789+01:00","a05":"te\u0078t","a04":"TRUE","a03":"1_000.50","a02":12.5,"a01":42}
            """);
        AssertAllocatesNothing(schema, payload, 10_000);
    }

    [Theory]
    [InlineData("""{"type":"integer","range":{"min":"0"}}""", "42")]
    [InlineData("""{"type":"float","range":{"min":"0"}}""", "\" 1e2 \"")]
    [InlineData("""{"type":"decimal(12,2)","range":{"min":"0"}}""", "1.25e1")]
    [InlineData("""{"type":"timestamp","range":{"min":"2020-01-01T00:00:00Z"}}""", "\"2025-01-31T10:00:00.5Z\"")]
    [InlineData("""{"type":"text","contains":["a"],"does_not_contain":["b"],"length":{"max":9}}""", "\"a\\u0061\"")]
    [InlineData("""{"type":"text","regex":["a$"]}""", "\"xxa\"")]
    [InlineData("""{"type":"text","regex":["^[a-z]+$"]}""", "\"xxa\"")]
    [InlineData("""{"type":"text","format":"email"}""", "\"jane@example.com\"")]
    [InlineData("""{"type":"text","format":"credit_card"}""", "\"4111111111111111\"")]
    [InlineData("""{"type":"binary","length":{"max":9}}""", "\"YWI=\"")]
    [InlineData("""{"type":"object","properties":{"x":{"type":"object","properties":{"y":"text"}}}}""", """{"x":{"z":[],"y":""}}""")]
    public void No_rule_allocates_for_a_value_that_passes(string column, string value)
    {
        var schema = Schemata.Compiled($"{{\"v\":{column}}}");
        var payload = Schemata.Payload($"{{\"v\":{value}}}");
        AssertAllocatesNothing(schema, payload, 10_000);
    }

    // The framework's own code allocates while it is compiled once more, for speed; so rounds go on until one is free of it.
    void AssertAllocatesNothing(CompiledSchema schema, JsonPayload payload, int checks)
    {
        // Compiling happens beside us, and on a busy machine late: a hang detector.
        var until = Stopwatch.GetTimestamp() + (120 * Stopwatch.Frequency);
        List<SchemaViolation> violations = [];
        Assert.True(schema.Check("e", payload, violations), string.Join('\n', violations));
        long allocated = 0;
        for (var round = 0; round < 10 || Stopwatch.GetTimestamp() < until; round++)
        {
            var started = Stopwatch.GetTimestamp();
            var before = GC.GetAllocatedBytesForCurrentThread();
            var passed = 0;
            for (var i = 0; i < checks; i++)
                passed += schema.Check("e", payload, violations) ? 1 : 0;
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal(checks, passed);
            if (allocated > 0)
                continue;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(started).TotalNanoseconds / checks:F0} ns a check, after {round} rounds"));
            return;
        }

        Assert.Fail($"The last round of {checks} checks allocated {allocated} bytes.");
    }
}
