using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>One method of one service.</summary>
/// <param name="Service">Its full name.</param>
/// <param name="Name">Of the method.</param>
/// <param name="Kind">Whether requests, answers or both are streams.</param>
/// <param name="Access">The action that a token must allow; null: it is open.</param>
/// <param name="LeavesEntry">Whether it leaves a control entry: then the session says from where it comes.</param>
internal sealed record GrpcMethod(string Service, string Name, MethodType Kind, AccessAction? Access, bool LeavesEntry = false)
{
    /// <summary>Of its requests, and its label in metrics and log lines.</summary>
    public string Path { get; } = $"/{Service}/{Name}";

    /// <summary>The kind, as metrics and log lines have it.</summary>
    public string KindName => Kind switch
    {
        MethodType.Unary => "unary",
        MethodType.ClientStreaming => "client_stream",
        MethodType.ServerStreaming => "server_stream",
        MethodType.DuplexStreaming => "duplex_stream",
    };
}
