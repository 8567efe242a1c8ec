using System.Net.Security;
using EventDbx.Protocol;
using EventDbx.Server.Grpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>A stock client with a token, over HTTP/2 without TLS unless told otherwise.</summary>
internal sealed class GrpcClient : IDisposable
{
    readonly GrpcChannel _channel;

    /// <param name="port">Of 127.0.0.1.</param>
    /// <param name="token">Null: none.</param>
    /// <param name="trust">Whether a certificate is to be trusted; null: without TLS.</param>
    public GrpcClient(int port, string? token, RemoteCertificateValidationCallback? trust = null)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        if (trust is not null)
            handler.SslOptions = new() { RemoteCertificateValidationCallback = trust };
        _channel = GrpcChannel.ForAddress($"{(trust is null ? "http" : "https")}://127.0.0.1:{port}", new() { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null, MaxSendMessageSize = null });
        Headers = token is null ? [] : new() { { "authorization", $"Bearer {token}" } };
        Events = new(_channel);
        Alias = new(_channel);
    }

    public Metadata Headers { get; }

    public CallInvoker Invoker => _channel.CreateCallInvoker();

    public GrpcChannel Channel => _channel;

    public EventService.EventServiceClient Events { get; }

    public Protocol.Alias.EventService.EventServiceClient Alias { get; }

    public static GrpcClient Of(Rest.RestServer server, string? token = null) => new(server.Host.Port, token ?? server.Root, server.Host.Status().Tls is null ? null : server.IsOurs);

    public async Task<AppendEventResponse> AppendAsync(AppendEventRequest request, DateTime? deadline = null) =>
        await Events.AppendEventAsync(request, Headers, deadline, TestContext.Current.CancellationToken);

    public static AppendEventRequest Append(string id, string payload, Guid? eventId = null)
    {
        var request = new AppendEventRequest { AggregateType = "t", AggregateId = id, EventType = "e", PayloadJson = payload };
        if (eventId is { } chosen)
            request.EventId = chosen.ToString();
        return request;
    }

    public void Dispose() => _channel.Dispose();
}

/// <summary>How a call ended, with its details.</summary>
internal sealed record GrpcRefusal(StatusCode Status, string Code, string Message, bool Retryable)
{
    public required Google.Rpc.ErrorInfo Info { get; init; }

    public Google.Rpc.BadRequest? BadRequest { get; init; }

    public Google.Rpc.RetryInfo? RetryInfo { get; init; }

    public static async Task<GrpcRefusal> OfAsync(Func<Task> call) => Of(await Assert.ThrowsAsync<RpcException>(call));

    public static Task<GrpcRefusal> OfAsync<T>(AsyncUnaryCall<T> call) => OfAsync(async () => _ = await call);

    /// <summary>Every refusal has details, and they agree with the status.</summary>
    public static GrpcRefusal Of(RpcException thrown)
    {
        var bytes = thrown.Trailers.GetValueBytes(GrpcRefusals.DetailsTrailer);
        Assert.True(bytes is not null, thrown.ToString());
        var status = Google.Rpc.Status.Parser.ParseFrom(bytes);
        Assert.Equal((int)thrown.StatusCode, status.Code);
        Assert.Equal(thrown.Status.Detail, status.Message);
        var info = status.Details.Single(detail => detail.Is(Google.Rpc.ErrorInfo.Descriptor)).Unpack<Google.Rpc.ErrorInfo>();
        Assert.Equal("eventdbx", info.Domain);
        Assert.NotNull(Refusal.CodeOf(info.Reason));
        var retry = status.Details.SingleOrDefault(detail => detail.Is(Google.Rpc.RetryInfo.Descriptor))?.Unpack<Google.Rpc.RetryInfo>();
        Assert.Equal(info.Metadata["retryable"], retry is null ? "false" : "true");
        return new(thrown.StatusCode, info.Reason, status.Message, retry is not null)
        {
            Info = info, RetryInfo = retry,
            BadRequest = status.Details.SingleOrDefault(detail => detail.Is(Google.Rpc.BadRequest.Descriptor))?.Unpack<Google.Rpc.BadRequest>(),
        };
    }
}
