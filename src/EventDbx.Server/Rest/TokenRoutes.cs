using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Tokens: listed, issued, revoked, replaced.</summary>
internal static class TokenRoutes
{
    public static Task ListAsync(RestCall call) => Answer.OneAsync(call.Http, call.Host.Tokens.List(call.Session), TokenJson.WriteListings);

    public static async Task IssueAsync(RestCall call)
    {
        var request = TokenJson.ReadRequest(call.Body);
        TokenRules.DemandActions(request);
        var issued = await call.Host.Tokens.IssueAsync(call.Session, request, call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, issued).ConfigureAwait(false);
    }

    public static async Task RevokeAsync(RestCall call)
    {
        var (given, reason) = TokenJson.ReadRevoke(call.Body);
        var revoked = await call.Host.Tokens.RevokeAsync(call.Session, given, reason, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, revoked, (output, revocation) => TokenJson.WriteRevocation(output, revocation, given)).ConfigureAwait(false);
    }

    public static async Task RefreshAsync(RestCall call)
    {
        var (given, refresh) = TokenJson.ReadRefresh(call.Body);
        var issued = await call.Host.Tokens.RefreshAsync(call.Session, given, refresh, call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, issued).ConfigureAwait(false);
    }

    public static async Task RotateSecretAsync(RestCall call)
    {
        var overlap = call.Body.IsEmpty ? null : TokenJson.ReadRotate(call.Body);
        var rotation = await call.Host.Admin.RotateSecretAsync(call.Host.Tokens, call.Session, overlap ?? TokenBounds.OverlapDefault, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, rotation, TokenJson.WriteRotation).ConfigureAwait(false);
    }

    /// <summary>The same with the token, or its id, in the path: no body is needed, and none comes back.</summary>
    public static async Task RevokeNamedAsync(RestCall call)
    {
        var reason = call.Body.IsEmpty ? null : TokenJson.ReadReason(call.Body);
        await call.Host.Tokens.RevokeAsync(call.Session, Named(call), reason, call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public static async Task RefreshNamedAsync(RestCall call)
    {
        var issued = await call.Host.Tokens.RefreshAsync(call.Session, Named(call), TokenJson.ReadRefreshOf(call.Body), call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, issued, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    static string Named(RestCall call) => call.Segment(2, "The token in the path");

    static Task ShowAsync(RestCall call, IssuedToken issued, int status = StatusCodes.Status201Created)
    {
        // It is shown once, to whoever asked for it.
        call.Http.Response.Headers.CacheControl = "no-store";
        return Answer.OneAsync(call.Http, issued, TokenJson.WriteIssued, status);
    }
}
