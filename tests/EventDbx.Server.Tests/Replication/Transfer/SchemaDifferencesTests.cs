using System.Collections.Immutable;
using System.Text;
using EventDbx.Cli.Commands.Transfers;
using EventDbx.Schemas;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Schemas that go over: everything is compared, and told in the published lines.</summary>
public sealed class SchemaDifferencesTests
{
    const string Local = """
        {
          "invoice": { "events": { "sent": { "fields": [] }, "paid": { "fields": [] } } },
          "order": {
            "locked": true, "field_locks": ["status", "tenant", "total"],
            "events": { "order-created": { "fields": ["id", "status"] }, "order-voided": { "fields": [] } }
          }
        }
        """;

    const string Remote = """
        {
          "order": {
            "snapshot_threshold": 5, "field_locks": ["region", "total"],
            "events": { "order-created": { "fields": ["id", "legacy"] }, "order-lost": { "fields": [] } }
          },
          "parcel": { "events": { "posted": { "fields": [] } } }
        }
        """;

    [Fact]
    public async Task The_listing_is_as_published()
    {
        var (here, there) = (new MemoryReplica { Schemas = Of(Local) }, new MemoryReplica { Schemas = Of(Remote) });
        var request = new TransferRequest { Direction = TransferDirection.Push, Remote = "east", SchemasOnly = true, ReplaceSchemas = true, DryRun = true };

        var report = await PushPullTests.RunAsync(request, here, there);

        Assert.Equal(
            """
            Schema push to 'east' (dry run)
              3 aggregate change(s)
                + invoice (2 event(s))
                ~ order
                  snapshot_threshold: Some(5) -> None
                  locked: false -> true
                  field locks added: status, tenant
                  field locks removed: region
                  + event order-voided
                  - event order-lost
                  event order-created fields added: status
                  event order-created fields removed: legacy
                - parcel (1 event(s))

            """.ReplaceLineEndings("\n"),
            TransferText.Of(report));
        Assert.Equal(Of(Remote), there.Schemas);
    }

    [Fact]
    public async Task What_the_reference_does_not_look_at_is_compared_and_told_too()
    {
        var before = Of("""{"order":{"events":{"made":{"fields":[],"notes":"old"}},"column_types":{"gone":"text","total":"integer"},"hidden_fields":["a"]}}""");
        var after = Of("""{"order":{"hidden":true,"events":{"made":{"fields":[]}},"column_types":{"new":"boolean","total":{"type":"integer","required":true}},"hidden_fields":["b"]}}""");

        var change = Assert.Single(SchemaDifferences.Of(after, before, replace: false).Changes);

        Assert.Equal(
            [
                "hidden: false -> true", "hidden fields added: b", "hidden fields removed: a", "+ column new: \"boolean\"", "- column gone",
                "column total: \"integer\" -> {\"type\":\"integer\",\"required\":true}", "event made note: Some(\"old\") -> None",
            ],
            change.Details);
        Assert.Empty(SchemaDifferences.Of(after, after, replace: true).Changes);
        await Task.CompletedTask;
    }

    [Theory, InlineData(TransferDirection.Push), InlineData(TransferDirection.Pull)]
    public async Task Schemas_are_merged_unless_they_are_to_be_mirrored(TransferDirection direction)
    {
        var (source, receiver) = (new MemoryReplica { Schemas = Of(Local) }.With("order", "o-1", 1), new MemoryReplica { Schemas = Of(Remote) });
        var (here, there) = direction == TransferDirection.Push ? (source, receiver) : (receiver, source);
        var request = new TransferRequest { Direction = direction, Remote = "east", Schemas = true };

        var merged = TransferText.Of(await PushPullTests.RunAsync(request, here, there));
        Assert.Equal(["invoice", "order", "parcel"], receiver.Schemas.Keys);
        Assert.Equal(source.Schemas["order"], receiver.Schemas["order"]);
        var again = TransferText.Of(await PushPullTests.RunAsync(request with { SchemasOnly = true }, here, there));
        var mirrored = TransferText.Of(await PushPullTests.RunAsync(request with { SchemasOnly = true, ReplaceSchemas = true }, here, there));
        Assert.Equal(source.Schemas, receiver.Schemas);
        var last = TransferText.Of(await PushPullTests.RunAsync(request with { SchemasOnly = true }, here, there));

        var push = direction == TransferDirection.Push;
        // Push: schemas first. Pull: events first.
        var (schemas, events) = (push ? "Pushed schema changes to 'east'\n" : "Pulled schema changes from 'east'\n", push ? "Pushed 1 event(s) to 'east'\n" : "Pulled 1 event(s) from 'east'\n");
        Assert.Contains(schemas, merged, StringComparison.Ordinal);
        Assert.Equal(push, merged.IndexOf(schemas, StringComparison.Ordinal) < merged.IndexOf(events, StringComparison.Ordinal));
        Assert.Equal(push ? "Remote 'east' schema store already includes local (1 only there; --replace would remove them)\n" : "Schema store already includes remote 'east' (1 only here; --replace would remove them)\n", again);
        Assert.EndsWith("  1 aggregate change(s)\n    - parcel (1 event(s))\n", mirrored, StringComparison.Ordinal);
        Assert.Equal(push ? "Remote 'east' schema store already matches local\n" : "Schema store already matches remote 'east'\n", last);
    }

    [Fact]
    public async Task What_cannot_be_asked_is_refused_with_its_reason()
    {
        foreach (var (request, problem) in new (TransferRequest, string?)[]
        {
            (new() { Direction = TransferDirection.Push, Remote = "east", SchemasOnly = true, Filter = new() { Types = ["order"] } }, "--schema-only cannot be combined with aggregate filters"),
            (new() { Direction = TransferDirection.Pull, Remote = "east", ReplaceSchemas = true }, "--replace is about schemas, and needs --schema or --schema-only"),
            (new() { Direction = TransferDirection.Push, Remote = "east", Schemas = true, ReplaceSchemas = true, Filter = new() { Types = ["order"] } }, null),
        })
        {
            Assert.Equal(problem, request.Problem);
            var refused = await Record.ExceptionAsync(() => PushPullTests.RunAsync(request, new MemoryReplica(), new MemoryReplica()));
            Assert.Equal(problem, refused?.Message);
        }
    }

    static ImmutableSortedDictionary<string, AggregateSchema> Of(string json) => SchemaJson.ReadDeclared(Encoding.UTF8.GetBytes(json), new(0));
}
