using System.Buffers;
using EventDbx.Schemas;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Schemas: shown, declared, changed, and tried on an event.</summary>
internal static class SchemaRoutes
{
    public static async Task ListAsync(RestCall call)
    {
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(
            [.. call.Session.GetSchemas().All], static (output, schema) => SchemaJson.Write(output, schema)).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static async Task CreateAsync(RestCall call)
    {
        var (aggregate, events, threshold) = SchemaRequests.ReadCreate(call.Body);
        var edit = SchemaEdit.Create(events, threshold ?? (ulong?)call.Config.SnapshotThreshold);
        var schema = await call.Session.ChangeSchemaAsync(aggregate, [edit], call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, schema!, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    public static Task GetAsync(RestCall call) => ShowAsync(call, call.Session.GetSchemas().Get(Type(call)));

    public static async Task ChangeAsync(RestCall call)
    {
        var schema = await call.Session.ChangeSchemaAsync(Type(call), SchemaEditJson.Read(call.Body.Span), call.Cancellation).ConfigureAwait(false);
        if (schema is not null)
            await ShowAsync(call, schema).ConfigureAwait(false);
        else
            call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public static async Task RemoveEventAsync(RestCall call)
    {
        var edit = SchemaEdit.RemoveEvent(call.Segment(4, "The event type in the path"));
        var schema = await call.Session.ChangeSchemaAsync(Type(call), [edit], call.Cancellation).ConfigureAwait(false);
        await ShowAsync(call, schema!).ConfigureAwait(false);
    }

    public static Task ValidateAsync(RestCall call)
    {
        var (eventType, payload) = SchemaRequests.ReadValidate(call.Body);
        return call.Session.ValidateAgainstSchema(Type(call), eventType, payload) is { } refusal
            ? throw new RefusedException(refusal)
            : Answer.OneAsync(call.Http, true, static (output, _) => output.Write("{\"valid\":true}"u8));
    }

    static string Type(RestCall call) => call.Segment(2, "The aggregate type in the path");

    static Task ShowAsync(RestCall call, AggregateSchema schema, int status = StatusCodes.Status200OK) =>
        Answer.OneAsync(call.Http, schema, static (output, shown) => SchemaJson.Write(output, shown), status);
}
