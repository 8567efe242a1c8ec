using System.Text;
using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Tests.Rest;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Checkpoints;

/// <summary>Checkpoints, tiles and proofs over REST, checked as an outsider would, with the key of the server.</summary>
public sealed class LogRouteTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_checkpoint_on_request_covers_what_was_acknowledged_and_is_signed_with_the_key_of_the_server()
    {
        for (var i = 0; i < 5; i++)
        {
            var position = (await _server.AppendAsync("order", "o-1", "paid", $$"""{"n":{{i}}}""")).Json.GetProperty("position").GetUInt64();
            var (note, checkpoint) = await CheckpointAsync("?wait=checkpoint");
            Assert.True(checkpoint.Size >= position);
            Assert.NotNull((await KeyAsync()).GoodOf(note));
            Assert.Equal($"eventdbx.local/{_server.Host.Database.DatabaseId}", checkpoint.Origin);
        }

        Assert.Equal("no-store", (await _server.GetAsync("/v1/log/checkpoint"))["Cache-Control"]);
    }

    [Fact]
    public async Task Without_waiting_an_event_is_in_a_signed_checkpoint_within_about_a_second()
    {
        var position = (await _server.AppendAsync("order", "o-1", "paid", "{}")).Json.GetProperty("position").GetUInt64();
        await _server.Host.Database.WaitForCheckpointAsync(position - 1, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.True((await CheckpointAsync("")).Checkpoint.Size >= position);
    }

    [Fact]
    public async Task Any_two_checkpoints_have_a_consistency_proof_and_sizes_that_were_not_are_refused()
    {
        var known = new List<Checkpoint>();
        for (var i = 0; i < 6; i++)
        {
            await _server.AppendAsync("order", $"o-{i}", "paid", "{}");
            known.Add((await CheckpointAsync("?wait=checkpoint")).Checkpoint);
        }

        foreach (var from in known)
        {
            foreach (var to in known.Where(to => to.Size >= from.Size))
            {
                var reply = await _server.GetAsync($"/v1/log/consistency?from={from.Size}&to={to.Size}");
                var proof = ProofJson.ReadLogConsistency(reply.Json);
                Assert.Equal((from.Origin, new(from.Size, from.Root), new TreePoint(to.Size, to.Root)), (proof.Origin, proof.From, proof.To));
                Assert.True(MerkleProof.Extends(from.Size, to.Size, from.Root, to.Root, [.. proof.Path]));
            }
        }

        foreach (var query in (string[])["", "?to=3", "?from=0&to=3", "?from=3&to=2", "?from=1&to=99999", "?from=x&to=2"])
            Assert.Equal("invalid_argument", (await _server.GetAsync("/v1/log/consistency" + query)).Code);
        Assert.Equal("unknown_member", (await _server.GetAsync("/v1/log/consistency?since=3")).Code);
    }

    [Fact]
    public async Task Tiles_hash_up_to_the_root_of_the_checkpoint_and_may_be_kept()
    {
        for (var i = 0; i < 300; i++)
            await _server.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("order", $"o-{i}"), EventType = "paid", Payload = "{}"u8.ToArray() }, TestContext.Current.CancellationToken);
        var (_, checkpoint) = await CheckpointAsync("?wait=checkpoint");
        var tree = new MerkleTree();
        foreach (var tile in TilePath.Of(checkpoint.Size))
        {
            using var client = new HttpClient();
            client.DefaultRequestHeaders.Authorization = new("Bearer", _server.Root);
            using var response = await client.GetAsync($"http://127.0.0.1:{_server.Host.Port}/v1/log/tile/{tile}", TestContext.Current.CancellationToken);
            Assert.Equal(("application/octet-stream", "max-age=31536000, private, immutable"), (response.Content.Headers.ContentType!.MediaType, response.Headers.CacheControl!.ToString()));
            var bytes = await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
            Assert.Equal(tile.Width * 32, bytes.Length);
            for (var at = 0; tile.Level == 0 && at < bytes.Length; at += 32)
                tree.Append(Hash32.Read(bytes.AsSpan(at)));
        }

        Assert.Equal((checkpoint.Size, checkpoint.Root), (tree.Size, tree.Root()));
        Assert.Equal("not_found", (await _server.GetAsync("/v1/log/tile/0/009")).Code);
        Assert.Equal("not_found", (await _server.GetAsync("/v1/log/tile/1/000")).Code);
        foreach (var path in (string[])["0/9", "0/000.p/256", "0/x000/001", "8/000", "0/000/", "0/", "0/000.p/1/2"])
            Assert.Equal("invalid_argument", (await _server.GetAsync("/v1/log/tile/" + path)).Code);
        Assert.Equal("not_found", (await _server.GetAsync("/v1/log/tile/0")).Code);
        Assert.Equal("method_not_allowed", (await _server.SendAsync("POST", "/v1/log/tile/0/000")).Code);
    }

    [Fact]
    public async Task A_receipt_holds_against_the_key_and_one_of_another_size_against_a_later_root()
    {
        for (var i = 0; i < 4; i++)
            await _server.AppendAsync("order", "o/1 ü", "paid", $$"""{ "n" : {{i}}, "t": 1.50, "x": "\u00fc" }""");
        var path = "/v1/aggregates/order/o%2F1%20%C3%BC";
        await CheckpointAsync("?wait=checkpoint");
        var key = await KeyAsync();
        foreach (var (version, size) in new[] { (1UL, 1UL), (3UL, 3UL), (2UL, 4UL) })
        {
            var reply = await _server.GetAsync($"{path}/events/{version}/proof{(size == version ? "" : $"?size={size}")}");
            var receipt = ProofJson.ReadReceipt(reply.Json);
            Assert.Equal((version, size), (receipt.Record.Version, receipt.Aggregate.Size));
            Assert.True(MerkleProof.Includes(version - 1, size, receipt.Record.Hash, receipt.Aggregate.Root, [.. receipt.AggregatePath]));
            Assert.NotNull(key.GoodOf(receipt.Checkpoint));
            Assert.True(Checkpoint.TryParse(receipt.Checkpoint.Text, out var checkpoint));
            Assert.True(MerkleProof.Includes(receipt.Record.Position - 1, checkpoint.Size, receipt.Record.Hash, checkpoint.Root, [.. receipt.LogPath]));
            Assert.False(MerkleProof.Includes(receipt.Record.Position, checkpoint.Size, receipt.Record.Hash, checkpoint.Root, [.. receipt.LogPath]));
        }

        var proof = ProofJson.ReadAggregateConsistency((await _server.GetAsync($"{path}/proof?from=1&to=4")).Json);
        Assert.True(MerkleProof.Extends(1, 4, proof.From.Root, proof.To.Root, [.. proof.Path]));
        Assert.Equal(4UL, ProofJson.ReadAggregateConsistency((await _server.GetAsync($"{path}/proof?from=2")).Json).To.Size);

        Assert.Equal("not_found", (await _server.GetAsync($"{path}/events/5/proof")).Code);
        foreach (var wrong in (string[])["/events/3/proof?size=2", "/events/3/proof?size=5", "/events/x/proof", "/proof", "/proof?from=0", "/proof?from=3&to=2", "/proof?from=1&to=5"])
            Assert.Equal("invalid_argument", (await _server.GetAsync(path + wrong)).Code);
        Assert.Equal("not_found", (await _server.GetAsync("/v1/aggregates/order/none/proof?from=1")).Code);
    }

    [Fact]
    public async Task An_auditor_with_log_read_on_two_aggregates_gets_checkpoints_and_their_proofs_and_nothing_else()
    {
        foreach (var id in (string[])["o-1", "o-2", "o-3"])
            await _server.AppendAsync("order", id, "paid", "{}");
        var auditor = await _server.IssueAsync(new()
        {
            Group = "audit", User = "eve", Actions = ["aggregate.read", "log.read"], Resources = ["aggregate:order:o-1", "aggregate:order:o-2"], TtlSeconds = 0,
        });
        foreach (var path in (string[])["/v1/log/checkpoint", "/v1/log/key", "/v1/log/consistency?from=1&to=2", "/v1/log/tile/0/000.p/1", "/v1/aggregates/order/o-1/events/1/proof", "/v1/aggregates/order/o-2/proof?from=1"])
            Assert.Equal(200, (await _server.GetAsync(path, auditor)).Status);
        foreach (var path in (string[])["/v1/aggregates/order/o-3/events/1/proof", "/v1/aggregates/order/o-3/proof?from=1", "/v1/events?include=control"])
            Assert.Equal(403, (await _server.GetAsync(path, auditor)).Status);
        Assert.Equal(403, (await _server.SendAsync("POST", "/v1/verify", token: auditor)).Status);
        var reader = await _server.TokenForAsync("aggregate.read", "aggregate:order:o-1");
        Assert.Equal(403, (await _server.GetAsync("/v1/log/checkpoint", reader)).Status);
        Assert.Equal(200, (await _server.GetAsync("/v1/aggregates/order/o-1/events/1/proof", reader)).Status);
    }

    [Fact]
    public async Task An_append_may_wait_for_the_checkpoint_that_covers_it()
    {
        const string body = """{"aggregate_type":"order","aggregate_id":"w","event_type":"paid","payload":{}}""";
        var writer = await _server.TokenForAsync("aggregate.append", "aggregate:order");
        var reply = await _server.SendAsync("POST", "/v1/events?wait=checkpoint", body, writer);
        Assert.Equal(200, reply.Status);
        Assert.True(_server.Host.Database.FindCheckpoint()!.Value.Checkpoint.Size >= reply.Json.GetProperty("position").GetUInt64());
        Assert.Equal("invalid_argument", (await _server.SendAsync("POST", "/v1/events?wait=forever", body, writer)).Code);
        Assert.Equal("invalid_argument", (await _server.GetAsync("/v1/log/checkpoint?wait=")).Code);
    }

    [Fact]
    public async Task The_status_tells_the_newest_checkpoint()
    {
        await _server.AppendAsync("order", "o-1", "paid", "{}");
        var (_, checkpoint) = await CheckpointAsync("?wait=checkpoint");
        var shown = (await _server.GetAsync("/admin/status")).Json.GetProperty("checkpoint");
        Assert.True(shown.GetProperty("size").GetUInt64() >= checkpoint.Size);
        Assert.Equal((checkpoint.Origin, 0, 0), (shown.GetProperty("origin").GetString(), shown.GetProperty("cosigned").GetInt32(), shown.GetProperty("witnesses").GetInt32()));
        var read = ServerStatus.Read((await _server.GetAsync("/admin/status")).Json);
        Assert.Equal(checkpoint.Origin, read.Checkpoint!.Origin);
    }

    [Theory]
    [InlineData("/v1/log/consistency?from=01&to=2")]
    [InlineData("/v1/log/consistency?from=1%00&to=2")]
    [InlineData("/v1/log/consistency?from=+1&to=2")]
    [InlineData("/v1/aggregates/order/o-1/events/01")]
    public async Task A_number_has_one_spelling(string path)
    {
        await _server.AppendAsync("order", "o-1", "paid", "{}");
        await CheckpointAsync("?wait=checkpoint");
        Assert.Equal((400, "invalid_argument"), ((await _server.GetAsync(path)).Status, (await _server.GetAsync(path)).Code));
    }

    [Fact]
    public async Task Nobody_but_the_first_checkpoint_makes_the_key()
    {
        using var directory = new TemporaryDirectory();
        await using var database = Open(directory.Path);
        var session = database.OpenSession();
        await session.AppendAsync(new() { Aggregate = AggregateKey.Create("order", "o-1"), EventType = "paid", Payload = "{}"u8.ToArray() }, Cancellation);
        var refused = Assert.Throws<RefusedException>(() => database.ReadLogKey());
        Assert.Contains("checkpoint.key is not in the data directory", refused.Message, StringComparison.Ordinal);
        session.VerifyAll(null, Cancellation);
        Assert.False(File.Exists(directory[KeyFile.LogFileName]));

        var note = await database.ReadCheckpointAsync(0, handOut: true, Cancellation);
        Assert.True(File.Exists(directory[KeyFile.LogFileName]));
        Assert.True(NoteKey.TryParse(database.ReadLogKey(), out var key, out _));
        Assert.NotNull(key.GoodOf(note));
    }

    [Theory, InlineData("missing"), InlineData("another")]
    public async Task Where_the_key_is_not_the_one_that_signed_nothing_is_signed_and_no_key_is_made(string what)
    {
        await _server.AppendAsync("order", "o-1", "paid", "{}");
        await CheckpointAsync("?wait=checkpoint");
        var good = await KeyAsync();
        var file = Path.Combine(_server.DataDir, KeyFile.LogFileName);
        await _server.Host.StopAsync(TimeSpan.FromSeconds(5));
        var text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        File.Delete(file);
        if (what == "another")
            KeyFile.OfLog(_server.DataDir).Dispose();
        await using (var database = Open(_server.DataDir))
        {
            var key = Assert.Throws<RefusedException>(() => database.ReadLogKey());
            var signing = await Assert.ThrowsAsync<RefusedException>(() => database.ReadCheckpointAsync(0, handOut: true, TestContext.Current.CancellationToken));
            var says = what == "missing" ? "checkpoint.key is not in the data directory" : "was not signed with the key that is here now";
            Assert.All([key, signing], refused => Assert.Equal((RefusalCode.Unavailable, true), (refused.Refusal.Code, refused.Message.Contains(says, StringComparison.Ordinal))));
            if (what == "missing")
            {
                var verified = database.OpenSession().VerifyAll(null, Cancellation);
                Assert.Equal((false, true), (verified.CheckpointSignaturesChecked, verified.Checkpoints > 0));
            }
        }

        Assert.Equal(what == "another", File.Exists(file));
        File.Delete(file);
        _ = Storage.DurableFile.TryCreate(file, Encoding.UTF8.GetBytes(text));
        await _server.StartAsync();
        Assert.Equal(good.ToString(), (await KeyAsync()).ToString());
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static Database Open(string directory) => Database.Open(new()
    {
        Directory = directory, Encrypted = false,
        Signer = () => KeyFile.OfLogThatHasSigned(directory), NewSigner = () => KeyFile.OfLog(directory),
    });

    [Fact]
    public async Task A_configured_origin_that_waits_for_the_next_epoch_is_told_and_the_server_is_ready()
    {
        var origin = "log.example/one";
        await using var server = new RestServer(options => options with { LogOrigin = origin });
        await server.InitializeAsync();
        await server.AppendAsync("order", "o-1", "paid", "{}");
        Assert.Equal(200, (await server.GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        Assert.False((await server.GetAsync("/admin/status")).Json.TryGetProperty("log_origin_waiting", out _));

        await server.Host.StopAsync(TimeSpan.FromSeconds(5));
        origin = "log.example/two";
        await server.StartAsync();
        Assert.Equal("log.example/two", ServerStatus.Read((await server.GetAsync("/admin/status")).Json).LogOriginWaiting);
        Assert.Equal(200, (await server.GetAsync("/ready")).Status);
        Assert.StartsWith("log.example/one+", (await server.GetAsync("/v1/log/key")).Body, StringComparison.Ordinal);
        Assert.StartsWith("log.example/one\n", (await server.GetAsync("/v1/log/checkpoint")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_others_may_read_is_refused_and_told()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are of Unix.");
        await _server.Host.StopAsync(TimeSpan.FromSeconds(5));
        KeyFile.OfLog(_server.DataDir).Dispose();
        var file = Path.Combine(_server.DataDir, KeyFile.LogFileName);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        await _server.StartAsync();
        var refused = await _server.GetAsync("/v1/log/key");
        Assert.Equal((503, "unavailable"), (refused.Status, refused.Code));
        Assert.Contains("chmod 600 checkpoint.key", refused.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(_server.DataDir, refused.Body, StringComparison.Ordinal);
        // Appends do not need it.
        await _server.AppendAsync("order", "o-9", "paid", "{}");
    }

    async Task<NoteKey> KeyAsync()
    {
        var reply = await _server.GetAsync("/v1/log/key");
        Assert.Equal("text/plain; charset=utf-8", reply["Content-Type"]);
        Assert.True(NoteKey.TryParse(reply.Body.TrimEnd('\n'), out var key, out var why), why);
        return key;
    }

    async Task<(SignedNote Note, Checkpoint Checkpoint)> CheckpointAsync(string query)
    {
        var reply = await _server.GetAsync("/v1/log/checkpoint" + query);
        Assert.Equal((200, "text/plain; charset=utf-8"), (reply.Status, reply["Content-Type"]));
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(reply.Body), out var note));
        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        return (note, checkpoint);
    }
}
