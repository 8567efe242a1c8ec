using System.Collections.Immutable;
using EventDbx.Server.GraphQL;

namespace EventDbx.Server.Rest;

/// <summary>Every route there is. Routing, <c>Allow</c>, access and the test of credentials all read this table.</summary>
internal static class RestRoutes
{
    const string Aggregate = "/v1/aggregates/{type}/{id}";

    const string Schema = "/admin/schemas/{type}";

    const string Token = "/admin/tokens/{token}";

    const string Remote = "/admin/remotes/{name}";

    const string Allowed = "/admin/replication/allowed";

    const string Plugin = "/admin/plugins/{name}";

    static readonly RestAccess Read = RestAccess.Of(AccessAction.AggregateRead);
    static readonly RestAccess Append = RestAccess.Of(AccessAction.AggregateAppend);
    // In the words in which the engine refuses the same, so that both roads of a command say the same.
    static readonly RestAccess Status = RestAccess.RootTo("see the status of the server");
    static readonly RestAccess Tokens = RestAccess.RootTo("manage tokens");
    static readonly RestAccess KeyIdentity = RestAccess.RootTo("ask for the check of the data key");
    static readonly RestAccess RotateKey = RestAccess.RootTo("rotate the data key");
    static readonly RestAccess BackUp = RestAccess.RootTo("back the database up");
    static readonly RestAccess SeeSchemas = RestAccess.RootTo("see schemas as a whole");
    static readonly RestAccess ChangeSchemas = RestAccess.RootTo("change schemas");

    static readonly RestAccess SeeConfig = RestAccess.RootTo("see the configuration");
    static readonly RestAccess Audit = RestAccess.RootTo("read the audit trail");
    static readonly RestAccess Remotes = RestAccess.RootTo("manage remotes");
    static readonly RestAccess Push = RestAccess.RootTo(Replication.Transfer.TransferDesk.PushRight);
    static readonly RestAccess Pull = RestAccess.RootTo(Replication.Transfer.TransferDesk.PullRight);
    static readonly RestAccess Follow = RestAccess.RootTo(Replication.Following.FollowDesk.MayFollow);
    static readonly RestAccess Promote = RestAccess.RootTo(Replication.Following.FollowDesk.MayPromote);
    static readonly RestAccess Plugins = RestAccess.RootTo("manage plugins");
    static readonly RestAccess TestPlugins = RestAccess.RootTo("test plugins");
    static readonly RestAccess Replay = RestAccess.RootTo("replay events");
    static readonly RestAccess RetryDead = RestAccess.RootTo("retry dead events");
    static readonly RestAccess ClearDead = RestAccess.RootTo("clear dead events");

    static readonly RestAccess Archive = RestAccess.Of(AccessAction.AggregateArchive);

    public static ImmutableArray<RestRoute> All { get; } =
    [
        new("GET", "/health", RestAccess.Open, RestBody.None, ServerRoutes.HealthAsync) { Surface = Surface.Server },
        new("GET", "/ready", RestAccess.Open, RestBody.None, ServerRoutes.ReadyAsync) { Surface = Surface.Server },
        new("GET", "/metrics", RestAccess.AnyToken, RestBody.None, MetricsRoutes.ReadAsync) { Surface = Surface.Server, OpenBy = static config => config.MetricsPublic },
        new("GET", "/openapi.json", RestAccess.Page, RestBody.None, DocsRoutes.OpenApiAsync) { Surface = Surface.Server },
        new("GET", "/docs", RestAccess.Page, RestBody.None, DocsRoutes.PageAsync) { Surface = Surface.Server },
        new("GET", "/v1/aggregates", Read, RestBody.None, AggregateRoutes.ListAsync)
        {
            Parameters = ["skip", "take", "cursor", "type", "id_prefix", "archived", "at", "fields", "typed"],
        },
        new("GET", Aggregate, Read, RestBody.None, AggregateRoutes.GetAsync) { Parameters = ["version", "at", "fields", "typed"] },
        new("PUT", Aggregate, Archive, RestBody.Optional, AggregateRoutes.CreateAsync) { LeavesEntry = true },
        new("DELETE", Aggregate, Archive, RestBody.None, AggregateRoutes.RemoveAsync) { LeavesEntry = true },
        new("POST", Aggregate + "/archive", Archive, RestBody.Optional, AggregateRoutes.ArchiveAsync) { LeavesEntry = true },
        new("POST", Aggregate + "/restore", Archive, RestBody.Optional, AggregateRoutes.RestoreAsync) { LeavesEntry = true },
        new("POST", Aggregate + "/snapshots", Archive, RestBody.Optional, SnapshotRoutes.TakeAsync) { Parameters = ["fields", "typed"], LeavesEntry = true },
        new("GET", Aggregate + "/snapshots", Read, RestBody.None, SnapshotRoutes.ListAsync) { Parameters = ["take", "cursor", "fields", "typed"] },
        new("GET", Aggregate + "/events", Read, RestBody.None, EventRoutes.ListAsync) { Parameters = ["skip", "take", "cursor"] },
        new("GET", Aggregate + "/events/{version}", Read, RestBody.None, EventRoutes.GetAsync),
        new("GET", Aggregate + "/events/{version}/proof", Read, RestBody.None, ProofRoutes.EventAsync) { Parameters = ["size"] },
        new("GET", Aggregate + "/proof", Read, RestBody.None, ProofRoutes.AggregateAsync) { Parameters = ["from", "to"] },
        new("GET", Aggregate + "/verify", Read, RestBody.None, VerifyRoutes.OneAsync) { Parameters = ["level"], TakesLong = true },
        new("POST", "/v1/events", Append, RestBody.Required, EventRoutes.AppendAsync) { Parameters = ["wait"], Conditional = true },
        new("POST", "/v1/events/batch", Append, RestBody.Required, EventRoutes.AppendBatchAsync),
        new("GET", "/v1/events", RestAccess.Of(AccessAction.FeedRead), RestBody.None, FeedRoutes.ReadAsync)
        {
            Parameters = ["after", "take", "type", "event_type", "include"],
        },
        new("POST", "/graphql", RestAccess.AnyToken, RestBody.Required, GraphQLRoutes.PostAsync) { Surface = Surface.GraphQL, TakesLong = true },
        new("GET", "/graphql", RestAccess.Page, RestBody.None, GraphQLRoutes.GetAsync) { Surface = Surface.GraphQL, TakesSockets = true },
        new("GET", "/graphql/playground", RestAccess.Page, RestBody.None, GraphQLRoutes.PageAsync) { Surface = Surface.GraphQL },
        new("GET", "/graphql/page.js", RestAccess.Page, RestBody.None, GraphQLPage.ScriptAsync) { Surface = Surface.GraphQL },
        new("GET", "/graphql/page.css", RestAccess.Page, RestBody.None, GraphQLPage.StyleAsync) { Surface = Surface.GraphQL },
        new("GET", "/v1/log/checkpoint", RestAccess.LogProofs, RestBody.None, LogRoutes.CheckpointAsync) { Parameters = ["wait"], TakesLong = true },
        new("GET", "/v1/log/key", RestAccess.LogProofs, RestBody.None, LogRoutes.KeyAsync),
        new("GET", "/v1/log/consistency", RestAccess.LogProofs, RestBody.None, LogRoutes.ConsistencyAsync) { Parameters = ["from", "to"] },
        new("GET", "/v1/log/tile/{level}/{index…}", RestAccess.LogProofs, RestBody.None, LogRoutes.TileAsync),
        new("POST", "/v1/evidence", Read, RestBody.Optional, EvidenceRoutes.MakeAsync) { TakesLong = true },
        new("POST", "/v1/staged", Append, RestBody.Required, StagingRoutes.StageAsync),
        new("GET", "/v1/staged", Read, RestBody.None, StagingRoutes.ListAsync),
        new("DELETE", "/v1/staged", Append, RestBody.None, StagingRoutes.UnstageAllAsync),
        new("DELETE", "/v1/staged/{event_id}", Append, RestBody.None, StagingRoutes.UnstageAsync),
        new("POST", "/v1/staged/commit", Append, RestBody.None, StagingRoutes.CommitAsync),
        new("POST", "/v1/records", RestAccess.Of(AccessAction.RecordsImport), RestBody.Required, EventRoutes.ImportAsync),
        new("POST", "/v1/imports", RestAccess.Of(AccessAction.RecordsImport), RestBody.Required, EventRoutes.NoteImportAsync) { LeavesEntry = true },
        new("POST", "/v1/verify", RestAccess.Of(AccessAction.LogRead), RestBody.None, VerifyRoutes.AllAsync) { Parameters = ["resume"], TakesLong = true },
        new("GET", "/admin/status", Status, RestBody.None, ServerRoutes.StatusAsync),
        new("GET", "/admin/config", SeeConfig, RestBody.None, ServerRoutes.ConfigAsync),
        new("GET", "/admin/audit", Audit, RestBody.None, AuditRoutes.ReadAsync)
        {
            Parameters = ["after", "take", "kind", "subject", "group", "user", "since", "until"],
        },
        new("GET", "/admin/schemas", SeeSchemas, RestBody.None, SchemaRoutes.ListAsync),
        new("POST", "/admin/schemas", ChangeSchemas, RestBody.Required, SchemaRoutes.CreateAsync) { LeavesEntry = true },
        new("GET", Schema, SeeSchemas, RestBody.None, SchemaRoutes.GetAsync),
        new("PATCH", Schema, ChangeSchemas, RestBody.Required, SchemaRoutes.ChangeAsync) { LeavesEntry = true },
        new("POST", Schema + "/validate", SeeSchemas, RestBody.Required, SchemaRoutes.ValidateAsync),
        new("DELETE", Schema + "/events/{event}", ChangeSchemas, RestBody.None, SchemaRoutes.RemoveEventAsync) { LeavesEntry = true },
        new("GET", "/admin/key", KeyIdentity, RestBody.None, KeyRoutes.IdentityAsync),
        new("POST", "/admin/key/rotate", RotateKey, RestBody.Required, KeyRoutes.RotateAsync) { LeavesEntry = true, TakesLong = true },
        new("POST", "/admin/backup", BackUp, RestBody.Optional, BackupRoutes.MakeAsync) { TakesLong = true },
        new("GET", "/admin/tokens", Tokens, RestBody.None, TokenRoutes.ListAsync),
        new("POST", "/admin/tokens", Tokens, RestBody.Required, TokenRoutes.IssueAsync) { LeavesEntry = true },
        new("POST", "/admin/tokens/revoke", Tokens, RestBody.Required, TokenRoutes.RevokeAsync) { LeavesEntry = true },
        new("POST", "/admin/tokens/refresh", Tokens, RestBody.Required, TokenRoutes.RefreshAsync) { LeavesEntry = true },
        new("POST", "/admin/tokens/rotate-secret", Tokens, RestBody.Optional, TokenRoutes.RotateSecretAsync) { LeavesEntry = true },
        new("POST", Token + "/revoke", Tokens, RestBody.Optional, TokenRoutes.RevokeNamedAsync) { LeavesEntry = true },
        new("POST", Token + "/refresh", Tokens, RestBody.Required, TokenRoutes.RefreshNamedAsync) { LeavesEntry = true },
        new("GET", "/admin/remotes", Remotes, RestBody.None, RemoteRoutes.ListAsync),
        new("PUT", Remote, Remotes, RestBody.Required, RemoteRoutes.PutAsync) { Parameters = ["create"], LeavesEntry = true },
        new("POST", Remote, Remotes, RestBody.Required, RemoteRoutes.PutAsync) { Parameters = ["create"], LeavesEntry = true },
        new("DELETE", Remote, Remotes, RestBody.None, RemoteRoutes.RemoveAsync) { LeavesEntry = true },
        new("GET", Allowed, Remotes, RestBody.None, AllowedRoutes.ListAsync),
        new("PUT", Allowed + "/{peer}", Remotes, RestBody.Required, AllowedRoutes.PutAsync) { Parameters = ["create"], LeavesEntry = true },
        new("DELETE", Allowed + "/{peer}", Remotes, RestBody.None, AllowedRoutes.RemoveAsync) { LeavesEntry = true },
        new("POST", "/admin/replication/push", Push, RestBody.Required, TransferRoutes.PushAsync) { TakesLong = true },
        new("POST", "/admin/replication/pull", Pull, RestBody.Required, TransferRoutes.PullAsync) { LeavesEntry = true, TakesLong = true },
        new("POST", "/admin/replication/follow", Follow, RestBody.Required, FollowRoutes.FollowAsync) { LeavesEntry = true, TakesLong = true },
        new("POST", "/admin/replication/promote", Promote, RestBody.Optional, FollowRoutes.PromoteAsync) { LeavesEntry = true, TakesLong = true },
        new("GET", "/admin/plugins", Plugins, RestBody.None, PluginRoutes.ListAsync),
        new("POST", "/admin/plugins/test", TestPlugins, RestBody.None, PluginRoutes.TestAllAsync) { TakesLong = true },
        new("PUT", Plugin, Plugins, RestBody.Required, PluginRoutes.PutAsync) { Parameters = ["check"], LeavesEntry = true },
        new("POST", Plugin + "/enable", Plugins, RestBody.None, PluginRoutes.EnableAsync) { Parameters = ["from"], LeavesEntry = true },
        new("POST", Plugin + "/test", TestPlugins, RestBody.None, PluginRoutes.TestOneAsync) { TakesLong = true },
        new("POST", Plugin + "/replay", Replay, RestBody.Required, PluginRoutes.ReplayAsync) { TakesLong = true },
        new("POST", Plugin + "/disable", Plugins, RestBody.None, PluginRoutes.DisableAsync) { LeavesEntry = true },
        new("DELETE", Plugin, Plugins, RestBody.None, PluginRoutes.RemoveAsync) { LeavesEntry = true },
        new("GET", "/admin/queue", Plugins, RestBody.None, QueueRoutes.ReadAsync) { Parameters = ["plugin", "take"] },
        new("POST", "/admin/queue/retry", RetryDead, RestBody.Optional, QueueRoutes.RetryAsync) { TakesLong = true },
        new("POST", "/admin/queue/clear", ClearDead, RestBody.Optional, QueueRoutes.ClearAsync) { LeavesEntry = true },
    ];

    /// <summary>The route for a request; null when there is none.</summary>
    /// <param name="method">As sent.</param>
    /// <param name="segments">Of the path, as sent.</param>
    /// <param name="allow">The methods that the path has, where the route is null; empty when there is no such path.</param>
    public static RestRoute? Find(string method, string[] segments, out string allow)
    {
        allow = "";
        var wanted = method == "HEAD" ? "GET" : method;
        List<string>? others = null;
        foreach (var route in All)
        {
            if (!route.Matches(segments))
                continue;
            if (route.Method == wanted)
                return route;
            (others ??= []).Add(route.Method);
            if (route.Method == "GET")
                others.Add("HEAD");
        }

        if (others is not null)
            allow = string.Join(", ", others);
        return null;
    }
}
