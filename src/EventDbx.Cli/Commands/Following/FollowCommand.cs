using System.Globalization;
using EventDbx.Cli.Commands.Remote;
using EventDbx.Server.Replication.Following;

namespace EventDbx.Cli.Commands.Following;

/// <summary><c>dbx follow</c>: the database becomes the mirror of another one.</summary>
internal static class FollowCommand
{
    public static Verb Create() => new("follow", "Become the mirror of a remote: the same log, entry for entry, and no writes of its own.", RemoteCommand.Name)
    {
        Remarks =
        [
            "It begins with an empty data directory, or goes on with a mirror, or with a former leader whose log is a beginning of the remote's; a store with a history of its own is refused and stays as it is. " +
            "The remote is then followed from every start on (`mode = \"follow\"` in the configuration), until `dbx promote`.",
            "This node must be allowed there: `dbx remote allow NAME --pull --public-key KEY` on the remote.",
            "With a server running the server follows, and this command watches until it has caught up; otherwise it copies until then, and `dbx start` follows on.",
            RemoteCommand.Who,
        ],
        Examples =
        [
            new("dbx follow leader", "Copy everything, and keep up with it."),
            new("dbx follow leader --json", "The same; where it stands in the end, as JSON."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var name = call.NameIn(RemoteCommand.Name, "remote");
        return await Link.ToFollowingAsync(call, name, following => RunAsync(call, following, name, cancellation), cancellation).ConfigureAwait(false);
    }

    static async Task<ExitCode> RunAsync(Call call, IFollowing following, string name, CancellationToken cancellation)
    {
        (FollowerStatus? last, ulong? first, string? told) = (null, null, null);
        using (var progress = new Progress(call.Shell, "entries"))
        {
            await foreach (var status in following.FollowAsync(name, cancellation).ConfigureAwait(false))
            {
                first ??= status.Position;
                last = status;
                // A server goes on trying; whoever watches knows why nothing comes.
                if (status is { IsOver: false, Problem: { } problem } && problem != told)
                    await call.NoteAsync(problem).ConfigureAwait(false);
                told = status.Problem;
                progress.Report((long)(status.Position - Math.Min(first.Value, status.Position)), status.LeaderEnd is > 0 and var end ? Math.Min(1, status.Position / (double)end) : null);
            }
        }

        if (last is not { } at)
            throw new InvalidOperationException("It was followed, and nothing was told.");
        if (at.IsOver)
            throw new RefusedException(at.Condition == FollowCondition.Diverged ? RefusalCode.Diverged : RefusalCode.InvalidArgument, at.Problem!);
        await call.Shell.Out.WriteAsync(call.Json
            ? new JsonText().BeginObject()
                .Member("remote", name).Member("condition", FollowerStatus.NameOf(at.Condition)).Member("position", at.Position).Member("leader_end", at.LeaderEnd ?? at.Position)
                .Member("server", following.GoesOn).EndObject().ToString()
            : PlainText.Line(string.Create(CultureInfo.InvariantCulture, $"Mirror of '{name}' at position {at.Position}"))).ConfigureAwait(false);
        if (!following.GoesOn)
            await call.NoteAsync("`dbx start` follows on.").ConfigureAwait(false);
        return ExitCode.Done;
    }
}
