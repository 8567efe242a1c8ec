using System.Buffers;

namespace EventDbx.Server.Rest;

/// <summary>What the server says about itself.</summary>
internal static class ServerRoutes
{
    public static Task HealthAsync(RestCall call) => Answer.OneAsync(call.Http, "ok", WriteStatus);

    public static Task ReadyAsync(RestCall call)
    {
        if (call.Host.Stopping)
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping.");
        if (call.Host.Database.Unhealthy is { } trouble)
            throw new RefusedException(RefusalCode.Unavailable, trouble);
        return Answer.OneAsync(call.Http, "ready", WriteStatus);
    }

    public static Task StatusAsync(RestCall call) => Answer.OneAsync(call.Http, call.Host.Status(), static (output, status) => status.Write(output));

    static void WriteStatus(IBufferWriter<byte> output, string status)
    {
        output.Write("{\"status\":"u8);
        RecordJson.WriteText(output, status);
        output.Write("}"u8);
    }
}
