using System.Buffers;
using System.Text.Json;
using EventDbx.Mirroring;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Rest;

/// <summary>Whom this database is the mirror of: begun, and ended.</summary>
internal static class FollowRoutes
{
    static readonly string[] FollowMembers = ["remote"];

    static readonly string[] PromoteMembers = ["comment"];

    /// <summary>A line for each change until it has caught up, or does not go on; then how it stands. The server follows on, whoever listens.</summary>
    public static async Task FollowAsync(RestCall call)
    {
        var follower = call.Host.Follower;
        var name = RequestJson.Read(call.Body, static (ref json, _) => ReadText(ref json, "a request to follow", FollowMembers)) is { } remote && remote.Trim() is { Length: > 0 } trimmed
            ? trimmed
            : throw new RefusedException(RefusalCode.InvalidArgument, "remote name cannot be empty.");
        var told = call.Clock.GetTimestamp();
        FollowerStatus? last = null;
        await StepLines.AnswerAsync(
            call,
            Steps,
            (output, status) =>
            {
                var first = last is null;
                last = status;
                if (!first && call.Clock.GetElapsedTime(told) < ServerLimits.ProgressInterval)
                    return;
                told = call.Clock.GetTimestamp();
                status.Write(output);
            },
            output => (last ?? throw new InvalidOperationException("It is followed, and has no status.")).Write(output)).ConfigureAwait(false);

        async IAsyncEnumerable<FollowerStatus> Steps([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, call.Host.Ending);
            try
            {
                await follower.FollowAsync(name, () => KeepAsync(call, name), either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (call.Host.Ending.IsCancellationRequested && !cancellation.IsCancellationRequested)
            {
                throw new RefusedException(RefusalCode.Unavailable, "The server is stopping.");
            }
            catch (Replication.ReplicaLostException lost)
            {
                throw new RefusedException(RefusalCode.Unavailable, lost.Message);
            }

            await foreach (var status in follower.WatchAsync(either.Token).ConfigureAwait(false))
                yield return status;
        }
    }

    public static async Task PromoteAsync(RestCall call)
    {
        var follower = call.Host.Follower;
        var comment = call.Body.IsEmpty ? null : RequestJson.Read(call.Body, static (ref json, _) => ReadText(ref json, "a request to promote", PromoteMembers));
        var followed = follower.Leader;
        var promotion = await follower.PromoteAsync(call.Session.Actor, comment, () => KeepAsync(call, null), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, (promotion, followed), static (output, done) => Write(output, done.promotion, done.followed)).ConfigureAwait(false);
    }

    /// <summary>What a promotion came to, as a JSON object.</summary>
    static void Write(IBufferWriter<byte> output, Promotion promotion, string followed)
    {
        var members = new JsonMembers(output);
        members.Number("epoch"u8, promotion.Epoch);
        members.Number("kept"u8, promotion.Kept);
        members.Text("root"u8, promotion.Root.ToString());
        members.Text("origin"u8, promotion.Origin);
        members.Text("followed"u8, followed);
        members.End();
    }

    static async Task KeepAsync(RestCall call, string? name) => await call.Host.Admin.ChangePeersAsync(
        async peers =>
        {
            await peers.FollowAsync(call.Session, name).ConfigureAwait(false);
            return true;
        },
        CancellationToken.None).ConfigureAwait(false);

    static string? ReadText(ref Utf8JsonReader json, string what, string[] known)
    {
        (string? text, var seen) = (null, 0);
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, what, known, ref seen, out var member))
            text = RequestJson.Text(ref json, known[member]);
        return text;
    }
}
