using Grpc.Core;
using Grpc.Health.V1;
using HealthService = Grpc.Health.V1.Health;

namespace EventDbx.Server.Grpc;

/// <summary><c>grpc.health.v1</c>: serving unless the database is unhealthy, or the server stops. Open to everybody.</summary>
/// <remarks>Source: grpc/health/v1/health.proto.</remarks>
internal sealed class HealthCalls(ServerHost host, TimeProvider clock) : HealthService.HealthBase
{
    int _watching;

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) => IsKnown(request.Service)
        ? Task.FromResult(new HealthCheckResponse { Status = Status })
        : throw GrpcRefusals.Exception(new(RefusalCode.NotFound, $"There is no service {Rest.Shown.Of(request.Service)}; health is known of {string.Join(" and ", GrpcServices.EventServices)}, and of the server under the empty name."));

    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        if (Interlocked.Increment(ref _watching) > ServerLimits.HealthWatchesMax)
        {
            Interlocked.Decrement(ref _watching);
            throw GrpcRefusals.Exception(new(RefusalCode.Overloaded, $"{ServerLimits.HealthWatchesMax} clients watch the health of this server, and no more may. Ask by Check."));
        }

        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, host.Ending);
            HealthCheckResponse.Types.ServingStatus? told = null;
            while (!context.CancellationToken.IsCancellationRequested)
            {
                var status = IsKnown(request.Service) ? Status : HealthCheckResponse.Types.ServingStatus.ServiceUnknown;
                if (status != told)
                    await responseStream.WriteAsync(new() { Status = status }, context.CancellationToken).ConfigureAwait(false);
                told = status;
                if (host.Ending.IsCancellationRequested)
                    throw GrpcRefusals.Exception(new(RefusalCode.Unavailable, "The server is stopping. Watch again in a moment."));
                await Task.Delay(ServerLimits.HealthWatchInterval, clock, ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (Exception gone) when (gone is OperationCanceledException or InvalidOperationException && context.CancellationToken.IsCancellationRequested)
        {
            // Nobody is there to hear it.
        }
        finally
        {
            Interlocked.Decrement(ref _watching);
        }
    }

    HealthCheckResponse.Types.ServingStatus Status => host.Stopping || host.Ending.IsCancellationRequested || host.Unhealthy is not null
        ? HealthCheckResponse.Types.ServingStatus.NotServing
        : HealthCheckResponse.Types.ServingStatus.Serving;

    static bool IsKnown(string service) => service.Length == 0 || GrpcServices.EventServices.Contains(service);
}
