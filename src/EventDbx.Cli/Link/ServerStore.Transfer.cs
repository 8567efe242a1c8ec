using System.Runtime.CompilerServices;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli;

/// <summary>Push and pull, by the server. Whoever stops reading ends it: the connection is closed.</summary>
internal sealed partial class ServerStore
{
    public async IAsyncEnumerable<TransferStep> TransferAsync(TransferRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var push = request.Direction == TransferDirection.Push;
        var lines = server.LinesAsync(
            HttpMethod.Post, push ? "/admin/replication/push" : "/admin/replication/pull", cancellation, Body(output => TransferJson.WriteRequest(output, request)));
        await foreach (var line in lines.ConfigureAwait(false))
        {
            using (line)
            {
                var json = line.RootElement;
                if (json.TryGetProperty("error", out var error))
                    throw ServerConnection.Refused(error);
                if (json.TryGetProperty("result", out var result))
                {
                    yield return TransferJson.ReadReport(result);
                    yield break;
                }

                if (json.TryGetProperty("report", out var report))
                    yield return new TransferCutOff(TransferJson.ReadReport(report));
                else if (TransferJson.ReadProgress(json) is { } progress)
                    yield return progress;
            }
        }

        throw new ServerLostException(
            $"The server went away before the {(push ? "push" : "pull")} ended. What was through is through; run the command again, and it goes on from there.",
            new EndOfStreamException("The answer ends without a result."));
    }
}
