using EventDbx.Protocol;
using EventDbx.Server.Tests.Rest;
using Google.Protobuf;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Appends over gRPC, one by one and in batches.</summary>
public sealed class GrpcAppendTests : IAsyncLifetime
{
    static readonly Guid Id = new("01890a5d-ac96-774b-bcce-b302099a8057");

    readonly RestServer _server = new();
    GrpcClient _client = null!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

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
    public async Task An_event_is_answered_as_it_was_committed_and_is_the_one_that_rest_shows()
    {
        var request = GrpcClient.Append("1", """{ "b": 1.50, "a": [ null, 123456789012345678901234567890 ] }""", Id);
        request.Note = "größer 🙂";
        var answer = await _client.AppendAsync(request);

        Assert.False(answer.Known);
        Assert.Equal("""{"b":1.50,"a":[null,123456789012345678901234567890]}""", answer.Event.PayloadJson);
        Assert.Equal(("t", "1", "e", 1UL), (answer.Event.AggregateType, answer.Event.AggregateId, answer.Event.EventType, answer.Event.Version));
        Assert.Equal(("ops", "root", "größer 🙂"), (answer.Event.Metadata.IssuedBy.Group, answer.Event.Metadata.IssuedBy.User, answer.Event.Metadata.Note));
        var shown = (await _server.GetAsync("/v1/aggregates/t/1/events/1")).Json;
        Assert.Equal(shown.GetProperty("hash").GetString(), answer.Event.Hash);
        Assert.Equal(shown.GetProperty("merkle_root").GetString(), answer.Event.MerkleRoot);
        Assert.Equal(shown.GetProperty("position").GetUInt64(), answer.Event.Position);
        Assert.Equal(shown.GetProperty("metadata").GetProperty("created_at").GetString(), answer.Event.Metadata.CreatedAt);
        Assert.EndsWith("Z", answer.Event.Metadata.CreatedAt, StringComparison.Ordinal);

        var again = await _client.AppendAsync(request);
        Assert.True(again.Known);
        Assert.Equal(answer.Event, again.Event);
        Assert.Equal((StatusCode.AlreadyExists, "idempotency_conflict"), Ended(await RefusedAsync(GrpcClient.Append("1", "{}", Id))));
    }

    [Fact]
    public async Task Null_is_a_payload_and_nothing_is_none()
    {
        Assert.Equal("null", (await _client.AppendAsync(GrpcClient.Append("1", "null"))).Event.PayloadJson);
        var missing = await RefusedAsync(GrpcClient.Append("1", ""));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_payload"), Ended(missing));
        Assert.Contains("payload_json", missing.Message, StringComparison.Ordinal);
        Assert.Equal((StatusCode.InvalidArgument, "invalid_payload"), Ended(await RefusedAsync(GrpcClient.Append("1", "   "))));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_payload"), Ended(await RefusedAsync(GrpcClient.Append("1", "{\"a\":1,\"a\":2}"))));
    }

    [Fact]
    public async Task A_patch_changes_a_part_and_comes_without_a_payload()
    {
        await _client.AppendAsync(GrpcClient.Append("1", """{"address":{"city":"Tacoma","zip":"98402"}}"""));
        var patch = GrpcClient.Append("1", "  ");
        patch.PatchJson = """[{"op":"replace","path":"/address/city","value":"Spokane"}]""";
        Assert.Equal("""{"address":{"city":"Spokane","zip":"98402"}}""", (await _client.AppendAsync(patch)).Event.PayloadJson);
        patch.PayloadJson = "{}";
        Assert.Equal((StatusCode.InvalidArgument, "invalid_patch"), Ended(await RefusedAsync(patch)));
        patch.PayloadJson = "";
        patch.PatchJson = "";
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(patch)).Status);
    }

    [Fact]
    public async Task A_version_that_was_not_expected_aborts_and_tells_the_one_that_is()
    {
        var first = GrpcClient.Append("1", "{}");
        first.ExpectedVersion = 0;
        await _client.AppendAsync(first);
        var refused = await RefusedAsync(first);
        Assert.Equal((StatusCode.Aborted, "version_conflict", "1"), (refused.Status, refused.Code, refused.Info.Metadata["actual_version"]));
        Assert.False(refused.Retryable);
        first.ExpectedVersion = 1;
        Assert.Equal(2UL, (await _client.AppendAsync(first)).Event.Version);
    }

    [Fact]
    public async Task What_a_schema_forbids_is_said_field_by_field()
    {
        await Conformance.DeclaredSchemas.ApplyAsync(_server.Owner, """{"t":{"events":{"e":{}},"column_types":{"n":{"type":"integer","required":true},"mail":{"type":"text","format":"email"}}}}""");
        await _client.AppendAsync(GrpcClient.Append("1", """{"n":1,"mail":"a@example.com"}"""));
        var refused = await RefusedAsync(GrpcClient.Append("1", """{"n":"x","mail":"nobody"}"""));
        Assert.Equal((StatusCode.InvalidArgument, "schema_violation"), Ended(refused));
        Assert.Equal(["mail format", "n type"], refused.BadRequest!.FieldViolations.Select(violation => $"{violation.Field} {violation.Reason}").Order());
        Assert.All(refused.BadRequest.FieldViolations, violation => Assert.NotEmpty(violation.Description));
    }

    [Fact]
    public async Task An_archived_aggregate_takes_no_appends_and_a_restored_one_does()
    {
        await _client.AppendAsync(GrpcClient.Append("1", "{}"));
        await _client.Events.ArchiveAggregateAsync(new() { AggregateType = "t", AggregateId = "1", Comment = "over" }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal((StatusCode.FailedPrecondition, "archived"), Ended(await RefusedAsync(GrpcClient.Append("1", "{}"))));
        await _client.Events.RestoreAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal(2UL, (await _client.AppendAsync(GrpcClient.Append("1", "{}"))).Event.Version);
        // Where from is in the log, as for REST.
        var archived = _server.Owner.ReadFeed(0, 100, includeControl: true).Items.Single(item => item.Control?.Kind == "archive").Control!;
        Assert.Equal("grpc 127.0.0.1", archived.From);
    }

    [Fact]
    public async Task A_batch_is_all_or_nothing_and_says_which_of_it_was_refused()
    {
        var batch = new AppendEventsRequest { Events = { GrpcClient.Append("1", "1", Id), GrpcClient.Append("2", "2"), GrpcClient.Append("3", "{") } };
        var refused = await GrpcRefusal.OfAsync(_client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_payload", "2"), (refused.Status, refused.Code, refused.Info.Metadata["operation"]));
        Assert.Equal(404, (await _server.GetAsync("/v1/aggregates/t/1")).Status);

        batch.Events[2] = GrpcClient.Append("1", "3");
        batch.Events[2].ExpectedVersion = 1;
        var answer = await _client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal([(1UL, false), (1UL, false), (2UL, false)], answer.Results.Select(result => (result.Event.Version, result.Known)));
        Assert.Equal([0UL, 1UL, 2UL], answer.Results.Select(result => result.Event.Position - answer.Results[0].Event.Position));

        batch.Minimal = true;
        batch.Events[2].ExpectedVersion = 2;
        var minimal = await _client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal([(true, true), (true, false), (true, false)], minimal.Results.Select(result => (result.Event is null, result.Known)));
        batch.Events.Clear();
        for (var i = 0; i <= Limits.BatchEventsMax; i++)
            batch.Events.Add(GrpcClient.Append("5", "{}"));
        Assert.Equal((StatusCode.InvalidArgument, "limit_exceeded"), Ended(await GrpcRefusal.OfAsync(_client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation))));
    }

    [Fact]
    public async Task A_field_that_the_server_does_not_know_is_refused_wherever_it_stands()
    {
        // Field 199, a number: what a newer client might rely on.
        byte[] unknown = [0xb8, 0x0c, 0x01];
        var append = AppendEventRequest.Parser.ParseFrom([.. GrpcClient.Append("1", "{}").ToByteArray(), .. unknown]);
        var refused = await RefusedAsync(append);
        Assert.Equal((StatusCode.InvalidArgument, "unknown_member"), Ended(refused));
        Assert.Contains("AppendEventRequest", refused.Message, StringComparison.Ordinal);
        Assert.Equal("unknown_member", (await GrpcRefusal.OfAsync(_client.Events.AppendEventsAsync(new() { Events = { append } }, _client.Headers, cancellationToken: Cancellation))).Code);
        Assert.Equal("unknown_member", (await GrpcRefusal.OfAsync(_client.Events.GetAggregateAsync(
            GetAggregateRequest.Parser.ParseFrom(unknown), _client.Headers, cancellationToken: Cancellation))).Code);
        Assert.Equal(404, (await _server.GetAsync("/v1/aggregates/t/1")).Status);
        await _client.AppendAsync(GrpcClient.Append("1", "{}"));
    }

    [Theory]
    [InlineData(0xff)]
    [InlineData(0xc0)]
    public async Task Text_that_is_not_utf8_is_refused_and_not_mended(byte wrong)
    {
        // payload_json, number 4: a JSON string with a byte that is none.
        byte[] message = [.. GrpcClient.Append("1", "").ToByteArray(), 0x22, 0x03, (byte)'"', wrong, (byte)'"'];
        var method = new Method<byte[], byte[]>(MethodType.Unary, "dbx.api.EventService", "AppendEvent", Marshallers.Create(static bytes => bytes, static bytes => bytes), Marshallers.Create(static bytes => bytes, static bytes => bytes));
        var refused = await GrpcRefusal.OfAsync(_client.Invoker.AsyncUnaryCall(method, null, new CallOptions(_client.Headers, cancellationToken: Cancellation), message));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), Ended(refused));
        Assert.Equal(404, (await _server.GetAsync("/v1/aggregates/t/1")).Status);
        message[^2] = (byte)'x';
        await _client.Invoker.AsyncUnaryCall(method, null, new CallOptions(_client.Headers, cancellationToken: Cancellation), message);
    }

    [Fact]
    public async Task Both_names_of_the_service_are_one_service()
    {
        var made = await _client.Alias.AppendEventAsync(GrpcClient.Append("1", "{}"), _client.Headers, cancellationToken: Cancellation);
        Assert.Equal(made.Event, (await _client.Events.GetEventAsync(new() { AggregateType = "t", AggregateId = "1", Version = 1 }, _client.Headers, cancellationToken: Cancellation)).Event);
        Assert.Equal("ok", (await _client.Alias.HealthAsync(new(), cancellationToken: Cancellation)).Status);
    }

    static (StatusCode, string) Ended(GrpcRefusal refusal) => (refusal.Status, refusal.Code);

    Task<GrpcRefusal> RefusedAsync(AppendEventRequest request) => GrpcRefusal.OfAsync(() => _client.AppendAsync(request));
}
