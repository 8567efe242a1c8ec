using EventDbx.Server.Configuration;
using EventDbx.Server.Rest;
using EventDbx.Server.Tokens;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Grpc;

/// <summary>One call on its way: who asks, by what.</summary>
internal sealed class GrpcCall(GrpcSurface surface, HttpContext http, GrpcMethod method, string? token)
{
    /// <summary>A session that is older than this is made anew: the message may have taken its time.</summary>
    static readonly TimeSpan SessionFor = TimeSpan.FromSeconds(1);

    Session? _session;
    long _enteredAt;

    public ServerHost Host => surface.Host;

    public ServerConfig Config => surface.Options.Config;

    public TimeProvider Clock => surface.Options.Clock;

    public BodyBudget Budget => surface.Budget;

    public GrpcMethod Method => method;

    /// <summary>What the caller may do, by a token that was good within the last second.</summary>
    public Session Session
    {
        get
        {
            if (Clock.GetElapsedTime(_enteredAt) > SessionFor)
                Enter();
            return _session!;
        }
    }

    /// <summary>Who it is, where that was found out.</summary>
    public Actor? Actor => _session?.Actor;

    /// <summary>Why a long answer has to end: the token is not good any more. Null while it is.</summary>
    public RefusedException? Withdrawn { get; set; }

    /// <summary>Throws the refusal of a token that is not good any more; null for the owner, who has none.</summary>
    public Action? LookAtToken => token is null ? null : () => Host.Tokens.Authenticate(token);

    public static GrpcCall Of(ServerCallContext context) => context.GetHttpContext().Features.Get<GrpcCall>()!;

    /// <summary>Whether the caller may use this method at all.</summary>
    /// <exception cref="RefusedException">No.</exception>
    public void Enter()
    {
        _session = surface.SessionOf(http, token, method);
        _enteredAt = Clock.GetTimestamp();
    }

    /// <summary>For what may take longer than a moment; null where there is no token to watch.</summary>
    public TokenWatch? WatchToken(CancellationToken cancellation) => LookAtToken is { } look ? new(look, Clock, cancellation) : null;
}
