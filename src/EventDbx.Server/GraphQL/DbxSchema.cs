using GraphQL;
using GraphQL.Conversion;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>The whole schema: nothing in it belongs to one server, so a process has one.</summary>
internal sealed class DbxSchema : Schema
{
    static readonly Lazy<DbxSchema> Made = new(static () => new DbxSchema());

    DbxSchema() : base(new OwnTypes())
    {
        // Names go out as they stand here: camelCase fields at the roots, as published, and snake_case members.
        NameConverter = DefaultNameConverter.Instance;
        Description = "EventDBX: aggregates, their events, and the feed.";
        var types = new AnswerTypes();
        Query = Queries.Build(types);
        Mutation = Mutations.Build(types);
        Subscription = Subscriptions.Build(types);
        Initialize();
    }

    public static DbxSchema Instance => Made.Value;

    /// <summary>The library asks for types by their <see cref="Type"/>; nothing is made by reflection here, for we hand instances over.</summary>
    sealed class OwnTypes : IServiceProvider
    {
        public object? GetService(Type serviceType) =>
            serviceType == typeof(StringGraphType) ? new StringGraphType()
            : serviceType == typeof(BooleanGraphType) ? new BooleanGraphType()
            : null;
    }
}
