using System.Buffers;
using EventDbx.Server.Admin;
using EventDbx.Server.Plugins;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Plugins: shown, set up, enabled, disabled, removed. The values of their headers are never shown.</summary>
internal static class PluginRoutes
{
    public static async Task ListAsync(RestCall call)
    {
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(call.Host.Admin.Plugins.List(), Write).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static async Task PutAsync(RestCall call)
    {
        var (plugin, isNew) = await call.Host.Admin.Plugins.SetAsync(call.Session, Name(call), PluginJson.ReadUpsert(call.Body, allowProcess: false), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, plugin, Write, isNew ? StatusCodes.Status201Created : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    public static async Task RemoveAsync(RestCall call)
    {
        await call.Host.Admin.Plugins.RemoveAsync(call.Session, Name(call), call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public static Task EnableAsync(RestCall call) => EnableAsync(call, enabled: true);

    public static Task DisableAsync(RestCall call) => EnableAsync(call, enabled: false);

    static async Task EnableAsync(RestCall call, bool enabled)
    {
        var plugin = await call.Host.Admin.Plugins.EnableAsync(call.Session, Name(call), enabled, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, plugin, Write).ConfigureAwait(false);
    }

    static string Name(RestCall call) => call.Segment(2, "The name in the path");

    static void Write(IBufferWriter<byte> output, PluginDefinition plugin) => PluginJson.Write(output, plugin, secrets: false);
}
