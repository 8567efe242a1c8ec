using System.Buffers;
using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>All schemas at one revision, compiled. Immutable: readers keep the one they took.</summary>
public sealed class SchemaBook
{
    readonly ImmutableSortedDictionary<string, CompiledSchema> _schemas;

    // The sorted one is for lists; an append looks its type up once, here.
    readonly Dictionary<string, CompiledSchema> _byType;

    SchemaBook(ImmutableSortedDictionary<string, CompiledSchema> schemas, ulong revision)
    {
        (_schemas, Revision) = (schemas, revision);
        _byType = new(schemas, StringComparer.Ordinal);
    }

    /// <summary>No schemas, at revision 0.</summary>
    public static SchemaBook Empty { get; } = new(ImmutableSortedDictionary.Create<string, CompiledSchema>(Utf8Order.Instance), 0);

    /// <summary>Counts the changes since it was read.</summary>
    public ulong Revision { get; }

    public int Count => _schemas.Count;

    /// <summary>Every schema, in the order of the types' bytes.</summary>
    public IEnumerable<AggregateSchema> All => _schemas.Values.Select(compiled => compiled.Schema);

    /// <summary>Reads and compiles <c>schemas.json</c>; blank is empty.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path.</exception>
    public static SchemaBook Parse(ReadOnlySpan<byte> json, ulong revision = 0) => Of(SchemaJson.Read(json).Values, revision);

    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>: one cannot be enforced.</exception>
    public static SchemaBook Of(IEnumerable<AggregateSchema> schemas, ulong revision = 0)
    {
        var compiled = Empty._schemas.ToBuilder();
        foreach (var schema in schemas)
            compiled[schema.Aggregate] = CompiledSchema.Of(schema);
        return new(Bounded(compiled.ToImmutable()), revision);
    }

    /// <summary>The schema of an aggregate type, or null.</summary>
    public CompiledSchema? Find(string type) => _byType.GetValueOrDefault(type);

    /// <summary>The schema of an aggregate type.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>, naming the nearest type that has one.</exception>
    public AggregateSchema Get(string type) => Find(type)?.Schema
        ?? throw new RefusedException(RefusalCode.NotFound,
            $"There is no schema of the aggregate type `{SchemaRefusal.Shown(type)}`{NearestName.Hint(type, _schemas.Keys)}.");

    /// <summary>The book with this schema in the place of its type's; itself when nothing changes.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>: it cannot be enforced.</exception>
    public SchemaBook With(AggregateSchema schema) => Find(schema.Aggregate)?.Schema.Equals(schema) == true
        ? this
        : new(Bounded(_schemas.SetItem(schema.Aggregate, CompiledSchema.Of(schema))), Revision + 1);

    /// <summary>The book without a type's schema; itself when there is none.</summary>
    public SchemaBook Without(string type) => _byType.ContainsKey(type) ? new(_schemas.Remove(type), Revision + 1) : this;

    /// <summary>Writes <c>schemas.json</c>: indented, with a line feed at its end.</summary>
    public byte[] Write()
    {
        var output = new ArrayBufferWriter<byte>();
        SchemaJson.Write(output, All);
        return output.WrittenSpan.ToArray();
    }

    static ImmutableSortedDictionary<string, CompiledSchema> Bounded(ImmutableSortedDictionary<string, CompiledSchema> schemas) =>
        schemas.Count <= Limits.SchemasMax
            ? schemas
            : throw SchemaRefusal.At("$", $"there are {schemas.Count} schemas; at most {Limits.SchemasMax} are accepted.");
}
