using EventDbx.Server.GraphQL;
using EventDbx.Server.Tests.Rest;
using GraphQL;
using GraphQL.Types;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>The schema as clients see it.</summary>
public sealed class SchemaTests
{
    [Fact]
    public void The_schema_is_the_one_that_was_reviewed()
    {
        var printed = DbxSchema.Instance.Print().ReplaceLineEndings("\n");
        Assert.Equal(Golden.Expected("graphql/schema.graphql", printed), printed);
    }

    [Fact]
    public void Every_type_field_argument_and_value_is_described()
    {
        var ours = DbxSchema.Instance.AllTypes.Where(type => !type.Name.StartsWith("__", StringComparison.Ordinal) && type is not (StringGraphType or IntGraphType or BooleanGraphType)).ToList();
        Assert.True(ours.Count >= 18);
        foreach (var type in ours)
        {
            Assert.False(string.IsNullOrWhiteSpace(type.Description), type.Name);
            foreach (var field in (type as IComplexGraphType)?.Fields ?? Enumerable.Empty<FieldType>())
            {
                Assert.False(string.IsNullOrWhiteSpace(field.Description), $"{type.Name}.{field.Name}");
                foreach (var argument in field.Arguments ?? [])
                    Assert.False(string.IsNullOrWhiteSpace(argument.Description), $"{type.Name}.{field.Name}({argument.Name})");
            }
        }
    }

    [Fact]
    public void Members_arguments_and_input_members_are_snake_case()
    {
        foreach (var type in DbxSchema.Instance.AllTypes.OfType<IComplexGraphType>().Where(type => !type.Name.StartsWith("__", StringComparison.Ordinal)))
        {
            foreach (var field in type.Fields)
            {
                if (type.Name is not ("Query" or "Mutation"))
                    Assert.Matches("^[a-z]+(_[a-z]+)*$", field.Name);
                foreach (var argument in field.Arguments ?? [])
                    Assert.Matches("^[a-z]+(_[a-z]+)*$", argument.Name);
            }
        }
    }
}
