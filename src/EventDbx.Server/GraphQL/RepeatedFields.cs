using GraphQLParser.AST;

namespace EventDbx.Server.GraphQL;

/// <summary>How often one response name stands in what is answered as one object: validation compares those fields in pairs, in every operation of the document.</summary>
/// <remarks>
/// <code>
/// { a { x } ...F }   fragment F on Query { a { x y } }
///   a twice; in it, as one object: x twice, y once
/// </code>
/// The walk is that of execution: a fragment counts once in a selection set, and what is inside fields of one name belongs together.
/// </remarks>
internal sealed class RepeatedFields
{
    readonly Dictionary<string, GraphQLFragmentDefinition> _fragments = [];
    readonly HashSet<string> _spread = [];
    int _fields;

    RepeatedFields(GraphQLDocument document)
    {
        foreach (var definition in document.Definitions)
        {
            if (definition is GraphQLFragmentDefinition fragment)
                _fragments.TryAdd(fragment.FragmentName.Name.StringValue, fragment);
        }
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.LimitExceeded"/>.</exception>
    public static void Check(GraphQLDocument document)
    {
        var walk = new RepeatedFields(document);
        foreach (var definition in document.Definitions)
        {
            if (definition is GraphQLOperationDefinition operation)
                walk.Walk([operation.SelectionSet]);
        }

        // What nobody spreads is validated as well, and so is a second one of the same name.
        foreach (var definition in document.Definitions)
        {
            if (definition is GraphQLFragmentDefinition fragment
                && (!walk._spread.Contains(fragment.FragmentName.Name.StringValue) || walk._fragments[fragment.FragmentName.Name.StringValue] != fragment))
            {
                walk.Walk([fragment.SelectionSet]);
            }
        }
    }

    /// <summary>An object, asked for by all of these.</summary>
    void Walk(List<GraphQLSelectionSet> parts)
    {
        var named = new Dictionary<string, Named>();
        var spread = new HashSet<string>();
        foreach (var part in parts)
            Gather(part, named, spread);
        foreach (var field in named.Values)
        {
            if (field.Inside.Count > 0)
                Walk(field.Inside);
        }
    }

    void Gather(GraphQLSelectionSet selections, Dictionary<string, Named> named, HashSet<string> spread)
    {
        foreach (var selection in selections.Selections)
        {
            if (++_fields > ServerLimits.GraphQLFieldsOfAllMax)
            {
                throw new RefusedException(
                    RefusalCode.LimitExceeded, $"The operations of the document have more than {ServerLimits.GraphQLFieldsOfAllMax} fields together, those of their fragments counted wherever they are spread. Send them one by one.");
            }

            switch (selection)
            {
                case GraphQLField field:
                    Count(field, named);
                    break;
                case GraphQLInlineFragment inline:
                    Gather(inline.SelectionSet, named, spread);
                    break;
                case GraphQLFragmentSpread one when one.FragmentName.Name.StringValue is var name && _fragments.TryGetValue(name, out var fragment) && spread.Add(name):
                    _spread.Add(name);
                    Gather(fragment.SelectionSet, named, spread);
                    break;
            }
        }
    }

    static void Count(GraphQLField field, Dictionary<string, Named> named)
    {
        var name = (field.Alias?.Name ?? field.Name).StringValue;
        if (!named.TryGetValue(name, out var same))
            named[name] = same = new();
        if (++same.Times > ServerLimits.GraphQLSameNameMax)
        {
            throw new RefusedException(
                RefusalCode.LimitExceeded,
                $"`{Rest.Shown.Of(name)}` stands more than {ServerLimits.GraphQLSameNameMax} times in one selection, fragments included. Ask for it once, or give each an alias of its own (`a: {Rest.Shown.Of(field.Name.StringValue)}`).");
        }

        if (field.SelectionSet is { } inside)
            same.Inside.Add(inside);
    }

    /// <summary>The fields of one name.</summary>
    sealed class Named
    {
        public int Times { get; set; }

        public List<GraphQLSelectionSet> Inside { get; } = [];
    }
}
