using System.Buffers;
using EventDbx.Server.Tokens;

namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token rotate-secret</c>: a new secret signs tokens; what the old one signed is taken for a while.</summary>
internal static class TokenRotateSecret
{
    static readonly Option<long?> Overlap = Options.WholeNumber(
        "--overlap", "Seconds for which tokens of the old secret are still taken; 0: none from now on (default: 86400, a day).", max: (long)TokenBounds.OverlapMax.TotalSeconds);

    public static Verb Create() => new("rotate-secret", "Replace the secret that signs tokens.")
    {
        Remarks =
        [
            "It takes effect at once, in a running server too, and is kept in the configuration (auth.secret; the old one is auth.previous_secret). " +
            "New tokens, and those that `token refresh` makes, are signed with the new one. There are two secrets at most: what was still overlapping ends.",
            "A secret that somebody has seen is replaced with `--overlap 0`: every token is refused from the next request on, and new ones are issued on the machine of the server.",
            TokenCommand.Who,
        ],
        Examples =
        [
            new("dbx token rotate-secret", "Clients have a day to get new tokens."),
            new("dbx token rotate-secret --overlap 0", "The secret is in wrong hands: nothing that it signed works any more."),
        ],
        Options = { Overlap, AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToTokensAsync(
        call,
        async store =>
        {
            var rotation = await store.RotateSecretAsync(call.Get(Overlap) is { } seconds ? TimeSpan.FromSeconds(seconds) : null, cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? Json(rotation) : Text(rotation)).ConfigureAwait(false);
            if (rotation.Dropped is { } dropped && !call.Json)
                await call.NoteAsync($"Tokens of {dropped.KeyId}, which would have been taken until {dropped.Until}, are refused now: there are two secrets at most.").ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no secret to replace: there is no store yet, and so no token."),
        cancellation);

    static string Text(SecretRotation rotation) => $"key_id={PlainText.Of(rotation.KeyId)}\n  previous_key_id={PlainText.Of(rotation.PreviousKeyId)}\n" +
        $"  previous_until={rotation.PreviousUntil?.ToString() ?? "refused from now on"}\n";

    static string Json(SecretRotation rotation)
    {
        var output = new ArrayBufferWriter<byte>();
        TokenJson.WriteRotation(output, rotation);
        return new JsonText().Value(output.WrittenMemory).ToString();
    }
}
