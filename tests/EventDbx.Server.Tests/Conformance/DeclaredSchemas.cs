using System.Text;
using EventDbx.Schemas;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>Schemas through a session, for the ways in that have no verb for them.</summary>
internal static class DeclaredSchemas
{
    /// <summary>As <see cref="IDriver.ApplySchemasAsync"/> takes them.</summary>
    public static IEnumerable<AggregateSchema> Read(string schemas) => SchemaJson.ReadDeclared(Encoding.UTF8.GetBytes(schemas), Timestamp.From(TimeProvider.System.GetUtcNow())).Values;

    /// <param name="session">Root.</param>
    /// <param name="schemas">As <see cref="IDriver.ApplySchemasAsync"/> takes them.</param>
    public static async Task ApplyAsync(Session session, string schemas)
    {
        foreach (var schema in Read(schemas))
            await session.ChangeSchemaAsync(schema.Aggregate, [SchemaEdit.Replace(schema)], TestContext.Current.CancellationToken);
    }
}
