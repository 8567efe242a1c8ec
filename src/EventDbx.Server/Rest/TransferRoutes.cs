using System.Buffers;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Rest;

/// <summary>Push and pull: lines of progress, then what was done. Who closes the connection ends it between two batches.</summary>
internal static class TransferRoutes
{
    public static Task PushAsync(RestCall call) => RunAsync(call, TransferDirection.Push);

    public static Task PullAsync(RestCall call) => RunAsync(call, TransferDirection.Pull);

    static Task RunAsync(RestCall call, TransferDirection direction)
    {
        var request = TransferJson.ReadRequest(direction, call.Body);
        (TransferReport? report, long? told) = (null, null);
        return StepLines.AnswerAsync(
            call,
            cancellation => call.Host.Transfers.RunAsync(call.Session, request, cancellation),
            (output, step) =>
            {
                switch (step)
                {
                    case TransferReport whole:
                        report = whole;
                        break;
                    case TransferCutOff cut:
                        output.Write("{\"report\":"u8);
                        TransferJson.Write(output, cut.Done);
                        output.Write("}"u8);
                        break;
                    // What was done is told at once: who is cut off, or interrupts it, hears nothing more.
                    case TransferProgress progress when progress.SoFar is not null || told is null || call.Clock.GetElapsedTime(told.Value) >= ServerLimits.ProgressInterval:
                        told = call.Clock.GetTimestamp();
                        TransferJson.Write(output, progress);
                        break;
                }
            },
            output => TransferJson.Write(output, report!));
    }
}
