using System.Buffers;
using EventDbx.Protocol.Replication;
using EventDbx.Reading;
using EventDbx.Server.Tests.Rest;
using Google.Protobuf;
using Grpc.Core;
using Client = EventDbx.Protocol.Replication.Replication.ReplicationClient;
using Event = EventDbx.Events.EventRecord;
using Wire = EventDbx.Protocol.Replication.EventRecord;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Events of another server, taken up over gRPC.</summary>
public sealed class ReplicationTests : IAsyncLifetime
{
    readonly RestServer _source = new();
    readonly RestServer _target = new();
    GrpcClient _client = null!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _source.InitializeAsync();
        await _target.InitializeAsync();
        _client = GrpcClient.Of(_target, await _target.TokenForAsync("records.import"));
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    Client Peer => new(_client.Channel);

    [Fact]
    public async Task Events_keep_all_that_identifies_them_and_what_is_sent_twice_is_there_once()
    {
        var events = await FillAsync(12);
        var batches = events.Chunk(5).Select(chunk => Batch(chunk)).ToList();

        var first = await ApplyAsync(batches);
        Assert.Equal((events[^1].Version, 12UL, 0UL, 0UL), (first.AppliedSequence, first.Appended, first.Known, first.Rehashed));
        var again = await ApplyAsync(batches);
        Assert.Equal((events[^1].Version, 0UL, 12UL, 0UL), (again.AppliedSequence, again.Appended, again.Known, again.Rehashed));
        // What was cut off in the middle: some known, some new.
        var more = await FillAsync(3);
        var rest = await ApplyAsync([Batch([.. events.TakeLast(2), .. more])]);
        Assert.Equal((3UL, 2UL), (rest.Appended, rest.Known));

        var arrived = Feed(_target);
        Assert.Equal(Feed(_source).Select(Identity), arrived.Select(Identity));
        Assert.All(arrived, record => Assert.Equal(new Actor("team", "jane"), record.Actor));
        _target.Owner.VerifyAll(null, Cancellation);
    }

    [Fact]
    public async Task Events_without_salts_keep_all_but_their_hashes_and_the_answer_says_so()
    {
        var events = await FillAsync(4);
        var batch = Batch(events);
        foreach (var record in batch.Events)
        {
            // As a peer sends it that hashes in another way.
            record.Position = 0;
            record.Metadata = ByteString.CopyFromUtf8(System.Text.RegularExpressions.Regex.Replace(record.Metadata.ToStringUtf8(), ",\"salt\":\"[^\"]*\"", ""));
            record.Hash = new string('0', 64);
            record.MerkleRoot = "";
        }

        var ack = await ApplyAsync([batch]);

        Assert.Equal((4UL, 4UL), (ack.Appended, ack.Rehashed));
        var arrived = Feed(_target);
        Assert.Equal(events.Select(Content), arrived.Select(Content));
        Assert.All(events.Zip(arrived), pair => Assert.NotEqual(pair.First.Hash, pair.Second.Hash));
        Assert.Equal((0UL, 4UL), ((await ApplyAsync([batch])).Appended, (ulong)Feed(_target).Count));
    }

    [Fact]
    public async Task A_batch_that_is_refused_leaves_nothing_and_those_before_it_stay()
    {
        var events = await FillAsync(6);
        var good = Batch(events[..3]);
        foreach (var (change, status, code, what) in ((Action<EventBatch>, StatusCode, string, string)[])
        [
            (batch => batch.Events[1].Payload = ByteString.CopyFromUtf8("{\"n\":99}"), StatusCode.DataLoss, "integrity_violation", "hash"),
            (batch => batch.Events[2].MerkleRoot = new string('a', 64), StatusCode.DataLoss, "integrity_violation", "merkle_root"),
            (batch => batch.Events[1].Metadata = ByteString.CopyFromUtf8(batch.Events[1].Metadata.ToStringUtf8().Replace("\"salt\":\"", "\"salt\":\"A", StringComparison.Ordinal)), StatusCode.InvalidArgument, "invalid_argument", "16 bytes"),
            (batch => batch.Events.RemoveAt(0), StatusCode.Aborted, "version_conflict", "version"),
            (batch => batch.Events[0].Version = 0, StatusCode.InvalidArgument, "invalid_argument", "version 0"),
            (batch => batch.Events[2].Metadata = ByteString.CopyFromUtf8("{\"created_at\":\"2026-01-01T00:00:00Z\"}"), StatusCode.InvalidArgument, "invalid_argument", "event_id"),
            (batch => batch.Events[2].Metadata = ByteString.CopyFromUtf8("[]"), StatusCode.InvalidArgument, "invalid_payload", "metadata"),
            (batch => batch.Events[2].Metadata = ByteString.Empty, StatusCode.InvalidArgument, "invalid_argument", "metadata"),
            (batch => batch.Events[2].Metadata = ByteString.CopyFromUtf8("{\"event_id\":\"\uFFFD"), StatusCode.InvalidArgument, "invalid_argument", "metadata"),
            (batch => batch.Events[2].Payload = ByteString.CopyFromUtf8("{\"n\":1,\"n\":2}"), StatusCode.InvalidArgument, "invalid_payload", "n"),
            (batch => batch.Events[2].AggregateId = "", StatusCode.InvalidArgument, "invalid_name", "aggregate_id"),
            (batch => batch.Events[2].Hash = "ABC", StatusCode.InvalidArgument, "invalid_argument", "hash"),
            (batch => batch.Events[2].MergeFrom(new byte[] { 0xf8, 0x3f, 1 }), StatusCode.InvalidArgument, "unknown_member", "fields"),
            (batch =>
            {
                while (batch.Events.Count <= Limits.BatchEventsMax)
                    batch.Events.Add(batch.Events[0]);
            }, StatusCode.InvalidArgument, "limit_exceeded", "1001"),
        ])
        {
            var bad = Batch(events[3..]);
            change(bad);
            var refused = await GrpcRefusal.OfAsync(async () => _ = await ApplyAsync([good, bad]));
            Assert.Equal((status, code), (refused.Status, refused.Code));
            Assert.Contains(what, refused.Message, StringComparison.Ordinal);
            Assert.Equal(events[..3].Select(Identity), Feed(_target).Select(Identity));
        }

        // One id, another content.
        var other = Batch(events[..1]);
        other.Events[0].EventType = "another";
        Assert.Equal("idempotency_conflict", (await GrpcRefusal.OfAsync(async () => _ = await ApplyAsync([other]))).Code);
        Assert.Equal(3UL, (await ApplyAsync([Batch(events[3..])])).Appended);
    }

    [Fact]
    public async Task A_token_takes_up_events_of_its_own_aggregates_alone()
    {
        var events = await FillAsync(4);
        using var client = GrpcClient.Of(_target, await _target.TokenForAsync("records.import", "aggregate:t:a0"));
        var mine = events.Where(record => record.Aggregate.Id == "a0").ToArray();

        Assert.Equal((ulong)mine.Length, (await ApplyAsync(new(client.Channel), client.Headers, [Batch(mine)])).Appended);
        var refused = await GrpcRefusal.OfAsync(async () => _ = await ApplyAsync(new(client.Channel), client.Headers, [Batch(events)]));

        Assert.Equal(StatusCode.PermissionDenied, refused.Status);
        Assert.Equal(mine.Select(Identity), Feed(_target).Select(Identity));
        // How much there is, is told to who may import everywhere.
        var answer = await new Client(client.Channel).HeartbeatAsync(new(), client.Headers, cancellationToken: Cancellation);
        Assert.Equal((0UL, 0UL), (answer.AppliedSequence, answer.PendingEvents));
        Assert.Equal(_target.Host.Database.LogSize, (await Peer.HeartbeatAsync(new() { RemoteName = "east" }, _client.Headers, cancellationToken: Cancellation)).AppliedSequence);
    }

    [Fact]
    public async Task A_stream_ends_with_its_token_and_keeps_no_server_from_stopping()
    {
        var events = await FillAsync(2);
        var token = await _target.TokenForAsync("records.import");
        using var client = GrpcClient.Of(_target, token);
        using var call = new Client(client.Channel).ApplyEvents(client.Headers, cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(Batch(events), Cancellation);
        await ArrivedAsync(events.Length);
        await _target.Host.Tokens.RevokeAsync(_target.Owner, token, "left", Cancellation);
        var ended = await GrpcRefusal.OfAsync(async () => _ = await call.ResponseAsync.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation));
        Assert.Equal(StatusCode.Unauthenticated, ended.Status);

        using var other = Peer.ApplyEvents(_client.Headers, cancellationToken: Cancellation);
        await other.RequestStream.WriteAsync(Batch(await FillAsync(1)), Cancellation);
        await ArrivedAsync(events.Length + 1);
        var stopping = _target.Host.StopAsync(TimeSpan.FromMinutes(2));
        var stopped = await Assert.ThrowsAsync<RpcException>(async () => _ = await other.ResponseAsync.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation));
        Assert.Equal(StatusCode.Unavailable, stopped.StatusCode);
        await stopping.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation);
    }

    async Task ArrivedAsync(int events)
    {
        while (Feed(_target).Count < events)
            await _target.Host.Database.OpenSession().WaitForFeedAsync(_target.Host.Database.LogSize, Cancellation);
    }

    Task<ReplicationAck> ApplyAsync(IEnumerable<EventBatch> batches) => ApplyAsync(Peer, _client.Headers, batches);

    static async Task<ReplicationAck> ApplyAsync(Client peer, Metadata headers, IEnumerable<EventBatch> batches)
    {
        using var call = peer.ApplyEvents(headers, cancellationToken: Cancellation);
        try
        {
            foreach (var batch in batches)
                await call.RequestStream.WriteAsync(batch, Cancellation);
            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException)
        {
            // Refused before all was sent: the answer says why.
        }

        return await call;
    }

    /// <summary>Events of two aggregates, by turns, some with notes.</summary>
    async Task<Event[]> FillAsync(int count)
    {
        var session = _source.Host.Database.OpenSession(new Actor("team", "jane"));
        var before = Feed(_source).Count;
        for (var i = before; i < before + count; i++)
        {
            await session.AppendAsync(
                new()
                {
                    Aggregate = AggregateKey.Create("t", $"a{i % 2}"), EventType = "é", Payload = System.Text.Encoding.UTF8.GetBytes($$"""{"n":{{i}}.50}"""), Note = i % 3 == 0 ? "née" : null,
                },
                Cancellation);
        }

        return [.. Feed(_source).Skip(before)];
    }

    static List<Event> Feed(RestServer server) =>
        [.. server.Owner.ReadFeed(0, 1000, new FeedFilter { WithSalts = true }).Items.Select(item => item.Event).OfType<Event>()];

    static EventBatch Batch(IReadOnlyList<Event> events) => new() { Events = { events.Select(ToWire) }, Sequence = events[^1].Version };

    static Wire ToWire(Event record)
    {
        var metadata = new ArrayBufferWriter<byte>();
        RecordJson.WriteMetadata(metadata, record, withSalt: true);
        return new()
        {
            AggregateType = record.Aggregate.Type, AggregateId = record.Aggregate.Id, EventType = record.EventType, Version = record.Version,
            Payload = ByteString.CopyFrom(record.Payload.Span), Metadata = ByteString.CopyFrom(metadata.WrittenSpan), Hash = record.Hash.ToString(), MerkleRoot = record.MerkleRoot.ToString(),
            Position = record.Position,
        };
    }

    static string Content(Event record) =>
        $"{record.Aggregate} {record.Version} {record.EventType} {record.EventId} {record.CreatedAt} {record.Actor} {record.Note} {System.Text.Encoding.UTF8.GetString(record.Payload.Span)}";

    static string Identity(Event record) => $"{Content(record)} {record.Hash} {record.MerkleRoot}";
}
