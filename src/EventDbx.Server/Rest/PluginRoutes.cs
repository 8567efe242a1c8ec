using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Plugins: shown, set up, enabled, disabled, removed, tested, replayed to. The values of their headers are never shown.</summary>
internal static class PluginRoutes
{
    static readonly string[] ReplayMembers = ["aggregate_type", "aggregate_id"];

    public static async Task ListAsync(RestCall call)
    {
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(call.Host.Plugins.List(call.Session), PluginStatusJson.Write).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static async Task PutAsync(RestCall call)
    {
        // A program is started as whoever runs the server: only who has its directory says which one.
        var asked = PluginJson.ReadUpsert(call.Body, allowProcess: call.Http.Features.Get<Arrival>() is { OwnerOnly: true });
        var (plugin, isNew) = await call.Host.Plugins.SetAsync(
            call.Session, Name(call), asked with { Unchecked = call.Query.Truth("check") == false }, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, plugin.Definition, Write, isNew ? StatusCodes.Status201Created : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    public static async Task RemoveAsync(RestCall call)
    {
        await call.Host.Plugins.RemoveAsync(call.Session, Name(call), call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public static async Task EnableAsync(RestCall call)
    {
        DeliveryStart? from = call.Query.Text("from") is { } text ? DeliveryStart.Parse(text) : null;
        var (plugin, changed) = await call.Host.Plugins.EnableAsync(call.Session, Name(call), from, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, (plugin.Definition, changed), PluginStatusJson.WriteChanged).ConfigureAwait(false);
    }

    public static async Task DisableAsync(RestCall call)
    {
        var (plugin, changed) = await call.Host.Plugins.DisableAsync(call.Session, Name(call), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, (plugin.Definition, changed), PluginStatusJson.WriteChanged).ConfigureAwait(false);
    }

    /// <summary>Every enabled plugin, one line each.</summary>
    public static Task TestAllAsync(RestCall call) => TestAsync(call, null);

    /// <summary>One plugin, enabled or not.</summary>
    public static Task TestOneAsync(RestCall call) => TestAsync(call, Name(call));

    static Task TestAsync(RestCall call, string? name)
    {
        (ulong tested, ulong failed) = (0, 0);
        return StepLines.AnswerAsync(
            call,
            cancellation => call.Host.Plugins.TestAsync(call.Session, name, cancellation),
            (output, result) =>
            {
                tested++;
                failed += result.Failure is null ? 0UL : 1;
                PluginStatusJson.WriteTest(output, result);
            },
            output =>
            {
                var members = new JsonMembers(output);
                members.Number("tested"u8, tested);
                members.Number("failed"u8, failed);
                members.End();
            });
    }

    /// <summary>A line for each aggregate that is done, and now and then one between.</summary>
    public static Task ReplayAsync(RestCall call)
    {
        var (type, id) = RequestJson.Read(call.Body, ReadReplay);
        (ulong aggregates, var told) = (0, call.Clock.GetTimestamp());
        return StepLines.AnswerAsync(
            call,
            cancellation => call.Host.Plugins.ReplayAsync(call.Session, Name(call), type, id, cancellation),
            (output, step) =>
            {
                if (step.Done)
                    aggregates++;
                else if (call.Clock.GetElapsedTime(told) < ServerLimits.ProgressInterval)
                    return;
                told = call.Clock.GetTimestamp();
                PluginStatusJson.WriteReplay(output, step);
            },
            output =>
            {
                var members = new JsonMembers(output);
                members.Number("aggregates"u8, aggregates);
                members.End();
            });
    }

    static (string Type, string? Id) ReadReplay(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        (string? type, string? id, var seen) = (null, null, 0);
        RequestJson.BeginObject(ref json, "A request for a replay");
        while (RequestJson.NextMember(ref json, "a request for a replay", ReplayMembers, ref seen, out var member))
        {
            if (member == 0)
                type = RequestJson.Text(ref json, ReplayMembers[member]);
            else
                id = RequestJson.Text(ref json, ReplayMembers[member]);
        }

        return (JsonReading.Required(type, ReplayMembers[0]), id);
    }

    static string Name(RestCall call) => call.Segment(2, "The name in the path");

    static void Write(IBufferWriter<byte> output, PluginDefinition plugin) => PluginJson.Write(output, plugin, secrets: false);
}
