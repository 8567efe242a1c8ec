using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Events of an aggregate, and everything that writes events.</summary>
internal static class EventRoutes
{
    public static async Task ListAsync(RestCall call)
    {
        var query = call.Query;
        var (skip, cursor) = (query.Number("skip"), query.Text("cursor"));
        if (skip is not null && cursor is not null)
            throw new RefusedException(RefusalCode.InvalidArgument, "`skip` and `cursor` both say where the page begins; give one of them.");
        var from = cursor is not null ? Cursors.ReadEvents(cursor) : Math.Min(skip ?? 0, ulong.MaxValue - 1) + 1;
        var take = query.Take(call.Config.PageLimit, call.Config.PageLimit);
        var page = call.Session.GetEvents(call.Aggregate, from, take);
        if (take > 0 && page.NextVersion is { } next)
            call.Http.Response.Headers["X-Next-Cursor"] = Cursors.OfEvents(next);
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(page.Items, RecordJson.WriteRecord).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static Task GetAsync(RestCall call) =>
        Answer.OneAsync(call.Http, call.Session.GetEvent(call.Aggregate, VersionOf(call)), RecordJson.WriteRecord);

    /// <summary>The version that the path names.</summary>
    public static ulong VersionOf(RestCall call) =>
        call.Segment(5, "The version in the path") is var text && WholeNumber.TryRead(text, out var version)
            ? version
            : throw new RefusedException(RefusalCode.InvalidArgument, $"\"{Shown.Of(text)}\" is no version; versions are whole numbers from 1 up.");

    public static async Task AppendAsync(RestCall call)
    {
        var headers = call.Http.Request.Headers;
        var conditions = Preconditions.Of(headers);
        var waits = LogRoutes.Waits(call);
        var draft = WithKey(AppendRequests.ReadOne(call.Body), IdempotencyKey.Find(headers));
        if (conditions.Version is { } version)
        {
            if (draft.ExpectedVersion is { } said && said != version)
                throw new RefusedException(RefusalCode.InvalidArgument, $"The headers expect version {version} and `expected_version` expects {said}; send one of them.");
            draft = draft with { ExpectedVersion = version };
        }

        try
        {
            // No event is ever taken back, so what has events now will have them when this one is committed.
            if (conditions.MustExist && !HasEvents(call.Session, draft.Aggregate))
                throw new RefusedException(new Refusal(RefusalCode.VersionConflict, $"If-Match: * expects that {draft.Aggregate} has events, and it has none.") { ActualVersion = 0 });
            var result = await call.Session.AppendAsync(draft, call.Cancellation).ConfigureAwait(false);
            if (!result.Appended)
                call.Http.Response.Headers["Idempotent-Replayed"] = "true";
            if (waits)
                await LogRoutes.CoverAsync(call, result.Record.Position).ConfigureAwait(false);
            await Answer.OneAsync(call.Http, result.Record, RecordJson.WriteRecord).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (conditions.Any && refused.Refusal.Code == RefusalCode.VersionConflict)
        {
            throw new PreconditionFailedException(refused.Refusal);
        }
    }

    public static async Task AppendBatchAsync(RestCall call)
    {
        var results = await call.Session.AppendBatchAsync(AppendRequests.ReadBatch(call.Body), call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, results).ConfigureAwait(false);
    }

    public static async Task ImportAsync(RestCall call)
    {
        var results = await call.Session.ImportAsync(AppendRequests.ReadRecords(call.Body), call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, results).ConfigureAwait(false);
    }

    public static async Task NoteImportAsync(RestCall call)
    {
        var (lines, appended, known) = AppendRequests.ReadImport(call.Body);
        await call.Session.NoteImportAsync(lines, appended, known, call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    static EventDraft WithKey(EventDraft draft, Guid? key) => key is not { } id ? draft
        : draft.EventId is { } said && said != id
            ? throw new RefusedException(RefusalCode.InvalidArgument, $"{IdempotencyKey.Header} stands for event id {id} and `event_id` is {said}; send one of them.")
            : draft with { EventId = id };

    static bool HasEvents(Session session, AggregateKey aggregate)
    {
        try
        {
            return session.GetEvents(aggregate, 1, 0).NextVersion is not null;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>The answer of a batch.</summary>
    public static async Task ShowAsync(RestCall call, IReadOnlyList<AppendResult> results)
    {
        var minimal = WantsMinimal(call.Http.Request.Headers);
        if (minimal)
            call.Http.Response.Headers["Preference-Applied"] = "return=minimal";
        using var answer = new Answer(call.Http);
        if (minimal)
        {
            answer.Output.Write("{\"count\":"u8);
            RecordJson.WriteNumber(answer.Output, (ulong)results.Count);
        }
        else
        {
            answer.Output.Write("{\"events\":["u8);
            await answer.WriteListAsync(results, static (output, result) => RecordJson.WriteRecord(output, result.Record)).ConfigureAwait(false);
            answer.Output.Write("]"u8);
        }

        answer.Output.Write(",\"known\":["u8);
        var known = Enumerable.Range(0, results.Count).Where(place => !results[place].Appended).ToArray();
        await answer.WriteListAsync(known, static (output, place) => RecordJson.WriteNumber(output, (ulong)place)).ConfigureAwait(false);
        answer.Output.Write("]}"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    /// <summary>RFC 7240: preferences we do not know are ignored, and only these are.</summary>
    static bool WantsMinimal(IHeaderDictionary headers)
    {
        foreach (var line in headers["Prefer"])
        {
            foreach (var part in (line ?? "").Split(','))
            {
                if (part.AsSpan().Trim().Equals("return=minimal", StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }
}
