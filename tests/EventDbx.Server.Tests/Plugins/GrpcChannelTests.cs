using System.Collections.Immutable;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tests.Rest;
using EventDbx.Server.Tests.Tls;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Answer = EventDbx.Server.Tests.Plugins.ReplicationReceiver.Answer;

namespace EventDbx.Server.Tests.Plugins;

// Inside, for EventDbx has a namespace of that name.
using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>Events on their way to a gRPC plugin.</summary>
public sealed class GrpcChannelTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static GrpcChannel Open(string endpoint, PluginSurroundings? surroundings = null, params (string Name, string Value)[] headers) => new(
        new PluginDefinition { Enabled = true, Name = "copy", Config = new()
        {
            Kind = PluginKind.Grpc, Endpoint = endpoint,
            Headers = headers.ToImmutableSortedDictionary(header => header.Name, header => header.Value, StringComparer.OrdinalIgnoreCase),
        } },
        surroundings ?? Surroundings());

    /// <summary>Channels ask for no database.</summary>
    static PluginSurroundings Surroundings(TimeProvider? clock = null) => new()
    {
        Database = null!, DataDirectory = "/nowhere", Settings = static () => new() { DataDir = "/nowhere" }, Clock = clock ?? TimeProvider.System, Jitter = static () => 0.5,
    };

    static Delivery Event(ulong position, string payload = """{"a":1}""") => new(
        new()
        {
            Aggregate = AggregateKey.Create("order", "o-1"), EventType = "order-paid", Payload = System.Text.Encoding.UTF8.GetBytes(payload),
            EventId = Guid.Parse($"0190a0a0-0000-7000-8000-{position:x12}"), CreatedAt = new(17_000_000_000_000_000 + (long)position), Version = position,
            Hash = Hash32.Of([1]), MerkleRoot = Hash32.Of([2]), Position = position,
        },
        static () => null, static () => default);

    static Delivery[] Events(ulong from, ulong to) => [.. Enumerable.Range(0, (int)(to - from + 1)).Select(i => Event(from + (ulong)i))];

    [Fact]
    public async Task A_batch_is_one_stream_in_the_published_form_and_the_connection_is_kept()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint, null, ("Authorization", "Bearer a-token-of-theirs"), ("X-Kind", "copy"), ("x-kind-bin", "AQID"), ("grpc-timeout", "1n"), ("te", "x"));
        var events = Events(1, 600);

        for (var i = 0; i < events.Length; i += channel.BatchMax)
            Assert.Equal(new(Math.Min(channel.BatchMax, events.Length - i), null), await channel.DeliverAsync([.. events.Skip(i).Take(channel.BatchMax)], Cancellation));

        Assert.Equal([256, 256, 88], receiver.Batches.Select(batch => batch.Events.Count));
        Assert.Equal([256UL, 512, 600], receiver.Batches.Select(batch => batch.Sequence));
        Assert.Single(receiver.Connections);
        Assert.Equal(("Bearer a-token-of-theirs", "trailers", "copy"), (receiver.Headers["authorization"], receiver.Headers["te"], receiver.Headers["x-kind"]));
        Assert.DoesNotContain(receiver.Headers.Keys, name => name is "grpc-timeout" or "x-kind-bin");
        var sent = receiver.Batches.SelectMany(batch => batch.Events).ToList();
        Assert.Equal(events.Select(one => one.Record.Position), sent.Select(record => record.Position));
        var (first, record) = (sent[0], events[0].Record);
        Assert.Equal(
            (record.Aggregate.Type, record.Aggregate.Id, record.EventType, record.Version, record.MerkleRoot.ToString(), record.Hash.ToString(), """{"a":1}"""),
            (first.AggregateType, first.AggregateId, first.EventType, first.Version, first.MerkleRoot, first.Hash, first.Payload.ToStringUtf8()));
        Assert.Equal($$"""{"event_id":"{{record.EventId}}","created_at":"{{record.CreatedAt}}","issued_by":null}""", first.Metadata.ToStringUtf8());
    }

    [Fact]
    public async Task Large_events_are_sent_in_several_batches_and_one_that_is_larger_than_a_batch_alone()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint);
        var sizes = new[] { 600_000, 600_000, 10, 1_048_576, 10, 10 };
        var events = sizes.Select((size, i) => Event((ulong)i + 1, payload: $"\"{new string('x', size)}\"")).ToArray();

        Assert.Equal(new(6, null), await channel.DeliverAsync(events, Cancellation));
        Assert.Equal(["1", "2,3", "4", "5,6"], receiver.Batches.Select(batch => string.Join(',', batch.Events.Select(record => record.Version))));

        // Of several batches those that were taken count.
        receiver.Answers = batch => Task.FromResult(new Answer { Sequence = batch.Sequence, Status = batch.Events[0].Version == 4 ? StatusCode.InvalidArgument : StatusCode.OK, Message = "too large" });
        var outcome = await channel.DeliverAsync(events, Cancellation);
        Assert.Equal((3, true), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains("too large", outcome.Failure.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument, true)]
    [InlineData(StatusCode.FailedPrecondition, true)]
    [InlineData(StatusCode.AlreadyExists, true)]
    [InlineData(StatusCode.OutOfRange, true)]
    [InlineData(StatusCode.Aborted, true)]
    [InlineData(StatusCode.PermissionDenied, true)]
    [InlineData(StatusCode.NotFound, true)]
    [InlineData(StatusCode.DataLoss, true)]
    [InlineData(StatusCode.Unavailable, false)]
    [InlineData(StatusCode.DeadlineExceeded, false)]
    [InlineData(StatusCode.ResourceExhausted, false)]
    [InlineData(StatusCode.Internal, false)]
    [InlineData(StatusCode.Unknown, false)]
    [InlineData(StatusCode.Unauthenticated, false)]
    [InlineData(StatusCode.Unimplemented, false)]
    [InlineData(StatusCode.Cancelled, false)]
    public async Task A_status_refuses_the_event_or_says_that_the_plugin_is_down(StatusCode status, bool refuses)
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint, null, ("authorization", "Bearer a-token-of-theirs"));
        receiver.Answers = _ => Task.FromResult(new Answer { Status = status, Message = "you sent a-token-of-theirs\nagain" });

        var outcome = await channel.DeliverAsync(Events(1, 2), Cancellation);

        Assert.Equal((0, refuses), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains(global::EventDbx.Server.Grpc.GrpcSurface.NameOf(status), outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.Contains("you sent", outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("a-token-of-theirs", outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', outcome.Failure.Reason);
        Assert.Single(receiver.Batches); // Nothing is tried again by itself.
    }

    [Fact]
    public async Task An_acknowledgement_of_something_else_is_none()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint);
        receiver.Answers = batch => Task.FromResult(new Answer { Sequence = batch.Sequence - 1 });
        var outcome = await channel.DeliverAsync(Events(1, 3), Cancellation);
        Assert.Equal((0, false, "grpc plugin acknowledged sequence 2 where 3 was sent"), (outcome.Taken, outcome.Failure!.IsRefusal, outcome.Failure.Reason));
    }

    [Fact]
    public async Task Who_asks_to_be_left_alone_for_a_while_is_heard_within_reason()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint);
        foreach (var (details, expected) in ((byte[], TimeSpan?)[])
        [
            (Details(7.5), TimeSpan.FromSeconds(7.5)), (Details(-3), TimeSpan.Zero), (Details(1e9), ServerLimits.PluginRetryAfterMax), ([1, 2, 3], null), ([], null),
        ])
        {
            receiver.Answers = _ => Task.FromResult(new Answer { Status = StatusCode.Unavailable, Details = details });
            Assert.Equal(expected, (await channel.DeliverAsync(Events(1, 1), Cancellation)).Failure!.RetryAfter);
        }

        static byte[] Details(double seconds) => new Google.Rpc.Status
        {
            Details = { Any.Pack(new ErrorInfo()), Any.Pack(new RetryInfo { RetryDelay = new() { Seconds = (long)seconds, Nanos = (int)(seconds % 1 * 1e9) } }) },
        }.ToByteArray();
    }

    [Fact]
    public async Task One_that_hangs_closes_or_is_gone_is_down_and_back_after_a_restart()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint, Surroundings(new HastyClock(60)));
        await channel.DeliverAsync(Events(1, 1), Cancellation);

        using var never = new CancellationTokenSource();
        receiver.Answers = async _ =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, never.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return new() { Cut = true };
        };
        await DownAsync("no answer within");
        await never.CancelAsync();
        receiver.Answers = _ => Task.FromResult(new Answer { Cut = true });
        await DownAsync("");
        await receiver.RestartAsync();
        receiver.Answers = batch => Task.FromResult(new Answer { Sequence = batch.Sequence });
        // The connection that was kept is gone, which the first one may find out.
        if ((await channel.DeliverAsync(Events(1, 2), Cancellation)).Failure is { } found)
        {
            Assert.False(found.IsRefusal);
            Assert.Equal(new(2, null), await channel.DeliverAsync(Events(1, 2), Cancellation));
        }

        // The connection ends, and then there is none.
        await receiver.DisposeAsync();
        await DownAsync("");
        await DownAsync("127.0.0.1:");

        using var givenUp = new CancellationTokenSource();
        await givenUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => channel.DeliverAsync(Events(1, 1), givenUp.Token));

        async Task DownAsync(string why)
        {
            var outcome = await channel.DeliverAsync(Events(1, 1), Cancellation);
            Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
            Assert.Contains(why, outcome.Failure.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Whether_it_is_there_is_asked_with_a_heartbeat_that_need_not_be_served()
    {
        await using var receiver = await ReplicationReceiver.StartAsync();
        await using var channel = Open(receiver.Endpoint);
        await channel.CheckAsync(Cancellation);
        receiver.Heartbeat = StatusCode.OK;
        await channel.CheckAsync(Cancellation);
        Assert.Empty(receiver.Batches);
        foreach (var status in (StatusCode[])[StatusCode.Unauthenticated, StatusCode.PermissionDenied, StatusCode.Unavailable])
        {
            receiver.Heartbeat = status;
            var down = await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));
            Assert.Contains(global::EventDbx.Server.Grpc.GrpcSurface.NameOf(status), down.Message, StringComparison.Ordinal);
        }

        await receiver.DisposeAsync();
        await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));
        Assert.Contains("127.0.0.1:", (await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation))).Message, StringComparison.Ordinal);
        // Somebody else is there.
        await using var other = await ReplicationReceiver.StartAsync(HttpProtocols.Http1);
        await using var wrong = Open(other.Endpoint);
        await Assert.ThrowsAsync<PluginDownException>(() => wrong.CheckAsync(Cancellation));
    }

    [Theory]
    [InlineData("h:7070", "unsupported replication endpoint scheme: h:7070")]
    [InlineData("ftp://h:1", "unsupported replication endpoint scheme: ftp://h:1")]
    [InlineData("grpc://", "unsupported replication endpoint scheme")]
    [InlineData("", "unsupported replication endpoint scheme")]
    [InlineData("http://169.254.169.254:80", "169.254.169.254 is blocked: link-local")]
    [InlineData("grpc://[fe80::1]:80", "is blocked: link-local")]
    public void Another_endpoint_is_refused(string endpoint, string why)
    {
        var refused = Assert.Throws<RefusedException>(() => Open(endpoint));
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_leads_to_a_blocked_address_is_down()
    {
        var surroundings = Surroundings() with { Resolve = (_, _) => Task.FromResult<System.Net.IPAddress[]>([System.Net.IPAddress.Parse("169.254.169.254")]) };
        await using var channel = Open("grpc://metadata.example:80", surroundings);
        var outcome = await channel.DeliverAsync(Events(1, 1), Cancellation);
        Assert.False(outcome.Failure!.IsRefusal);
        Assert.Contains("plugin_allowed_addresses", outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.Contains("blocked", (await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_server_is_the_plugin_of_another(bool tls)
    {
        using var ca = new TestCa("Peers");
        using var files = new TemporaryDirectory();
        var issued = ca.Issue();
        await File.WriteAllTextAsync(files["crt"], issued.Certificate, Cancellation);
        await File.WriteAllTextAsync(files["key"], issued.Key, Cancellation);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(files["key"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var source = new RestServer();
        await using var target = tls
            ? new RestServer { ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = true, TlsCertFile = files["crt"], TlsKeyFile = files["key"] } } }
            : new RestServer();
        await source.InitializeAsync();
        await target.InitializeAsync();
        for (var i = 0; i < 300; i++)
            await source.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("t", $"a{i % 7}"), EventType = "e", Payload = JsonSerializer.SerializeToUtf8Bytes(i), Note = "née" }, Cancellation);
        var events = Deliveries(source);
        var endpoint = $"{(tls ? "grpcs" : "grpc")}://localhost:{target.Host.Port}";
        var surroundings = Surroundings() with { TrustedRoots = tls ? [X509Certificate2.CreateFromPem(ca.Pem)] : null, Resolve = (_, _) => Task.FromResult<System.Net.IPAddress[]>([System.Net.IPAddress.Loopback]) };
        var token = await target.TokenForAsync("records.import");
        await using var channel = Open(endpoint, surroundings, ("authorization", $"Bearer {token}"));

        await channel.CheckAsync(Cancellation);
        Assert.Equal(new(200, null), await channel.DeliverAsync(events[..200], Cancellation));
        // What may have arrived is sent again.
        Assert.Equal(new(250, null), await channel.DeliverAsync(events[50..], Cancellation));

        Assert.Equal(
            events.Select(one => (one.Record.EventId, one.Record.Version, one.Record.Hash, one.Record.MerkleRoot, one.Record.CreatedAt, one.Record.Note)),
            Deliveries(target).Select(one => (one.Record.EventId, one.Record.Version, one.Record.Hash, one.Record.MerkleRoot, one.Record.CreatedAt, one.Record.Note)));
        target.Owner.VerifyAll(null, Cancellation);

        // An event that is not taken there is refused, and one that is not let in is not.
        await target.Owner.ArchiveAsync(AggregateKey.Create("t", "a0"), null, Cancellation);
        await source.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("t", "a0"), EventType = "e", Payload = "{}"u8.ToArray() }, Cancellation);
        var refused = await channel.DeliverAsync(Deliveries(source)[^1..], Cancellation);
        Assert.True(refused.Failure!.IsRefusal);
        Assert.Contains("FAILED_PRECONDITION", refused.Failure.Reason, StringComparison.Ordinal);
        await target.Host.Tokens.RevokeAsync(target.Owner, token, "left", Cancellation);
        var down = await channel.DeliverAsync(events[..1], Cancellation);
        Assert.False(down.Failure!.IsRefusal);
        Assert.DoesNotContain(token, down.Failure.Reason, StringComparison.Ordinal);
        await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));

        // Whose certificate nobody vouches for gets no token.
        if (tls)
        {
            await using var stranger = Open(endpoint, surroundings with { TrustedRoots = null }, ("authorization", $"Bearer {token}"));
            Assert.Contains("certificate", (await Assert.ThrowsAsync<PluginDownException>(() => stranger.CheckAsync(Cancellation))).Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_server_keeps_a_copy_of_itself_on_another_from_its_first_event_on()
    {
        await using var source = new RestServer();
        await using var target = new RestServer();
        await source.InitializeAsync();
        await target.InitializeAsync();
        await AppendAsync(0, 600);
        var token = await target.TokenForAsync("records.import");
        await source.Host.Plugins.SetAsync(
            source.Owner, "copy",
            PluginJson.ReadUpsert(JsonSerializer.SerializeToUtf8Bytes(new
            {
                enabled = false, config = new { type = "grpc", endpoint = $"grpc://127.0.0.1:{target.Host.Port}", headers = new Dictionary<string, string> { ["authorization"] = $"Bearer {token}" } },
            }), allowProcess: false),
            Cancellation);
        await source.Host.Plugins.EnableAsync(source.Owner, "copy", DeliveryStart.Parse("start"), Cancellation);
        await AppendAsync(600, 700);

        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        while (Deliveries(target).Length < 700)
            await target.Owner.WaitForFeedAsync(target.Host.Database.LogSize, late.Token);

        Assert.Equal(
            Deliveries(source).Select(one => (one.Record.EventId, one.Record.Version, one.Record.Hash, one.Record.MerkleRoot)),
            Deliveries(target).Select(one => (one.Record.EventId, one.Record.Version, one.Record.Hash, one.Record.MerkleRoot)));
        Assert.Equal(new(0, 0), source.Host.Database.Deliveries.Count("copy"));

        async Task AppendAsync(int from, int to)
        {
            for (var i = from; i < to; i++)
                await source.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("t", $"a{i % 7}"), EventType = "e", Payload = JsonSerializer.SerializeToUtf8Bytes(i) }, Cancellation);
        }
    }

    static Delivery[] Deliveries(RestServer server) =>
    [
        .. server.Owner.ReadFeed(0, 1000, new FeedFilter { WithSalts = true }).Items.Where(item => item.Event is not null).Select(item => new Delivery(item.Event!, () => null, () => default)),
    ];
}
