using System.Text.RegularExpressions;
using EventDbx.Protocol;
using EventDbx.Schemas;
using EventDbx.Server.Grpc;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>docs/grpc.md is what the code does, and the published part of the contract is as it was published.</summary>
public sealed partial class GrpcContractTests
{
    static readonly string Contract = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "grpc.md"));

    [Fact]
    public void The_contract_has_every_code_with_its_status()
    {
        var written = Codes().Matches(Contract).SelectMany(row => Quoted().Matches(row.Groups[1].Value).Select(code => (code.Groups[1].Value, row.Groups[2].Value)));
        Assert.Equal(
            Enum.GetValues<RefusalCode>().Select(code => (Refusal.NameOf(code), GrpcSurface.NameOf(GrpcRefusals.StatusOf(code)))).Order(),
            written.Order());
    }

    [Fact]
    public void The_contract_has_every_method()
    {
        var written = Methods().Matches(Contract).Select(row => row.Groups[1].Value);
        Assert.Equal(EventService.Descriptor.Methods.Concat(Protocol.Replication.Replication.Descriptor.Methods).Select(method => method.Name).Order(), written.Order());
    }

    [Fact]
    public void What_was_published_has_its_names_and_numbers()
    {
        Dictionary<string, string> published = new()
        {
            ["AppendEventRequest"] = "aggregate_type=1 aggregate_id=2 event_type=3 payload_json=4 note=5 patch_json=6",
            ["AppendEventResponse"] = "event=1", ["HealthRequest"] = "", ["HealthResponse"] = "status=1",
            ["ListAggregatesRequest"] = "skip=1 take=2", ["ListAggregatesResponse"] = "aggregates=1",
            ["GetAggregateRequest"] = "aggregate_type=1 aggregate_id=2", ["GetAggregateResponse"] = "aggregate=1",
            ["ListEventsRequest"] = "aggregate_type=1 aggregate_id=2 skip=3 take=4", ["ListEventsResponse"] = "events=1",
            ["VerifyAggregateRequest"] = "aggregate_type=1 aggregate_id=2", ["VerifyAggregateResponse"] = "merkle_root=1",
            ["Aggregate"] = "aggregate_type=1 aggregate_id=2 version=3 state=4 merkle_root=5 archived=6",
            ["Event"] = "aggregate_type=1 aggregate_id=2 event_type=3 version=4 payload_json=5 metadata=6 hash=7 merkle_root=8",
            ["EventMetadata"] = "event_id=1 created_at=2 issued_by=3 note=4", ["ActorClaims"] = "group=1 user=2",
        };
        foreach (var (name, fields) in published)
        {
            var message = EventService.Descriptor.File.MessageTypes.Single(type => type.Name == name);
            Assert.Equal(fields, string.Join(' ', message.Fields.InFieldNumberOrder().Where(field => field.FieldNumber < 100).Select(field => $"{field.Name}={field.FieldNumber}")));
        }

        Dictionary<string, string> replication = new()
        {
            ["EventRecord"] = "aggregate_type=1 aggregate_id=2 event_type=3 version=4 merkle_root=5 payload=6 metadata=7 hash=8",
            ["EventBatch"] = "events=1 sequence=2", ["ReplicationAck"] = "applied_sequence=1", ["HeartbeatRequest"] = "remote_name=1",
            ["HeartbeatResponse"] = "applied_sequence=1 pending_events=2",
        };
        Assert.Equal(replication.Keys.Order(), Protocol.Replication.Replication.Descriptor.File.MessageTypes.Select(type => type.Name).Order());
        foreach (var (name, fields) in replication)
        {
            var message = Protocol.Replication.Replication.Descriptor.File.MessageTypes.Single(type => type.Name == name);
            Assert.Equal(fields, string.Join(' ', message.Fields.InFieldNumberOrder().Where(field => field.FieldNumber < 100).Select(field => $"{field.Name}={field.FieldNumber}")));
        }

        Assert.Equal("eventdbx.replication.Replication", Protocol.Replication.Replication.Descriptor.FullName);
        Assert.Equal("eventdbx.api.EventService", EventService.Descriptor.FullName);
        Assert.Equal("dbx.api.EventService", Protocol.Alias.EventService.Descriptor.FullName);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Details_say_everything_and_stay_below_what_clients_take_of_trailers(bool long_)
    {
        var refusal = new Refusal(RefusalCode.SchemaViolation, long_ ? new string('ü', 20_000) : "It breaks its schema.")
        {
            Operation = 3, ActualVersion = 7,
            Violations = [.. Enumerable.Range(0, long_ ? 100 : 2).Select(i => new SchemaViolation($"field.{i}", SchemaRule.Range, long_ ? new string('x', 200) : "It is not."))],
        };
        var thrown = GrpcRefusals.Exception(refusal);
        var read = GrpcRefusal.Of(thrown);
        Assert.Equal((StatusCode.InvalidArgument, "schema_violation", "3", "7"), (read.Status, read.Code, read.Info.Metadata["operation"], read.Info.Metadata["actual_version"]));
        Assert.InRange(read.BadRequest!.FieldViolations.Count, long_ ? 5 : 2, long_ ? 20 : 2);
        // Base64 of the details, and the message once more, percent-encoded.
        var size = (thrown.Trailers.GetValueBytes(GrpcRefusals.DetailsTrailer)!.Length * 4 / 3) + Text.Encode(thrown.Status.Detail).Length;
        Assert.InRange(size, 1, 8 * 1024);
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(thrown.Status.Detail), 21, ServerLimits.GrpcMessageBytesMax);
    }

    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("100 %", "100 %25")]
    [InlineData("é\n🙂", "%C3%A9%0A%F0%9F%99%82")]
    public void A_message_is_percent_encoded_as_the_protocol_wants_it(string text, string encoded) => Assert.Equal(encoded, Text.Encode(text));

    [Fact]
    public void A_text_is_cut_between_characters()
    {
        Assert.Equal("abc", Text.Cut("abc", 3));
        Assert.Equal("a…", Text.Cut("abcdef", 4));
        Assert.Equal("…", Text.Cut("🙂🙂", 6));
        Assert.Equal("🙂…", Text.Cut("🙂🙂", 7));
    }

    [GeneratedRegex(@"^\| (`[a-z_]+`[^|]*) \| `([A-Z_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Codes();

    [GeneratedRegex(@"^\| `([A-Z][A-Za-z]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Methods();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Quoted();
}
