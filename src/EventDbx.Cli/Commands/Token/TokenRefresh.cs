using Successor = EventDbx.Server.Tokens.TokenRefresh;

namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token refresh</c>: the successor of a token, which ends.</summary>
internal static class TokenRefresh
{
    static readonly Option<long?> Ttl = TokenCommand.TtlOption("the lifetime the old one had");
    static readonly Option<long?> Limit = TokenCommand.LimitOption("what the old one has left");

    public static Verb Create() => new("refresh", "End a token and issue its successor, with the same rights.", TokenCommand.Existing)
    {
        Remarks = ["The new token is shown this once. A token that was revoked or has expired has no successor: generate a new one.", TokenCommand.WhoDoesIt],
        Examples =
        [
            new("dbx token refresh --token env:EVENTDBX_TOKEN", "With the lifetime it had."),
            new("dbx token refresh 45c3013e-9b95-4ed0-9af9-1a465f81d3cf --expiration 86400 --limit 500", "For a day and 500 events."),
        ],
        Options = { Ttl, Limit },
        CanBeElsewhere = true,
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var token = await TokenCommand.ExistingAsync(call, cancellation).ConfigureAwait(false);
        var refresh = new Successor { TtlSeconds = (ulong?)call.Get(Ttl), WriteLimit = (ulong?)call.Get(Limit) };
        return await Link.ToTokensAsync(
            call,
            async store =>
            {
                var issued = await store.RefreshTokenAsync(token, refresh, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(call.Json ? TokenText.Json(issued) : $"issued replacement token:\n{TokenText.Of(issued)}").ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: () => throw TokenCommand.NoneYet(),
            cancellation).ConfigureAwait(false);
    }
}
