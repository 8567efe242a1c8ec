using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>From a request to an answer.</summary>
internal sealed class RestSurface(ServerHost host, ServerOptions options)
{
    public async Task AnswerAsync(HttpContext context)
    {
        _ = host;
        _ = options;
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync("{\"status\":\"ok\"}"u8.ToArray()).ConfigureAwait(false);
    }
}
