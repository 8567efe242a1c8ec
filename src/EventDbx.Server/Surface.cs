using EventDbx.Server.Configuration;

namespace EventDbx.Server;

/// <summary>What a request is for. All share one port, and each data surface can be switched off.</summary>
internal enum Surface
{
    /// <summary>What belongs to none: health, metrics, pages. Always on.</summary>
    Server,

    Rest,

    GraphQL,

    Grpc,
}

/// <summary>Which surfaces are on, and the words for one that is not.</summary>
internal static class Surfaces
{
    /// <summary>Null where it is on.</summary>
    public static Refusal? RefusalOf(Surface surface, ServerConfig config) => surface switch
    {
        Surface.Rest when !config.ApiRest => new(RefusalCode.NotFound, "REST is switched off on this server (api.rest)."),
        Surface.GraphQL when !config.ApiGraphQL => new(RefusalCode.NotFound, "GraphQL is switched off on this server (api.graphql)."),
        Surface.Grpc when !config.ApiGrpc => new(RefusalCode.NotFound, "gRPC is switched off on this server (api.grpc)."),
        _ => null,
    };

    /// <summary>As labels of metrics and words of log lines have it.</summary>
    public static string NameOf(Surface surface) => surface switch
    {
        Surface.Server => "server",
        Surface.Rest => "rest",
        Surface.GraphQL => "graphql",
        Surface.Grpc => "grpc",
    };
}
