using EventDbx.Server.OpenApi;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>The reference of these routes: pages without data.</summary>
internal static class DocsRoutes
{
    public static Task OpenApiAsync(RestCall call) => SendAsync(call, call.Host.Reference.Document);

    public static Task PageAsync(RestCall call) => SendAsync(call, call.Host.Reference.Html);

    static Task SendAsync(RestCall call, Page page)
    {
        var (request, response) = (call.Http.Request, call.Http.Response);
        var headers = response.Headers;
        headers.ETag = page.Tag;
        headers.CacheControl = "no-cache";
        headers.XContentTypeOptions = "nosniff";
        if (page.Policy is { } policy)
        {
            headers.ContentSecurityPolicy = policy;
            headers["Referrer-Policy"] = "no-referrer";
        }

        foreach (var given in request.Headers.IfNoneMatch)
        {
            if (given is null || !given.Split(',', StringSplitOptions.TrimEntries).Any(tag => tag == page.Tag || tag == "*" || tag == $"W/{page.Tag}"))
                continue;
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        return Answer.BytesAsync(call.Http, page.Bytes, page.ContentType);
    }
}
