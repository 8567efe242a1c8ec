using System.Globalization;
using EventDbx.Mirroring;

namespace EventDbx.Cli.Commands.Following;

/// <summary><c>dbx promote</c>: a mirror becomes a leader.</summary>
internal static class PromoteCommand
{
    const string Word = "promote";

    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "Why, for the log.");

    static readonly Option<bool> Yes = Options.Switch("--yes", "Do not ask.");

    public static Verb Create() => new("promote", "Make a mirror a leader, in a new epoch: it takes writes, and signs checkpoints of its own.")
    {
        Remarks =
        [
            "The old leader must not take writes any more: what it still takes is in no history but its own. Stop it first, or part it from its clients; nothing here can do that.",
            "A cursor that was handed out by the old leader is answered with `cursor_gone`, which says where to go on. The old leader can follow this one, " +
            "if it has nothing that is not here: `dbx follow NAME` there. Otherwise it begins again with an empty data directory.",
        ],
        Examples =
        [
            new("dbx promote", "Ask, then promote."),
            new("dbx promote --yes --comment \"the old leader's disk is gone\"", "Without asking, and with a reason."),
        ],
        Options = { Comment, Yes, AccessToken.Option },
        Run = (call, cancellation) => Link.ToFollowingAsync(call, follow: null, following => RunAsync(call, following, cancellation), cancellation),
    };

    static async Task<ExitCode> RunAsync(Call call, IFollowing following, CancellationToken cancellation)
    {
        var leader = await following.GetLeaderAsync(cancellation).ConfigureAwait(false);
        if (!call.Get(Yes) && !await ConfirmedAsync(call, leader, cancellation).ConfigureAwait(false))
        {
            await call.Shell.Out.WriteAsync(call.Json ? new JsonText().BeginObject().Member("promoted", false).EndObject().ToString() : "promote cancelled\n").ConfigureAwait(false);
            return ExitCode.Done;
        }

        var promotion = await following.PromoteAsync(call.Get(Comment), cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(promotion, leader) : Text(promotion)).ConfigureAwait(false);
        await call.NoteAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"'{leader}' must take no writes any more. It can follow this one if it has nothing behind position {promotion.Kept}: `dbx follow NAME` there.")).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Text(Promotion promotion) => PlainText.Line(string.Create(
        CultureInfo.InvariantCulture, $"This database leads from position {promotion.Kept + 1} on, in epoch {promotion.Epoch}; its checkpoints are signed as {promotion.Origin}"));

    static string Json(Promotion promotion, string leader) => new JsonText().BeginObject()
        .Member("promoted", true).Member("epoch", (long)promotion.Epoch).Member("kept", promotion.Kept).Member("root", promotion.Root.ToString())
        .Member("origin", promotion.Origin).Member("followed", leader).EndObject().ToString();

    static async Task<bool> ConfirmedAsync(Call call, string leader, CancellationToken cancellation)
    {
        // A script that does not know of the question would wait for good, or take some line of its own for the answer.
        if (!call.Shell.ErrorIsTerminal)
            throw new UsageException($"this makes the mirror of '{leader}' a leader, and there is no terminal to ask at: give `{Yes.Name}`.");
        await call.Shell.Error.WriteAsync(
            $"This makes the mirror of '{leader}' a leader with a history of its own; '{leader}' must take no writes any more. Type `{Word}` to go on: ").ConfigureAwait(false);
        var answer = await call.Shell.In.ReadLineAsync(cancellation).ConfigureAwait(false);
        return string.Equals(answer?.Trim(), Word, StringComparison.OrdinalIgnoreCase);
    }
}
