using CsCheck;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Schemas and events in few words.</summary>
internal static class Schemata
{
    public static Timestamp Now { get; } = Time("2025-10-20T08:00:00Z");

    public static Timestamp Later { get; } = Time("2025-10-23T12:00:00Z");

    public static Timestamp Time(string text) => Timestamp.TryParse(text, out var time, out _) ? time : throw new ArgumentException(text);

    /// <summary>A schema of <c>order</c> whose event <c>e</c> takes any fields.</summary>
    public static AggregateSchema Of(string columns) => SchemaJson.ReadDeclaredSchema(
        Encoding.UTF8.GetBytes($$$$"""{"aggregate":"order","events":{"e":{}},"column_types":{{{{columns}}}}}"""), Now);

    public static CompiledSchema Compiled(string columns) => CompiledSchema.Of(Of(columns));

    public static JsonPayload Payload(string json) =>
        JsonPayload.TryParse(Encoding.UTF8.GetBytes(json), out var payload, out var refusal) ? payload : throw new RefusedException(refusal);

    public static List<SchemaViolation> Check(this CompiledSchema schema, string payload, string eventType = "e")
    {
        List<SchemaViolation> violations = [];
        Assert.Equal(schema.Check(eventType, Payload(payload), violations), violations.Count == 0);
        return violations;
    }

    /// <summary>Paths and rules, in order: <c>a.b:type c:required</c>.</summary>
    public static string Broken(this CompiledSchema schema, string payload, string eventType = "e") =>
        string.Join(' ', schema.Check(payload, eventType).Select(violation => $"{violation.Path}:{SchemaRules.NameOf(violation.Rule)}"));

    /// <summary>One of these values.</summary>
    public static Gen<T> Among<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    public static Refusal RefusalOf(Action action) => Assert.Throws<RefusedException>(action).Refusal;
}
