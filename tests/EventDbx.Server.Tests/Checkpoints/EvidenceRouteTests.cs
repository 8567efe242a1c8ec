using System.Text;
using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Checkpoints;

/// <summary>Bundles over REST: what is in them, for whom, and what is refused.</summary>
public sealed class EvidenceRouteTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        foreach (var (type, id, events) in ((string, string, int)[])[("order", "o-1", 5), ("order", "o-2", 1), ("order", "p-1", 2), ("bill", "o-1", 3)])
        {
            for (var i = 0; i < events; i++)
                await _server.AppendAsync(type, id, "made", $$"""{"n":{{i}},"text":"ü\n"}""");
        }
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("", "bill o-1 3, order o-1 5, order o-2 1, order p-1 2")]
    [InlineData("{}", "bill o-1 3, order o-1 5, order o-2 1, order p-1 2")]
    [InlineData("""{"scope":"aggregates","aggregates":null}""", "bill o-1 3, order o-1 5, order o-2 1, order p-1 2")]
    [InlineData("""{"type":"order"}""", "order o-1 5, order o-2 1, order p-1 2")]
    [InlineData("""{"type":"order","id_prefix":"o-"}""", "order o-1 5, order o-2 1")]
    [InlineData("""{"aggregates":[{"aggregate_type":"order","aggregate_id":"p-1"},{"aggregate_type":"bill","aggregate_id":"o-1"}]}""", "bill o-1 3, order p-1 2")]
    public async Task A_bundle_has_what_was_asked_for_and_each_event_is_in_the_log_that_was_signed(string body, string expected)
    {
        var lines = await BundleAsync(body, "root");
        var checkpoint = await CheckedHeaderAsync(lines[0]);
        Assert.Equal(expected, string.Join(", ", lines.Where(line => line.TryGetProperty("aggregate", out _)).Select(line => line.GetProperty("aggregate"))
            .Select(aggregate => $"{aggregate.GetProperty("aggregate_type").GetString()} {aggregate.GetProperty("aggregate_id").GetString()} {aggregate.GetProperty("version")}")));
        foreach (var line in lines.Where(line => line.TryGetProperty("record", out _)))
        {
            var record = line.GetProperty("record");
            Assert.True(Hash32.TryParse(record.GetProperty("hash").GetString(), out var hash));
            Hash32[] path = [.. line.GetProperty("path").GetBytesFromBase64().Chunk(32).Select(bytes => Hash32.Read(bytes))];
            Assert.True(MerkleProof.Includes(record.GetProperty("position").GetUInt64() - 1, checkpoint.Size, hash, checkpoint.Root, path));
            Assert.Equal(22, record.GetProperty("metadata").GetProperty("salt").GetString()!.Length);
        }

        var end = lines[^1].GetProperty("end");
        Assert.Equal(lines.Count(line => line.TryGetProperty("record", out _)), end.GetProperty("events").GetInt32());
    }

    [Fact]
    public async Task A_bundle_of_the_log_leaves_nothing_out_and_continues_an_older_checkpoint()
    {
        var lines = await BundleAsync("""{"scope":"log","since":3}""", "root");
        var checkpoint = await CheckedHeaderAsync(lines[0]);
        var since = lines[0].GetProperty("since");
        Assert.True(Hash32.TryParse(since.GetProperty("root").GetString(), out var root));
        Assert.True(MerkleProof.Extends(
            3, checkpoint.Size, root, checkpoint.Root, [.. since.GetProperty("path").GetBytesFromBase64().Chunk(32).Select(bytes => Hash32.Read(bytes))]));
        var tree = new MerkleTree();
        foreach (var line in lines[1..^1])
        {
            var entry = line.TryGetProperty("record", out var record) ? record : line.GetProperty("control");
            Assert.Equal(tree.Size + 1, entry.GetProperty("position").GetUInt64());
            Assert.True(Hash32.TryParse(entry.GetProperty("hash").GetString(), out var hash));
            tree.Append(hash);
        }

        Assert.Equal((checkpoint.Size, checkpoint.Root), (tree.Size, tree.Root()));
        Assert.True(lines[^1].GetProperty("end").GetProperty("control_entries").GetInt32() > 0);
    }

    [Fact]
    public async Task A_token_gets_evidence_of_what_it_may_read_and_of_nothing_else()
    {
        var auditor = await _server.TokenForAsync("aggregate.read", "aggregate:order:o-*");
        var lines = await BundleAsync("{}", auditor);
        Assert.Equal("order o-1, order o-2", string.Join(", ", lines.Where(line => line.TryGetProperty("aggregate", out _)).Select(line => line.GetProperty("aggregate"))
            .Select(aggregate => $"{aggregate.GetProperty("aggregate_type").GetString()} {aggregate.GetProperty("aggregate_id").GetString()}")));
        foreach (var body in (string[])["""{"aggregates":[{"aggregate_type":"order","aggregate_id":"o-1"},{"aggregate_type":"bill","aggregate_id":"o-1"}]}""", """{"scope":"log"}"""])
            Assert.Equal("permission_denied", (await _server.SendAsync("POST", "/v1/evidence", body, auditor)).Code);
        Assert.Equal("permission_denied", (await _server.SendAsync("POST", "/v1/evidence", """{"scope":"log"}""", await _server.TokenForAsync("aggregate.read"))).Code);
    }

    [Theory]
    [InlineData("[]", "invalid_payload")]
    [InlineData("{\"agregates\":[]}", "unknown_member")]
    [InlineData("{\"aggregates\":[]}", "invalid_argument")]
    [InlineData("{\"aggregates\":{}}", "invalid_argument")]
    [InlineData("{\"aggregates\":[7]}", "invalid_payload")]
    [InlineData("{\"aggregates\":[{\"aggregate_type\":\"order\"}]}", "invalid_name")]
    [InlineData("{\"aggregates\":[{\"aggregate_type\":\"order\",\"aggregate_id\":\"..\"}]}", "invalid_name")]
    [InlineData("{\"aggregates\":[{\"aggregate_type\":\"order\",\"aggregate_id\":\"o-1\",\"version\":1}]}", "unknown_member")]
    [InlineData("{\"aggregates\":[{\"aggregate_type\":\"order\",\"aggregate_id\":\"none\"}]}", "not_found")]
    [InlineData("{\"aggregates\":[{\"aggregate_type\":\"order\",\"aggregate_id\":\"o-1\"}],\"type\":\"order\"}", "invalid_argument")]
    [InlineData("{\"scope\":\"log\",\"type\":\"order\"}", "invalid_argument")]
    [InlineData("{\"scope\":\"everything\"}", "invalid_argument")]
    [InlineData("{\"since\":0}", "invalid_argument")]
    [InlineData("{\"since\":999999}", "invalid_argument")]
    [InlineData("{\"since\":1.5}", "invalid_argument")]
    [InlineData("{\"type\":\"order\",\"type\":\"order\"}", "invalid_payload")]
    public async Task What_cannot_be_proven_is_refused_before_a_line_is_sent(string body, string code) =>
        Assert.Equal(code, (await _server.PostAsync("/v1/evidence", body)).Code);

    [Theory, InlineData(1000, 404), InlineData(1001, 400)]
    public async Task So_many_aggregates_may_be_named_and_no_more(int names, int status)
    {
        var body = $"{{\"aggregates\":[{string.Join(',', Enumerable.Range(0, names).Select(i => $"{{\"aggregate_type\":\"order\",\"aggregate_id\":\"n-{i}\"}}"))}]}}";
        Assert.Equal(status, (await _server.PostAsync("/v1/evidence", body)).Status);
    }

    async Task<List<JsonElement>> BundleAsync(string body, string token)
    {
        var reply = await _server.SendAsync("POST", "/v1/evidence", body.Length == 0 ? null : body, token);
        Assert.True(reply.Status == 200, reply.Body);
        Assert.Equal("application/x-ndjson", reply["Content-Type"]);
        Assert.EndsWith("\n", reply.Body, StringComparison.Ordinal);
        return [.. reply.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
    }

    async Task<Checkpoint> CheckedHeaderAsync(JsonElement header)
    {
        Assert.Equal((await _server.GetAsync("/v1/log/key")).Body.TrimEnd('\n'), header.GetProperty("key").GetString());
        Assert.True(NoteKey.TryParse(header.GetProperty("key").GetString()!, out var key, out _));
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(header.GetProperty("checkpoint").GetString()!), out var note));
        Assert.NotNull(key.GoodOf(note));
        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        return checkpoint;
    }
}
