using System.Text.Json;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>GraphQL by POST, as tests ask it.</summary>
internal static class GraphQLCalls
{
    /// <summary>Sends a query; variables are JSON.</summary>
    public static Task<Reply> QueryAsync(this RestServer server, string query, string? variables = null, string? token = "root", params (string Name, string Value)[] headers) =>
        server.SendAsync("POST", "/graphql", Body(query, variables), token, headers: headers);

    public static string Body(string query, string? variables = null, string? operation = null) =>
        $"{{\"query\":{JsonSerializer.Serialize(query)}"
        + (variables is null ? "" : $",\"variables\":{variables}")
        + (operation is null ? "" : $",\"operationName\":{JsonSerializer.Serialize(operation)}") + "}";

    /// <summary>The data of an answer that has no errors.</summary>
    public static JsonElement Data(this Reply reply)
    {
        Assert.Equal(200, reply.Status);
        Assert.False(reply.Json.TryGetProperty("errors", out var _), reply.Body);
        return reply.Json.GetProperty("data");
    }

    /// <summary>The code of the only error, whose shape is checked on the way.</summary>
    public static string ErrorCode(this Reply reply)
    {
        var error = Assert.Single(reply.Json.GetProperty("errors").EnumerateArray());
        var extensions = error.GetProperty("extensions");
        Assert.Equal(["code", "message", "retryable"], extensions.EnumerateObject().Select(member => member.Name).Take(3));
        Assert.Equal(error.GetProperty("message").GetString(), extensions.GetProperty("message").GetString());
        return extensions.GetProperty("code").GetString()!;
    }
}
