using GraphQL.Types;
using GraphQLParser.AST;

namespace EventDbx.Server.GraphQL;

/// <summary>What an operation asks for, counted in its syntax tree before it is validated: its depth, its fields, and how many fields its answer may have.</summary>
/// <remarks>
/// <code>
/// { a: aggregates(take: 10) { version ...F } }   fragment F on Aggregate { state }
///   1                       × 10 × (1 + 1)                       = cost 21, fields 3, depth 2
/// </code>
/// Fragments are counted wherever they are spread, and one that holds itself is refused. Whatever is switched off by <c>@skip</c> counts as well.
/// The walk ends at the first limit, so it takes no longer than the limits allow.
/// </remarks>
internal sealed class DocumentCost
{
    /// <summary>Items of the lists of introspection, in this schema, on average and rounded up.</summary>
    static readonly Dictionary<string, int> Introspected = new()
    {
        ["types"] = 30, ["fields"] = 8, ["args"] = 3, ["inputFields"] = 8, ["enumValues"] = 4, ["interfaces"] = 1, ["possibleTypes"] = 1, ["directives"] = 5,
    };

    readonly ISchema _schema;
    readonly Dictionary<string, GraphQLFragmentDefinition> _fragments = [];
    readonly HashSet<string> _inside = [];
    readonly PageSizes _sizes;
    readonly IReadOnlyDictionary<string, object?> _variables;
    int _fields;
    long _cost;

    DocumentCost(ISchema schema, GraphQLDocument document, PageSizes sizes, IReadOnlyDictionary<string, object?> variables)
    {
        (_schema, _sizes, _variables) = (schema, sizes, variables);
        foreach (var definition in document.Definitions)
        {
            if (definition is GraphQLFragmentDefinition fragment)
                _fragments.TryAdd(fragment.FragmentName.Name.StringValue, fragment);
        }
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.LimitExceeded"/>, or a fragment that holds itself.</exception>
    public static void Check(ISchema schema, GraphQLDocument document, GraphQLOperationDefinition operation, PageSizes sizes, IReadOnlyDictionary<string, object?> variables)
    {
        var root = operation.Operation switch
        {
            OperationType.Query => schema.Query,
            OperationType.Mutation => schema.Mutation,
            _ => schema.Subscription,
        };
        new DocumentCost(schema, document, sizes, variables).Walk(operation.SelectionSet, root, 1, 1);
    }

    void Walk(GraphQLSelectionSet selections, IGraphType? parent, int depth, long times)
    {
        foreach (var selection in selections.Selections)
        {
            switch (selection)
            {
                case GraphQLField field:
                    Count(field, parent, depth, times);
                    break;
                case GraphQLInlineFragment inline:
                    Walk(inline.SelectionSet, inline.TypeCondition is { } condition ? _schema.AllTypes[condition.Type.Name.Value] : parent, depth, times);
                    break;
                case GraphQLFragmentSpread spread when _fragments.TryGetValue(spread.FragmentName.Name.StringValue, out var fragment):
                    Spread(fragment, depth, times);
                    break;
            }
        }
    }

    void Spread(GraphQLFragmentDefinition fragment, int depth, long times)
    {
        var name = fragment.FragmentName.Name.StringValue;
        if (!_inside.Add(name))
            throw new RefusedException(RefusalCode.InvalidArgument, $"The fragment `{Rest.Shown.Of(name)}` holds itself.");
        // A spread is counted like a field: fragments of fragments without a field in them would cost nothing otherwise.
        CountOne(times);
        Walk(fragment.SelectionSet, _schema.AllTypes[fragment.TypeCondition.Type.Name.Value], depth, times);
        _inside.Remove(name);
    }

    void Count(GraphQLField field, IGraphType? parent, int depth, long times)
    {
        if (depth > ServerLimits.GraphQLDepthMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The query has more than {ServerLimits.GraphQLDepthMax} fields within each other.");
        CountOne(times);
        if (field.SelectionSet is null)
            return;
        var found = Definition(parent, field.Name.StringValue);
        // A multiplier that is out of every bound must not wrap around.
        var inside = Math.Min(times * ItemsOf(field, parent, found), ServerLimits.GraphQLCostMax + 1);
        Walk(field.SelectionSet, Named(found?.ResolvedType), depth + 1, inside);
    }

    void CountOne(long times)
    {
        if (++_fields > ServerLimits.GraphQLFieldsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The query has more than {ServerLimits.GraphQLFieldsMax} fields, those of its fragments counted wherever they are spread.");
        if ((_cost += times) > ServerLimits.GraphQLCostMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The answer might have more than {ServerLimits.GraphQLCostMax} fields. Ask for fewer fields, or for shorter pages (`take`).");
    }

    FieldType? Definition(IGraphType? parent, string name) => (parent as IComplexGraphType)?.Fields.Find(name) ?? (parent == _schema.Query
        ? name switch
        {
            "__schema" => _schema.SchemaMetaFieldType,
            "__type" => _schema.TypeMetaFieldType,
            _ => null,
        }
        : null);

    /// <summary>How often what is inside a field may come.</summary>
    long ItemsOf(GraphQLField field, IGraphType? parent, FieldType? found)
    {
        if (parent?.Name.StartsWith("__", StringComparison.Ordinal) == true)
            return Introspected.GetValueOrDefault(field.Name.StringValue, 1);
        if (found?.Arguments?.Find("take") is not null)
            return Math.Clamp(Number(Argument(field, "take")) ?? _sizes.DefaultOf(found.Name), 0, _sizes.Max);
        return found?.Name == "appendEvents" ? Length(Argument(field, "input")) : 1;
    }

    static IGraphType? Named(IGraphType? type) => type switch
    {
        NonNullGraphType required => Named(required.ResolvedType),
        ListGraphType list => Named(list.ResolvedType),
        _ => type,
    };

    static GraphQLValue? Argument(GraphQLField field, string name) => field.Arguments?.Items.Find(argument => argument.Name.Value == name)?.Value;

    long? Number(GraphQLValue? value) => value switch
    {
        GraphQLIntValue literal => long.TryParse(literal.Value.Span, out var number) ? number : long.MaxValue,
        GraphQLVariable variable when _variables.TryGetValue(variable.Name.StringValue, out var sent) => sent switch
        {
            int number => number,
            ulong => long.MaxValue,
            _ => null,
        },
        // A default of the operation may be anything up to the largest page.
        GraphQLVariable => long.MaxValue,
        _ => null,
    };

    long Length(GraphQLValue? value) => value switch
    {
        GraphQLListValue list => list.Values?.Count ?? 0,
        GraphQLVariable variable when _variables.TryGetValue(variable.Name.StringValue, out var sent) => sent is List<object?> items ? items.Count : 1,
        _ => 1,
    };
}

/// <summary>How long the pages of lists are.</summary>
/// <param name="List">Of aggregates, where nobody says.</param>
/// <param name="Max">Of anything.</param>
internal readonly record struct PageSizes(int List, int Max)
{
    public long DefaultOf(string field) => Math.Min(field is "aggregates" or "aggregatesPage" ? List : Max, Max);
}
