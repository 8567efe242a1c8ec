using System.Collections.Immutable;

namespace EventDbx.Server.Rest;

/// <summary>Whether a route reads a body.</summary>
internal enum RestBody
{
    /// <summary>One that is sent is refused: it would be ignored.</summary>
    None,

    Optional,

    Required,
}

/// <summary>Who may use a route: everybody, whoever has an action, or root. <see cref="Session"/> decides; this is what it will decide.</summary>
internal readonly record struct RestAccess
{
    /// <summary>Without a token, always.</summary>
    public static RestAccess Open { get; } = new() { IsOpen = true };

    /// <summary>A page without data: open unless <c>api.public_docs</c> is false, and then for whoever has a good token.</summary>
    public static RestAccess Page { get; } = new() { IsPage = true };

    /// <summary>Root tokens, and the owner on the socket.</summary>
    /// <param name="what">As it follows "only a root token may".</param>
    public static RestAccess RootTo(string what) => new() { RootMay = what };

    /// <summary>Checkpoints and what belongs to them: <c>log.read</c>, on whatever resources.</summary>
    public static RestAccess LogProofs { get; } = new() { Action = AccessAction.LogRead, IsLogProofs = true };

    public bool IsOpen { get; private init; }

    public bool IsPage { get; private init; }

    public bool IsLogProofs { get; private init; }

    public bool IsRoot => RootMay is not null;

    /// <summary>What only root may, where that is so.</summary>
    public string? RootMay { get; private init; }

    /// <summary>Whether it asks for no token, with these settings.</summary>
    public bool IsOpenUnder(Configuration.ServerConfig config) => IsOpen || (IsPage && config.ApiPublicDocs);

    /// <summary>The action a token must allow, where neither of the others says so.</summary>
    public AccessAction? Action { get; private init; }

    /// <summary>Whoever has a good token, whatever it allows: what it may do is asked further on.</summary>
    public static RestAccess AnyToken => default;

    public static RestAccess Of(AccessAction action) => new() { Action = action };
}

/// <summary>One method on one path.</summary>
/// <param name="Method">A route for <c>GET</c> answers <c>HEAD</c> as well.</param>
/// <param name="Template">The path; a segment in braces stands for any one segment, and where it ends in <c>…</c> for all that follow, one at least.</param>
/// <param name="Access">Who may.</param>
/// <param name="Body">Whether it reads one.</param>
/// <param name="Run">Answers, or throws a refusal.</param>
internal sealed record RestRoute(string Method, string Template, RestAccess Access, RestBody Body, Func<RestCall, Task> Run)
{
    readonly string[] _segments = Template[1..].Split('/');

    /// <summary>The parameters of its query.</summary>
    public ImmutableArray<string> Parameters { get; init; } = [];

    /// <summary>Whether it heeds <c>If-Match</c>, <c>If-None-Match</c> and <c>Idempotency-Key</c>; any other writing route refuses them.</summary>
    public bool Conditional { get; init; }

    /// <summary>Whether it leaves a control entry: then the session says from where it comes.</summary>
    public bool LeavesEntry { get; init; }

    /// <summary>Whether a WebSocket may come to it without a token, to bring it later: browsers cannot send one with the upgrade.</summary>
    public bool TakesSockets { get; init; }

    /// <summary>Of which surface it is: one that is switched off answers nobody but the owner.</summary>
    public Surface Surface { get; init; } = Surface.Rest;

    /// <summary>Where a setting opens it to everybody; null: none does.</summary>
    public Func<Configuration.ServerConfig, bool>? OpenBy { get; init; }

    /// <summary>Long by nature, however fast the server is: it is no slow request.</summary>
    public bool TakesLong { get; init; }

    /// <summary>Whether it answers without a token under these settings.</summary>
    public bool IsOpen(Configuration.ServerConfig config) => Access.IsOpenUnder(config) || OpenBy?.Invoke(config) == true;

    /// <summary>Whether it belongs to the Admin API.</summary>
    public bool IsAdmin => _segments[0] == "admin";

    bool HasTail => _segments[^1].EndsWith("…}", StringComparison.Ordinal);

    /// <summary>Whether a path is of this form. Fixed segments are compared as they are sent: each route has one spelling.</summary>
    public bool Matches(string[] segments)
    {
        if (HasTail ? segments.Length < _segments.Length : segments.Length != _segments.Length)
            return false;
        for (var i = 0; i < _segments.Length; i++)
        {
            if (_segments[i][0] != '{' && _segments[i] != segments[i])
                return false;
        }

        return true;
    }
}
