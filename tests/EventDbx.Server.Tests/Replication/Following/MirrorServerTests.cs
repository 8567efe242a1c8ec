using System.Net;
using System.Text.Json;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Tests.Grpc;
using EventDbx.Server.Tests.Rest;
using Grpc.Core;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>Servers that lead and follow, over real sessions: what their surfaces say.</summary>
public sealed class MirrorServerTests
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mirror_refuses_writes_by_every_surface_and_is_well()
    {
        await using var server = new RestServer(static options => options with { Follow = "leader" });
        await server.InitializeAsync();

        var rest = await server.PostAsync("/v1/events", """{"aggregate_type":"t","aggregate_id":"i","event_type":"e","payload":{}}""");
        Assert.Equal((409, "read_only"), (rest.Status, rest.Code));
        Assert.Contains("leader", rest.Body, StringComparison.Ordinal);
        var lifecycle = await server.SendAsync("PUT", "/v1/aggregates/t/i");
        Assert.Equal((409, "read_only"), (lifecycle.Status, lifecycle.Code));
        var graphql = await server.PostAsync(
            "/graphql", """{"query":"mutation { appendEvent(input: { aggregate_type: \"t\", aggregate_id: \"i\", event_type: \"e\", payload: {} }) { version } }"}""");
        Assert.Contains("\"code\":\"read_only\"", graphql.Body, StringComparison.Ordinal);
        using var client = GrpcClient.Of(server);
        var grpc = await Assert.ThrowsAsync<RpcException>(() => client.AppendAsync(GrpcClient.Append("i", "{}")));
        Assert.Equal(StatusCode.FailedPrecondition, grpc.StatusCode);
        Assert.Equal("read_only", GrpcRefusal.Of(grpc).Code);

        Assert.Equal((200, 200), ((await server.GetAsync("/health")).Status, (await server.GetAsync("/ready")).Status));
        Assert.Equal(0UL, server.Host.Database.LogSize);
        Assert.Equal(200, (await server.GetAsync("/v1/aggregates")).Status);
    }

    [Fact]
    public async Task A_cursor_that_a_mirror_has_not_reached_may_be_asked_for_again()
    {
        await using var server = new RestServer(static options => options with { Follow = "leader" });
        await server.InitializeAsync();
        var ahead = await server.GetAsync("/v1/events?after=1-5");
        Assert.Equal((503, "unavailable", true), (ahead.Status, ahead.Code, ahead.Json.GetProperty("retryable").GetBoolean()));
        Assert.Equal(200, (await server.GetAsync("/v1/events?after=1-0")).Status);
    }

    [Fact]
    public async Task One_that_is_to_follow_and_has_not_begun_says_so_when_it_is_to_be_promoted()
    {
        await using var server = new RestServer(static options => options with { Follow = "leader" });
        await server.InitializeAsync();
        var refused = await server.SendAsync("POST", "/admin/replication/promote");
        Assert.Equal((400, "invalid_argument"), (refused.Status, refused.Code));
        Assert.Contains("configured to follow 'leader' and has not begun", refused.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_old_leader_follows_the_new_one_when_the_way_back_was_prepared_while_it_led()
    {
        await using var leading = new Pair();
        await leading.StartAsync();
        await leading.Leader.AppendAsync("order", "o-1", "placed", """{"n":1}""");
        var way = $$"""{"endpoint":"tcp://127.0.0.1:{{leading.Mirror.Host.PeerPort}}","public_key":"{{NodeIdentity.ReadOrCreate(Path.Combine(leading.Mirror.DataDir, "replication.key")).Key}}"}""";
        Assert.Equal(201, (await leading.Leader.SendAsync("PUT", "/admin/remotes/standby", way)).Status);
        Assert.Equal(200, (await leading.Mirror.PostAsync("/admin/replication/follow", """{"remote":"leader"}""")).Status);
        await leading.CaughtUpAsync();
        Assert.Equal(200, (await leading.Mirror.SendAsync("POST", "/admin/replication/promote")).Status);
        await leading.Mirror.AppendAsync("order", "o-2", "placed", """{"n":2}""");

        Assert.Equal(200, (await leading.Leader.PostAsync("/admin/replication/follow", """{"remote":"standby"}""")).Status);
        await FollowerStand.UntilAsync(
            () => leading.Leader.Host.Database.LogRoot == leading.Mirror.Host.Database.LogRoot, () => $"The old leader should have the new one's log, and is {leading.Leader.Host.Status().Follows}.");
        Assert.Equal(200, (await leading.Leader.GetAsync("/v1/aggregates/order/o-2")).Status);
        Assert.Equal("read_only", (await leading.Leader.PostAsync("/v1/events", """{"aggregate_type":"t","aggregate_id":"i","event_type":"e","payload":{}}""")).Code);
    }

    [Fact]
    public async Task A_command_on_a_directory_that_follows_writes_nothing_of_its_own()
    {
        using var line = new CommandLine();
        await File.WriteAllTextAsync(Created(line.ConfigPath), """
            [remotes.leader]
            endpoint = "tcp://127.0.0.1:1"
            public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"
            mode = "follow"
            """, Cancellation);
        var refused = await line.RunAsync("aggregate", "apply", "t", "i", "e", "--field", "n=1");
        Assert.Equal(EventDbx.Cli.Output.ExitCode.Failed, refused.Code);
        Assert.Contains("follows", refused.Error, StringComparison.Ordinal);
        Assert.Contains("leader", refused.Error, StringComparison.Ordinal);

        static string Created(string path)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return path;
        }
    }

    [Fact]
    public async Task A_mirror_is_made_by_the_route_told_of_by_status_and_metrics_and_promoted()
    {
        await using var leading = new Pair();
        await leading.StartAsync();
        for (var i = 0; i < 5; i++)
            await leading.Leader.AppendAsync("order", $"o-{i}", "placed", """{"n":1}""");

        var followed = await leading.Mirror.PostAsync("/admin/replication/follow", """{"remote":"leader"}""");
        Assert.Equal(200, followed.Status);
        var last = JsonDocument.Parse(followed.Body.TrimEnd().Split('\n')[^1]).RootElement.GetProperty("result");
        Assert.Equal(("leader", "caught_up"), (last.GetProperty("remote").GetString(), last.GetProperty("condition").GetString()));
        await leading.CaughtUpAsync();
        Assert.Equal(200, (await leading.Mirror.GetAsync("/v1/aggregates/order/o-3")).Status);

        await leading.Leader.AppendAsync("order", "o-9", "placed", """{"n":2}""");
        await leading.CaughtUpAsync();
        var status = (await leading.Mirror.GetAsync("/admin/status")).Json.GetProperty("follows");
        Assert.Equal((leading.Leader.Host.Database.LogSize, 0UL), (status.GetProperty("position").GetUInt64(), status.GetProperty("lag_entries").GetUInt64()));
        var metrics = (await leading.Mirror.GetAsync("/metrics")).Body;
        Assert.Contains("dbx_follower_up{remote=\"leader\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("dbx_follower_lag_entries{remote=\"leader\"} 0", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("dbx_follower_up", (await leading.Leader.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        Assert.Contains("mode = \"follow\"", await File.ReadAllTextAsync(leading.Mirror.ConfigPath, Cancellation), StringComparison.Ordinal);

        var size = leading.Mirror.Host.Database.LogSize;
        var promoted = await leading.Mirror.PostAsync("/admin/replication/promote", """{"comment":"a drill"}""");
        Assert.Equal((200, 2UL, size), (promoted.Status, promoted.Json.GetProperty("epoch").GetUInt64(), promoted.Json.GetProperty("kept").GetUInt64()));
        await leading.Mirror.AppendAsync("order", "o-3", "placed", """{"n":3}""");
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(leading.Mirror.ConfigPath, Cancellation), StringComparison.Ordinal);
        Assert.False((await leading.Mirror.GetAsync("/admin/status")).Json.TryGetProperty("follows", out _));
        var again = await leading.Mirror.SendAsync("POST", "/admin/replication/promote");
        Assert.Equal((400, "invalid_argument"), (again.Status, again.Code));
    }

    [Fact]
    public async Task A_database_with_a_history_of_its_own_is_not_made_a_mirror()
    {
        await using var leading = new Pair(mirrorFollows: false);
        await leading.StartAsync();
        await leading.Leader.AppendAsync("order", "o-1", "placed", """{"n":1}""");
        await leading.Mirror.AppendAsync("mine", "m-1", "placed", """{"n":1}""");
        var refused = await leading.Mirror.PostAsync("/admin/replication/follow", """{"remote":"leader"}""");
        Assert.Equal((400, "invalid_argument"), (refused.Status, refused.Code));
        Assert.Contains("a history of its own", refused.Body, StringComparison.Ordinal);
        var unknown = await leading.Mirror.PostAsync("/admin/replication/follow", """{"remote":"nobody"}""");
        Assert.Equal((404, "not_found"), (unknown.Status, unknown.Code));
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(leading.Mirror.ConfigPath, Cancellation), StringComparison.Ordinal);
        await leading.Mirror.AppendAsync("mine", "m-1", "placed", """{"n":2}""");
    }

    [Fact]
    public async Task A_mirror_whose_log_parts_from_its_leaders_is_not_ready_and_stays_readable()
    {
        await using var leading = new Pair();
        await leading.StartAsync();
        await leading.Leader.AppendAsync("order", "o-1", "placed", """{"n":1}""");
        Assert.Equal(200, (await leading.Mirror.PostAsync("/admin/replication/follow", """{"remote":"leader"}""")).Status);
        await leading.CaughtUpAsync();
        leading.Lie = static page => page with { RootBefore = Integrity.Hash32.Empty };
        await leading.Leader.AppendAsync("order", "o-2", "placed", """{"n":1}""");
        await FollowerStand.UntilAsync(() => leading.Mirror.Host.Status().Follows is { IsOver: true }, () => $"It should have ended, and is {leading.Mirror.Host.Status().Follows}.");

        Assert.Equal((503, 200), ((await leading.Mirror.GetAsync("/ready")).Status, (await leading.Mirror.GetAsync("/health")).Status));
        Assert.Contains("followed no more", string.Join('\n', leading.Mirror.Lines.ToArray().Select(static line => line.Message)), StringComparison.Ordinal);
        Assert.Equal(200, (await leading.Mirror.GetAsync("/v1/aggregates/order/o-1")).Status);
        Assert.Equal(404, (await leading.Mirror.GetAsync("/v1/aggregates/order/o-2")).Status);
    }

    /// <summary>A server that leads and one that may follow it; the session's pages pass by here.</summary>
    sealed class Pair : IAsyncDisposable
    {
        readonly TemporaryDirectory _keys = new();

        public Pair(bool mirrorFollows = true)
        {
            Leader = new() { ChangeOptions = static options => options with { PeerEndPoint = new(IPAddress.Loopback, 0), Clock = TimeProvider.System } };
            Mirror = new(options => mirrorFollows ? options with { Follow = "leader" } : options)
            {
                ChangeOptions = options => options with
                {
                    Clock = TimeProvider.System, PeerEndPoint = new(IPAddress.Loopback, 0),
                    Dial = async (endpoint, key, cancellation) => new Passed(
                        await new PeerDialer(() => NodeIdentity.ReadOrCreate(_keys["replication.key"]), TimeProvider.System).DialAsync(endpoint, key, cancellation), page => Lie?.Invoke(page) ?? page),
                },
            };
        }

        public RestServer Leader { get; }

        public RestServer Mirror { get; }

        public Func<Mirroring.LogPage, Mirroring.LogPage>? Lie { get; set; }

        public async Task StartAsync()
        {
            await Leader.InitializeAsync();
            var before = Leader.Host.Database.LogSize;
            await File.AppendAllTextAsync(
                Leader.ConfigPath, $"\n[replication.allow.mirror]\npublic_key = \"{NodeIdentity.ReadOrCreate(_keys["replication.key"]).Key}\"\npull = true\n", Cancellation);
            // It leaves an entry, which is not to come in the middle of what is compared.
            await FollowerStand.UntilAsync(() => Leader.Host.Database.LogSize > before, () => "The change of the configuration should stand in the log.");
            await File.WriteAllTextAsync(
                Mirror.ConfigPath,
                $"page_limit = 50\n[replication.allow.old]\npublic_key = \"{NodeIdentity.ReadOrCreate(Path.Combine(Leader.DataDir, "replication.key")).Key}\"\npull = true\n", Cancellation);
            await Mirror.InitializeAsync();
            await File.AppendAllTextAsync(
                Mirror.ConfigPath,
                $"\n[remotes.leader]\nendpoint = \"tcp://127.0.0.1:{Leader.Host.PeerPort}\"\npublic_key = \"{NodeIdentity.ReadOrCreate(Path.Combine(Leader.DataDir, "replication.key")).Key}\"\n", Cancellation);
        }

        public async Task CaughtUpAsync()
        {
            await FollowerStand.UntilAsync(
                () => Mirror.Host.Database.LogSize == Leader.Host.Database.LogSize && Mirror.Host.Status().Follows?.Condition == FollowCondition.CaughtUp,
                () => $"It should have {Leader.Host.Database.LogSize} entries, has {Mirror.Host.Database.LogSize}, and is {Mirror.Host.Status().Follows}.");
            Assert.Equal(Leader.Host.Database.LogRoot, Mirror.Host.Database.LogRoot);
        }

        public async ValueTask DisposeAsync()
        {
            await Mirror.DisposeAsync().AsTask().WaitAsync(Patience, CancellationToken.None);
            await Leader.DisposeAsync().AsTask().WaitAsync(Patience, CancellationToken.None);
            _keys.Dispose();
        }
    }

    /// <summary>A session whose pages somebody sees on their way.</summary>
    sealed class Passed(IReplica replica, Func<Mirroring.LogPage, Mirroring.LogPage> pass) : IReplica
    {
        public Task<Mirroring.LogEnd> IdentifyAsync(CancellationToken cancellation) => replica.IdentifyAsync(cancellation);

        public async Task<Mirroring.LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => pass(await replica.PullLogAsync(after, wait, cancellation));

        public ValueTask DisposeAsync() => replica.DisposeAsync();

        public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => replica.ListPositionsAsync(filter, after, take, cancellation);

        public Task<IReadOnlyList<Integrity.Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => replica.FindRootsAsync(places, cancellation);

        public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => replica.PullEventsAsync(aggregate, from, limit, cancellation);

        public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => replica.ApplyEventsAsync(events, cancellation);

        public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => replica.FindMarksAsync(aggregate, cancellation);

        public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => replica.ApplyMarksAsync(marks, cancellation);

        public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => replica.PullSchemasAsync(cancellation);

        public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => replica.ApplySchemasAsync(schemas, replace, cancellation);
    }
}
