using System.Buffers;
using EventDbx.Reading;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>States, lists, and the life of an aggregate.</summary>
internal static class AggregateRoutes
{
    public static async Task ListAsync(RestCall call)
    {
        var query = call.Query;
        var (fields, typed) = Shape(query);
        var skip = query.Number("skip");
        var cursor = query.Text("cursor");
        if (skip is not null && cursor is not null)
            throw new RefusedException(RefusalCode.InvalidArgument, "`skip` and `cursor` both say where the page begins; give one of them.");
        var filter = new AggregateFilter { Type = query.Text("type"), IdPrefix = query.Text("id_prefix"), Archived = query.Truth("archived") };
        var page = call.Session.GetAggregates(
            filter, cursor is null ? null : Cursors.ReadAggregates(cursor), (long)Math.Min(skip ?? 0, long.MaxValue),
            query.Take(call.Config.ListPageSize, call.Config.PageLimit), withState: true, query.Time("at"), call.Http.RequestAborted);
        if (page.Next is { } next)
            call.Http.Response.Headers["X-Next-Cursor"] = Cursors.OfAggregates(next);
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(page.Items, (output, item) => RecordJson.WriteState(output, item, typed, fields)).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static Task GetAsync(RestCall call)
    {
        var query = call.Query;
        var (fields, typed) = Shape(query);
        var (version, at) = (query.Number("version"), query.Time("at"));
        if (version is not null && at is not null)
            throw new RefusedException(RefusalCode.InvalidArgument, "`version` and `at` both say when; give one of them.");
        var aggregate = call.Aggregate;
        var state = version is { } number ? call.Session.GetAggregate(aggregate, number)
            : at is { } time ? call.Session.GetAggregate(aggregate, time)
            : call.Session.GetAggregate(aggregate);
        var tag = EntityTag.Of(state);
        call.Http.Response.Headers.ETag = tag;
        if (EntityTag.IsAmong(call.Http.Request.Headers.IfNoneMatch, tag))
        {
            call.Http.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        return Answer.OneAsync(call.Http, state, (output, item) => RecordJson.WriteState(output, item, typed, fields));
    }

    public static async Task CreateAsync(RestCall call)
    {
        var comment = AppendRequests.ReadComment(call.Body);
        var state = await call.Session.CreateAsync(call.Aggregate, comment, call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, state, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    public static async Task RemoveAsync(RestCall call)
    {
        await call.Session.RemoveAsync(call.Aggregate, call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public static async Task ArchiveAsync(RestCall call)
    {
        var comment = AppendRequests.ReadComment(call.Body);
        var state = await call.Session.ArchiveAsync(call.Aggregate, comment, call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, state, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    public static async Task RestoreAsync(RestCall call)
    {
        var comment = AppendRequests.ReadComment(call.Body);
        var state = await call.Session.RestoreAsync(call.Aggregate, comment, call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, state, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    static Task ShowAsync(RestCall call, AggregateState state, int status)
    {
        call.Http.Response.Headers.ETag = EntityTag.Of(state);
        return Answer.OneAsync(call.Http, state, static (output, item) => RecordJson.WriteState(output, item), status);
    }

    /// <summary>How states are shown: <c>fields</c> and <c>typed</c>.</summary>
    public static (FieldSelection? Fields, bool Typed) Shape(QueryParameters query)
    {
        FieldSelection? fields = null;
        if (query.Text("fields") is { } text && !FieldSelection.TryParse(text, out fields, out var refusal))
            throw new RefusedException(refusal with { Message = $"`fields`: {refusal.Message}" });
        return (fields, query.Truth("typed") ?? false);
    }
}
