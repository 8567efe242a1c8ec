using System.Buffers;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Rest;

/// <summary>What the server says about itself.</summary>
internal static class ServerRoutes
{
    public static Task HealthAsync(RestCall call) => Answer.OneAsync(call.Http, "ok", WriteStatus);

    public static Task ReadyAsync(RestCall call)
    {
        if (call.Host.Stopping)
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping.");
        // Anybody may ask; what exactly is wrong stands in the log, and in what the owner is told.
        if (call.Host.Unhealthy is not null)
            throw new RefusedException(new Refusal(RefusalCode.Unavailable, "The server is not well: writes may be refused, or a mirror follows no more. Its log says why.") { Final = true });
        return Answer.OneAsync(call.Http, "ready", WriteStatus);
    }

    public static Task StatusAsync(RestCall call) => Answer.OneAsync(call.Http, call.Host.Status(), static (output, status) => status.Write(output));

    /// <summary>The settings in force, secrets left out, whoever asks.</summary>
    public static Task ConfigAsync(RestCall call) =>
        Answer.OneAsync(call.Http, call.Host.Admin.Settings.Read(), static (output, config) => ConfigJson.Write(output, config, secrets: false));

    static void WriteStatus(IBufferWriter<byte> output, string status)
    {
        output.Write("{\"status\":"u8);
        RecordJson.WriteText(output, status);
        output.Write("}"u8);
    }
}
