using System.Buffers;
using EventDbx.Server.Grpc;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Client = EventDbx.Protocol.Replication.Replication.ReplicationClient;
using Connection = Grpc.Net.Client.GrpcChannel;
using EventBatch = EventDbx.Protocol.Replication.EventBatch;
using Wire = EventDbx.Protocol.Replication.EventRecord;

namespace EventDbx.Server.Plugins;

/// <summary>Events as <c>eventdbx.replication.Replication/ApplyEvents</c>, over one kept connection: each batch a stream of its own, taken when it is acknowledged.</summary>
/// <remarks>
/// One batch after the other, in the order of the log, so that a receiver that keeps it gets a copy. A batch that is refused is refused as a whole: which event it was for, the courier finds out. Taken is what was acknowledged, and no more.
/// The salts of the events are sent along: a receiver can hold the hashes against them. The contract is src/EventDbx.Protocol/proto/eventdbx/replication/replication.proto.
/// </remarks>
internal sealed class GrpcChannel : IPluginChannel
{
    /// <summary>Metadata that belongs to the protocol, whatever older documents have.</summary>
    static readonly string[] Reserved = ["te", "content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent"];

    readonly PluginSurroundings _surroundings;
    readonly Connection _channel;
    readonly Client _client;
    readonly Metadata _headers = [];
    readonly SecretMask _mask;

    /// <exception cref="RefusedException">The endpoint has another scheme, or names an address that is blocked.</exception>
    public GrpcChannel(PluginDefinition plugin, PluginSurroundings surroundings)
    {
        _surroundings = surroundings;
        _mask = SecretMask.Of(plugin.Config);
        var address = plugin.Config.Uri ?? throw new RefusedException(
            RefusalCode.InvalidArgument, $"unsupported replication endpoint scheme: {Rest.Shown.Of(plugin.Config.Endpoint)}; an endpoint is grpc://HOST:PORT, grpcs://, http:// or https://.");
        AddressRules.Of(surroundings).Check(address.IdnHost);
        foreach (var (name, value) in plugin.Config.Headers)
        {
            var key = name.ToLowerInvariant();
            if (!key.StartsWith("grpc-", StringComparison.Ordinal) && !key.EndsWith("-bin", StringComparison.Ordinal) && !Reserved.Contains(key))
                _headers.Add(key, value);
        }

        var handler = surroundings.NewHandler();
        // A connection that is dead without a word is found while nothing is sent as well.
        handler.KeepAlivePingDelay = ServerLimits.GrpcPluginPingAfter;
        handler.KeepAlivePingTimeout = ServerLimits.PluginReachedWithin;
        _channel = Connection.ForAddress(address.GetLeftPart(UriPartial.Authority), new()
        {
            HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = ServerLimits.PluginAnswerBytesMax, MaxSendMessageSize = null,
            // What is sent again, and when, is the courier's business.
            MaxRetryAttempts = null,
        });
        _client = new(_channel);
    }

    public int BatchMax => ServerLimits.PluginBatchMax;

    public int Concurrency => 1;

    public ulong? Unsettled => null;

    public async Task CheckAsync(CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.PluginReachedWithin, _surroundings.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            await _client.HeartbeatAsync(new(), _headers, cancellationToken: either.Token).ConfigureAwait(false);
        }
        catch (RpcException answered) when (answered.StatusCode == StatusCode.Unimplemented)
        {
            // Who takes events need not answer this; that there is somebody was the question.
        }
        catch (RpcException failed)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new PluginDownException(ReasonOf(failed, late.IsCancellationRequested ? ServerLimits.PluginReachedWithin : null), failed);
        }
    }

    public async Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        var taken = 0;
        while (taken < events.Count)
        {
            var batch = NextBatch(events, taken);
            if (await SendAsync(batch, cancellation).ConfigureAwait(false) is { } failure)
                return new(taken, failure) { Together = batch.Events.Count };
            taken += batch.Events.Count;
        }

        return new(taken, null);
    }

    public Task SettleAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>As many as fit; one always does. Its sequence is the version of its last event: of one event that is what the published sender gives.</summary>
    static EventBatch NextBatch(IReadOnlyList<Delivery> events, int from)
    {
        var batch = new EventBatch();
        var bytes = 0;
        for (var i = from; i < events.Count && batch.Events.Count < ServerLimits.PluginBatchMax; i++)
        {
            var record = ToWire(events[i].Record);
            bytes += record.CalculateSize();
            if (batch.Events.Count > 0 && bytes > ServerLimits.GrpcPluginBatchBytes)
                break;
            batch.Events.Add(record);
            batch.Sequence = record.Version;
        }

        return batch;
    }

    static Wire ToWire(EventRecord record)
    {
        var metadata = new ArrayBufferWriter<byte>(256);
        RecordJson.WriteMetadata(metadata, record, withSalt: true);
        return new()
        {
            AggregateType = record.Aggregate.Type, AggregateId = record.Aggregate.Id, EventType = record.EventType, Version = record.Version,
            MerkleRoot = record.MerkleRoot.ToString(), Hash = record.Hash.ToString(), Position = record.Position,
            Payload = UnsafeByteOperations.UnsafeWrap(record.Payload), Metadata = UnsafeByteOperations.UnsafeWrap(metadata.WrittenMemory),
        };
    }

    /// <summary>Null: it was taken.</summary>
    async Task<DeliveryFailure?> SendAsync(EventBatch batch, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.GrpcPluginAnswerWithin, _surroundings.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            using var call = _client.ApplyEvents(_headers, cancellationToken: either.Token);
            try
            {
                await call.RequestStream.WriteAsync(batch, either.Token).ConfigureAwait(false);
                await call.RequestStream.CompleteAsync().ConfigureAwait(false);
            }
            catch (Exception ended) when (ended is RpcException or InvalidOperationException or IOException)
            {
                // It ended before it had all of it: why, the answer says.
            }

            var ack = await call.ResponseAsync.ConfigureAwait(false);
            return ack.AppliedSequence == batch.Sequence ? null : new(
                IsRefusal: false, FormattableString.Invariant($"grpc plugin acknowledged sequence {ack.AppliedSequence} where {batch.Sequence} was sent"));
        }
        catch (RpcException failed)
        {
            cancellation.ThrowIfCancellationRequested();
            if (late.IsCancellationRequested)
                return new(IsRefusal: false, ReasonOf(failed, ServerLimits.GrpcPluginAnswerWithin));
            var refusal = IsRefusal(failed.StatusCode);
            return new(refusal, ReasonOf(failed, waited: null), refusal ? null : RetryAfter(failed));
        }
    }

    /// <summary>Whether a status speaks of the event. The others speak of the plugin, of the way to it, or of a defect of ours.</summary>
    static bool IsRefusal(StatusCode status) => status is StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.AlreadyExists or StatusCode.OutOfRange
        or StatusCode.Aborted or StatusCode.PermissionDenied or StatusCode.NotFound or StatusCode.DataLoss;

    string ReasonOf(RpcException failed, TimeSpan? waited)
    {
        if (waited is { } time)
            return FormattableString.Invariant($"no answer within {time.TotalSeconds:0} s");
        for (Exception? at = failed.Status.DebugException; at is not null; at = at.InnerException)
        {
            if (at is PluginDownException down)
                return down.Message;
        }

        // Where nobody answered, the innermost words say more than those around them.
        var said = failed.Status.DebugException is { } cause ? cause.GetBaseException().Message : failed.Status.Detail;
        return _mask.Told($"grpc plugin failed ({GrpcSurface.NameOf(failed.StatusCode)}): {said}");
    }

    /// <summary>When the other end asks to be asked again: google.rpc.RetryInfo among the details of its status.</summary>
    static TimeSpan? RetryAfter(RpcException failed)
    {
        try
        {
            if (failed.Trailers.GetValueBytes(GrpcRefusals.DetailsTrailer) is not { } details)
                return null;
            foreach (var detail in Google.Rpc.Status.Parser.ParseFrom(details).Details)
            {
                if (!detail.TryUnpack(out RetryInfo info) || info.RetryDelay is not { } delay)
                    continue;
                var seconds = Math.Clamp(delay.Seconds + (delay.Nanos / 1e9), 0, ServerLimits.PluginRetryAfterMax.TotalSeconds);
                return TimeSpan.FromSeconds(seconds);
            }
        }
        catch (Exception malformed) when (malformed is InvalidProtocolBufferException or FormatException)
        {
            // Whoever says it so that nobody can read it has said nothing.
        }

        return null;
    }
}
