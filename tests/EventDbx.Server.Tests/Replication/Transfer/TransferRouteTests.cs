using System.Net;
using System.Text;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary><c>POST /admin/replication/push</c> and <c>/pull</c>: lines of progress, and a report at the end, or before what went wrong.</summary>
public sealed class TransferRouteTests : IAsyncLifetime
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    readonly MemoryReplica _remote = new();
    readonly RestServer _server;

    public TransferRouteTests() => _server = new() { ChangeOptions = options => options with { Dial = DialAsync } };

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        Assert.Equal(201, (await _server.SendAsync("PUT", "/admin/remotes/east", $$"""{"endpoint":"tcp://192.0.2.1","public_key":"{{Key}}"}""")).Status);
        for (var n = 0; n < 12; n++)
            await _server.AppendAsync("order", $"o-{n % 3}", "happened", "{}");
    }

    [Fact]
    public async Task It_ends_with_a_report()
    {
        var pushed = await _server.PostAsync("/admin/replication/push", """{"remote":"east"}""");
        var again = await _server.PostAsync("/admin/replication/push", """{"remote":"east","schema":true}""");

        Assert.Equal((200, 12), (pushed.Status, _remote.Events));
        var lines = Lines(pushed);
        Assert.Equal(
            """{"result":{"direction":"push","remote":"east","dry_run":false,"events":{"up_to_date":false,"events":12,"types":[{"aggregate_type":"order","events":12}],"marked":0},"schemas":null}}""", lines[^1]);
        Assert.All(lines[..^1], line => Assert.StartsWith("{\"phase\":\"", line, StringComparison.Ordinal));
        Assert.Equal(
            """{"result":{"direction":"push","remote":"east","dry_run":false,"events":{"up_to_date":true,"events":0,"types":[],"marked":0},"schemas":{"changes":[],"kept":0}}}""", Lines(again)[^1]);
        Assert.True(_remote.Disposed);
    }

    [Fact]
    public async Task What_was_done_before_it_failed_is_told_before_the_error()
    {
        _remote.Before = what =>
        {
            if (what == "apply" && _remote.Batches.Count == 2)
                throw new ReplicaLostException("the connection is lost");
        };

        var lines = Lines(await _server.PostAsync("/admin/replication/push", """{"remote":"east","batch_size":5}"""));

        Assert.Equal("""{"report":{"direction":"push","remote":"east","dry_run":false,"events":{"up_to_date":false,"events":10,"types":[{"aggregate_type":"order","events":10}],"marked":0},"schemas":null}}""", lines[^2]);
        Assert.Equal("""{"error":{"code":"unavailable","message":"failed to apply events on remote east: the connection is lost","retryable":true}}""", lines[^1]);
        _remote.Before = null;
        Assert.Contains("\"events\":2", Lines(await _server.PostAsync("/admin/replication/push", """{"remote":"east"}"""))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_closes_the_connection_ends_it_between_two_batches()
    {
        var (under, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        _remote.Before = what =>
        {
            if (what != "apply" || _remote.Batches.Count != 1)
                return;
            under.TrySetResult();
            Assert.True(go.Task.Wait(Patience), "The test did not go on.");
        };
        using var client = _server.ClientOf(HttpVersion.Version11);
        using var gone = new CancellationTokenSource();
        using var body = new StringContent("""{"remote":"east","batch_size":2}""", Encoding.UTF8, "application/json");
        var asked = client.PostAsync(new Uri("/admin/replication/push", UriKind.Relative), body, gone.Token);
        await under.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);

        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        // The server learns of it in its own time: whatever batch is next then, none is half.
        go.SetResult();
        await UntilAsync(() => _remote.Disposed);

        Assert.True(_remote.Events is > 2 and <= 12 && _remote.Events % 2 == 0, $"{_remote.Events} events are through, in batches of 2.");
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_command_that_is_interrupted_while_a_server_pushes_says_what_was_done(bool json)
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _remote.Before = what =>
        {
            if (what == "apply" && _remote.Batches.Count == 1)
                Assert.True(go.Task.Wait(Patience), "The test did not go on.");
        };
        using var line = new CommandLine { Terminal = true, InterruptAt = " 5 events" };

        var outcome = await line.RunAsync(
            ["push", "east", "--batch-size", "5", "--server", $"http://127.0.0.1:{_server.Host.Port}", "--token", _server.Root, .. json ? ["--json"] : Array.Empty<string>()])
            .WaitAsync(Patience, TestContext.Current.CancellationToken);
        go.SetResult();

        Assert.Equal(EventDbx.Cli.Output.ExitCode.Failed, outcome.Code);
        if (json)
            Assert.Equal(5, System.Text.Json.JsonDocument.Parse(outcome.Out).RootElement.GetProperty("events").GetProperty("events").GetInt32());
        else
            Assert.Equal("Pushed 5 event(s) to 'east'\n  5 event(s) across 1 aggregate(s)\n    order: 5 event(s)\n", outcome.Out);
        Assert.Contains("the batch that was under way may have gone over, too", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("interrupted", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", 400, "`remote` is missing."), InlineData("""{"remote":"none"}""", 404, "no remote named 'none' is configured."), InlineData("""{"remote":"east","dry":true}""", 400, "`dry` is no member of a request for a push or pull")]
    [InlineData("""{"remote":"east","dry_run":1}""", 400, "`dry_run` is true or false; this one is a number."), InlineData("""{"remote":"east","batch_size":-1}""", 400, "`batch_size` is a whole number from 0 up")]
    [InlineData("""{"remote":"east","aggregates":"order"}""", 400, "`aggregates` is an array; this one is a string."), InlineData("""{"remote":"east","aggregates":["a","."]}""", 400, "aggregate_type")]
    [InlineData("""{"remote":"east","aggregate_ids":["order:o-1"]}""", 400, "Each of `aggregate_ids` is a JSON object; this one is a string."), InlineData("""{"remote":"east","aggregate_ids":[{"aggregate_type":"order"}]}""", 400, "aggregate_id")]
    [InlineData("""{"remote":"east","schema_only":true,"aggregates":["order"]}""", 400, "--schema-only cannot be combined with aggregate filters"), InlineData("""{"remote":"east","replace":true}""", 400, "--replace is about schemas")]
    public async Task What_makes_no_sense_is_refused_with_a_status(string body, int status, string said)
    {
        foreach (var way in (string[])["push", "pull"])
        {
            var refused = await _server.PostAsync($"/admin/replication/{way}", body);

            Assert.Equal(status, refused.Status);
            Assert.Contains(said, refused.Body.Replace("\\u0060", "`", StringComparison.Ordinal).Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.Ordinal);
        }

        Assert.Equal(0, _remote.Requests);
    }

    [Fact]
    public async Task Filters_are_taken_from_the_body()
    {
        var pushed = await _server.PostAsync("/admin/replication/push", """{"remote":"east","aggregates":["order"],"aggregate_ids":[{"aggregate_type":"order","aggregate_id":"o-2"}]}""");

        Assert.Contains("\"events\":4", Lines(pushed)[^1], StringComparison.Ordinal);
        Assert.StartsWith("order/o-2 v4 ", _remote.Content, StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    Task<IReplica> DialAsync(string endpoint, PeerKey key, CancellationToken cancellation)
    {
        Assert.Equal(("tcp://192.0.2.1:6363", Key), (endpoint, key.ToString()));
        return Task.FromResult<IReplica>(_remote);
    }

    static string[] Lines(Reply reply) => reply.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    static async Task UntilAsync(Func<bool> reached)
    {
        for (var began = TimeProvider.System.GetTimestamp(); !reached(); await Task.Delay(10))
            Assert.True(TimeProvider.System.GetElapsedTime(began) < Patience, "It did not come to that.");
    }
}
