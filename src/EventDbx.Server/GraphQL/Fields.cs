using System.Globalization;
using EventDbx.Reading;
using EventDbx.Server.Rest;
using GraphQL;
using GraphQL.Execution;
using GraphQL.Resolvers;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>How fields and arguments are declared and read, in the words of REST.</summary>
internal static class Fields
{
    public static FieldType Of(string name, IGraphType type, string description, Func<IResolveFieldContext, object?> resolve, params QueryArgument[] arguments) => new()
    {
        Name = name, ResolvedType = type, Description = description, Resolver = new FuncFieldResolver<object?>(resolve), Arguments = [.. arguments],
    };

    public static FieldType OfAsync(string name, IGraphType type, string description, Func<IResolveFieldContext, Task<object?>> resolve, params QueryArgument[] arguments) => new()
    {
        Name = name, ResolvedType = type, Description = description,
        Resolver = new FuncFieldResolver<object?>(context => new ValueTask<object?>(resolve(context))), Arguments = [.. arguments],
    };

    public static QueryArgument Argument(string name, IGraphType type, string description) => new(type) { Name = name, Description = description };

    public static NonNullGraphType NotNull(IGraphType type) => new(type);

    public static NonNullGraphType ListOf(IGraphType type) => new(new ListGraphType(new NonNullGraphType(type)));

    public static GraphQLCall Call(this IResolveFieldContext context) => (GraphQLCall)context.UserContext;

    public static object? Value(this IResolveFieldContext context, string name) =>
        context.Arguments is { } arguments && arguments.TryGetValue(name, out var given) ? given.Value : null;

    public static string? Text(this IResolveFieldContext context, string name) => (string?)context.Value(name);

    public static bool? Truth(this IResolveFieldContext context, string name) => (bool?)context.Value(name);

    public static ulong? Long(this IResolveFieldContext context, string name) => (ulong?)context.Value(name);

    public static long? Skip(this IResolveFieldContext context) => (int?)context.Value("skip") switch
    {
        null => null,
        int skip when skip >= 0 => skip,
        int skip => throw Negative("skip", skip),
    };

    /// <summary>Items on a page: lowered to what a page may have.</summary>
    public static int Take(this IResolveFieldContext context, int unless) => (int?)context.Value("take") switch
    {
        null => Math.Min(unless, context.Call().Config.PageLimit),
        int take when take >= 0 => Math.Min(take, context.Call().Config.PageLimit),
        int take => throw Negative("take", take),
    };

    public static Timestamp? At(this IResolveFieldContext context) => context.Text("at") is not { } text ? null
        : Timestamp.TryParse(text, out var time, out var refusal) ? time
        : throw new RefusedException(refusal with { Message = $"`at`: {refusal.Message}" });

    public static AggregateKey Aggregate(this IResolveFieldContext context) => AggregateKey.Create(context.Text("aggregate_type"), context.Text("aggregate_id"));

    public static string? Cursor(this IResolveFieldContext context) => context.Text("cursor") is not { } cursor ? null
        : context.Skip() is null ? cursor
        : throw new RefusedException(RefusalCode.InvalidArgument, "`skip` and `cursor` both say where the page begins; give one of them.");

    /// <summary>Parts of a state, as REST takes them with commas between.</summary>
    public static FieldSelection? Selection(this IResolveFieldContext context)
    {
        if (context.Value("fields") is not System.Collections.IEnumerable list)
            return null;
        var parts = list.Cast<string>().ToList();
        if (parts.Find(part => part.Contains(',', StringComparison.Ordinal)) is { } bad)
            throw new RefusedException(RefusalCode.InvalidArgument, $"`fields` has \"{Shown.Of(bad)}\"; each item names one field or is one JSON Pointer, and neither has a comma.");
        return FieldSelection.TryParse(string.Join(',', parts), out var selection, out var refusal) ? selection
            : throw new RefusedException(refusal with { Message = $"`fields`: {refusal.Message}" });
    }

    /// <summary>Whether a field is asked for inside this one, itself or through a fragment.</summary>
    public static bool Asks(this IResolveFieldContext context, string field, string? inside = null) =>
        context.SubFields?.Values.Any(sub => inside is null ? sub.Field.Name.Value == field : sub.Field.Name.Value == inside && Selects(context, sub.Field.SelectionSet, field)) == true;

    static bool Selects(IResolveFieldContext context, GraphQLParser.AST.GraphQLSelectionSet? selections, string field) => selections?.Selections.Exists(selection => selection switch
    {
        GraphQLParser.AST.GraphQLField one => one.Name.Value == field,
        GraphQLParser.AST.GraphQLInlineFragment inline => Selects(context, inline.SelectionSet, field),
        // Which of the fragments it is does not matter: a state too many is read, not shown.
        _ => true,
    }) == true;

    static RefusedException Negative(string name, int number) =>
        new(RefusalCode.InvalidArgument, string.Create(CultureInfo.InvariantCulture, $"`{name}` is {number}; it takes a whole number from 0 up."));
}
