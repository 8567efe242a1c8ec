using EventDbx.Protocol;
using EventDbx.Server.Tests.Rest;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>States, events, lists, snapshots and verify over gRPC.</summary>
public sealed class GrpcReadTests : IAsyncLifetime
{
    readonly RestServer _server = new();
    GrpcClient _client = null!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    EventService.EventServiceClient Events => _client.Events;

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        _client = GrpcClient.Of(_server);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_state_is_texts_and_typed_it_is_json()
    {
        await _client.AppendAsync(GrpcClient.Append("1", """{"text":"a\"b\u00e9","number":1.50,"truth":true,"none":null,"list":[1, 2],"object":{"x":"y"},"looks":"[1]"}"""));
        var plain = (await GetAsync(new())).State;
        Assert.Equal(
            ["list=[1,2]", "looks=[1]", "none=", "number=1.50", "object={\"x\":\"y\"}", "text=a\"bé", "truth=true"],
            plain.Select(field => $"{field.Key}={field.Value}").Order(StringComparer.Ordinal));
        var typed = (await GetAsync(new() { Typed = true })).State;
        Assert.Equal(
            ["list=[1,2]", "looks=\"[1]\"", "none=null", "number=1.50", "object={\"x\":\"y\"}", "text=\"a\\\"b\\u00e9\"", "truth=true"],
            typed.Select(field => $"{field.Key}={field.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(["/object/x=y", "truth=true"], (await GetAsync(new() { Fields = "truth,/object/x,absent" })).State.Select(field => $"{field.Key}={field.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(StatusCode.InvalidArgument, (await GrpcRefusal.OfAsync(() => GetAsync(new() { Fields = "a,,b" }))).Status);
    }

    [Fact]
    public async Task A_state_is_read_as_it_was_at_a_version_or_at_a_time()
    {
        var first = await _client.AppendAsync(GrpcClient.Append("1", """{"n":1}"""));
        await _client.AppendAsync(GrpcClient.Append("1", """{"n":2}"""));
        Assert.Equal((2UL, "2"), await At(new()));
        Assert.Equal((1UL, "1"), await At(new() { Version = 1 }));
        Assert.Equal((0UL, null), await At(new() { Version = 0 }));
        Assert.Equal((0UL, null), await At(new() { At = "2001-01-01T00:00:00Z" }));
        Assert.Equal((2UL, "2"), await At(new() { At = "2999-01-01T00:00:00Z" }));
        Assert.Equal(1UL, first.Event.Version);
        Assert.Equal("invalid_argument", (await GrpcRefusal.OfAsync(() => GetAsync(new() { Version = 1, At = "2999-01-01T00:00:00Z" }))).Code);
        Assert.Equal("invalid_argument", (await GrpcRefusal.OfAsync(() => GetAsync(new() { At = "yesterday" }))).Code);
        var missing = await GrpcRefusal.OfAsync(Events.GetAggregateAsync(new() { AggregateType = "t", AggregateId = "2" }, _client.Headers, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.NotFound, "not_found"), (missing.Status, missing.Code));
        Assert.Equal("invalid_name", (await GrpcRefusal.OfAsync(Events.GetAggregateAsync(new() { AggregateType = "t" }, _client.Headers, cancellationToken: Cancellation))).Code);

        async Task<(ulong, string?)> At(GetAggregateRequest request)
        {
            var state = await GetAsync(request);
            return (state.Version, state.State.GetValueOrDefault("n"));
        }
    }

    [Fact]
    public async Task Pages_have_the_default_length_for_0_and_go_on_by_cursor()
    {
        // page_limit is 50 here, list_page_size 10.
        var batch = new AppendEventsRequest { Minimal = true };
        for (var i = 0; i < 60; i++)
        {
            batch.Events.Add(GrpcClient.Append("long", $$"""{"n":{{i}}}"""));
            batch.Events.Add(GrpcClient.Append($"{i:00}", "{}"));
        }

        await Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation);
        ListEventsRequest Of(uint skip, uint take) => new() { AggregateType = "t", AggregateId = "long", Skip = skip, Take = take };
        var first = await Events.ListEventsAsync(Of(0, 0), _client.Headers, cancellationToken: Cancellation);
        Assert.Equal(50, first.Events.Count);
        Assert.Equal(50, (await Events.ListEventsAsync(Of(0, uint.MaxValue), _client.Headers, cancellationToken: Cancellation)).Events.Count);
        Assert.Equal([4UL, 5UL], (await Events.ListEventsAsync(Of(3, 2), _client.Headers, cancellationToken: Cancellation)).Events.Select(record => record.Version));
        var rest = await Events.ListEventsAsync(new() { AggregateType = "t", AggregateId = "long", Cursor = first.NextCursor }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal((51UL, 10, false), (rest.Events[0].Version, rest.Events.Count, rest.HasNextCursor));
        Assert.Equal("invalid_argument", (await GrpcRefusal.OfAsync(Events.ListEventsAsync(
            new() { AggregateType = "t", AggregateId = "long", Cursor = first.NextCursor, Skip = 1 }, _client.Headers, cancellationToken: Cancellation))).Code);

        var seen = new List<string>();
        var request = new ListAggregatesRequest();
        do
        {
            var page = await Events.ListAggregatesAsync(request, _client.Headers, cancellationToken: Cancellation);
            Assert.True(page.Aggregates.Count <= 10);
            seen.AddRange(page.Aggregates.Select(aggregate => aggregate.AggregateId));
            if (!page.HasNextCursor)
                break;
            request.Cursor = page.NextCursor;
        }
        while (true);
        Assert.Equal([.. Enumerable.Range(0, 60).Select(i => $"{i:00}"), "long"], seen);
        Assert.Equal(["10", "11"], (await Events.ListAggregatesAsync(new() { Skip = 0, Take = 2, IdPrefix = "1", AggregateType = "t", Archived = false }, _client.Headers, cancellationToken: Cancellation)).Aggregates.Select(aggregate => aggregate.AggregateId));
        Assert.Empty((await Events.ListAggregatesAsync(new() { Archived = true }, _client.Headers, cancellationToken: Cancellation)).Aggregates);
        Assert.Equal("invalid_argument", (await GrpcRefusal.OfAsync(Events.ListAggregatesAsync(new() { Cursor = "nonsense" }, _client.Headers, cancellationToken: Cancellation))).Code);
    }

    [Fact]
    public async Task An_aggregate_is_made_and_removed_while_it_has_no_events()
    {
        var made = await Events.CreateAggregateAsync(new() { AggregateType = "t", AggregateId = "1", Comment = "reserved" }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal((0UL, false), (made.Aggregate.Version, made.Aggregate.Archived));
        Assert.Equal(StatusCode.AlreadyExists, (await GrpcRefusal.OfAsync(Events.CreateAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation))).Status);
        await Events.RemoveAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation);
        await _client.AppendAsync(GrpcClient.Append("1", "{}"));
        var refused = await GrpcRefusal.OfAsync(Events.RemoveAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.FailedPrecondition, "not_empty"), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task A_snapshot_is_taken_and_listed()
    {
        await _client.AppendAsync(GrpcClient.Append("1", """{"n":1,"m":"x"}"""));
        var taken = (await Events.CreateSnapshotAsync(new() { AggregateType = "t", AggregateId = "1", Comment = "before", Fields = "n", Typed = true }, _client.Headers, cancellationToken: Cancellation)).Snapshot;
        Assert.Equal((1UL, "before", "n=1"), (taken.Version, taken.Comment, string.Join(' ', taken.State.Select(field => $"{field.Key}={field.Value}"))));
        await _client.AppendAsync(GrpcClient.Append("1", """{"n":2}"""));
        await Events.CreateSnapshotAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation);
        var first = await Events.ListSnapshotsAsync(new() { AggregateType = "t", AggregateId = "1", Take = 1 }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal((1, 1UL, taken.CreatedAt), (first.Snapshots.Count, first.Snapshots[0].Version, first.Snapshots[0].CreatedAt));
        var second = await Events.ListSnapshotsAsync(new() { AggregateType = "t", AggregateId = "1", Cursor = first.NextCursor }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal((1, 2UL, false, false), (second.Snapshots.Count, second.Snapshots[0].Version, second.Snapshots[0].HasComment, second.HasNextCursor));
        Assert.Equal("not_found", (await GrpcRefusal.OfAsync(Events.ListSnapshotsAsync(new() { AggregateType = "t", AggregateId = "9" }, _client.Headers, cancellationToken: Cancellation))).Code);
    }

    [Fact]
    public async Task A_verify_computes_the_root_and_takes_no_level_that_is_none()
    {
        var appended = await _client.AppendAsync(GrpcClient.Append("1", "{}"));
        foreach (var level in (VerifyLevel[])[VerifyLevel.Full, VerifyLevel.Quick])
        {
            var verified = await Events.VerifyAggregateAsync(new() { AggregateType = "t", AggregateId = "1", Level = level }, _client.Headers, cancellationToken: Cancellation);
            Assert.Equal((appended.Event.MerkleRoot, 1UL, false), (verified.MerkleRoot, verified.Version, verified.Archived));
        }

        var refused = await GrpcRefusal.OfAsync(Events.VerifyAggregateAsync(new() { AggregateType = "t", AggregateId = "1", Level = (VerifyLevel)7 }, _client.Headers, cancellationToken: Cancellation));
        Assert.Equal("invalid_argument", refused.Code);
    }

    [Fact]
    public async Task A_token_that_may_archive_and_not_read_is_told_nothing_of_a_state()
    {
        await _client.AppendAsync(GrpcClient.Append("1", """{"secret":1}"""));
        using var client = GrpcClient.Of(_server, await _server.TokenForAsync("aggregate.archive"));
        var archived = (await client.Events.ArchiveAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, client.Headers, cancellationToken: Cancellation)).Aggregate;
        Assert.Equal((true, true, 0), (archived.Archived, archived.StateWithheld, archived.State.Count));
        Assert.False((await GetAsync(new())).StateWithheld);
    }

    async Task<Aggregate> GetAsync(GetAggregateRequest request)
    {
        (request.AggregateType, request.AggregateId) = ("t", "1");
        return (await Events.GetAggregateAsync(request, _client.Headers, cancellationToken: Cancellation)).Aggregate;
    }
}
