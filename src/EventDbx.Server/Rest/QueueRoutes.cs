using System.Text.Json;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Rest;

/// <summary>What plugins have not taken: shown, tried again, cleared.</summary>
internal static class QueueRoutes
{
    static readonly string[] RetryMembers = ["plugin", "event_id"];
    static readonly string[] ClearMembers = ["plugin"];

    public static Task ReadAsync(RestCall call) => Answer.OneAsync(
        call.Http, call.Host.Plugins.GetQueue(call.Session, call.Query.Text("plugin"), call.Query.Take(call.Config.PageLimit, call.Config.PageLimit)), QueueJson.Write);

    public static Task RetryAsync(RestCall call)
    {
        var (plugin, eventId) = call.Body.IsEmpty ? default : RequestJson.Read(call.Body, static (ref json, _) => ReadChoice(ref json, "a request for a retry", RetryMembers));
        (ulong succeeded, ulong failed) = (0, 0);
        return StepLines.AnswerAsync(
            call,
            cancellation => call.Host.Plugins.RetryAsync(call.Session, plugin, eventId, cancellation),
            (output, result) =>
            {
                succeeded += result.Failure is null ? 1UL : 0;
                failed += result.Failure is null ? 0UL : 1;
                QueueJson.WriteRetry(output, result);
            },
            output =>
            {
                var members = new JsonMembers(output);
                members.Number("succeeded"u8, succeeded);
                members.Number("failed"u8, failed);
                members.Number("remaining"u8, (ulong)call.Host.Plugins.GetQueue(call.Session, plugin, 0).Counts.Dead);
                members.End();
            });
    }

    public static async Task ClearAsync(RestCall call)
    {
        var (plugin, _) = call.Body.IsEmpty ? default : RequestJson.Read(call.Body, static (ref json, _) => ReadChoice(ref json, "a request to clear", ClearMembers));
        var cleared = await call.Host.Plugins.ClearAsync(call.Session, plugin, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, cleared, static (output, count) =>
        {
            var members = new JsonMembers(output);
            members.Number("cleared"u8, (ulong)count);
            members.End();
        }).ConfigureAwait(false);
    }

    static (string? Plugin, Guid? EventId) ReadChoice(ref Utf8JsonReader json, string what, string[] known)
    {
        (string? plugin, string? id, var seen) = (null, null, 0);
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, what, known, ref seen, out var member))
        {
            if (member == 0)
                plugin = RequestJson.Text(ref json, known[member]);
            else
                id = RequestJson.Text(ref json, known[member]);
        }

        return (plugin, id is null ? null : EventIds.TryParse(id, out var parsed, out var refusal) ? parsed : throw new RefusedException(refusal));
    }
}
