using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary>A server that goes away, or is only just coming, while a command talks to it.</summary>
public sealed class LostConnectionTests : IAsyncDisposable
{
    const string Record = """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"paid","payload":{},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","created_at":"2025-01-02T03:04:05Z","issued_by":null},"version":1,"hash":"0a29c45d9ba3b5a5dc6c8ab3f47f0ae1f0f7d8b3f2e1a0c9b8d7e6f504132231","merkle_root":"0a29c45d9ba3b5a5dc6c8ab3f47f0ae1f0f7d8b3f2e1a0c9b8d7e6f504132231","position":1}""";

    readonly CommandLine _line = new();
    readonly Database _held;

    public LostConnectionTests()
    {
        Directory.CreateDirectory(_line.DataDirectory);
        File.WriteAllText(_line.ConfigPath, "encryption = \"off\"\n");
        _held = Database.Open(new() { Directory = _line.DataDirectory, Encrypted = false, Socket = Socket });
    }

    string Socket => Path.Combine(_line.DataDirectory, "dbx.sock");

    [Fact]
    public async Task An_append_whose_answer_was_lost_is_asked_for_once_more_under_the_same_id()
    {
        await using var server = new ScriptedServer(Socket, (number, _) =>
            number == 1 ? null : ScriptedServer.Json(Record, headers: "Idempotent-Replayed: true\r\n"));

        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid");

        Assert.Equal((ExitCode.Done, ""), (applied.Code, applied.Error));
        Assert.Equal(2, server.Requests.Count);
        Assert.Equal(IdOf(server.Requests[0]), IdOf(server.Requests[1]));
        Assert.All(server.Requests, request => Assert.Contains($"X-EventDBX-User: {Environment.UserName}\r\n", request, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_append_that_is_lost_twice_says_how_to_ask_for_it_again_and_that_is_what_was_sent()
    {
        await using var server = new ScriptedServer(Socket, (_, _) => null);

        var lost = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid");
        var json = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--json");

        Assert.Equal((ExitCode.Failed, ""), (lost.Code, lost.Out));
        Assert.Contains($"`--event-id {IdOf(server.Requests[0])}`", lost.Error, StringComparison.Ordinal);
        Assert.Equal(4, server.Requests.Count);
        Assert.Equal(("connection_lost", true), (JsonNode.Parse(json.Error)!["code"]!.GetValue<string>(), JsonNode.Parse(json.Error)!["retryable"]!.GetValue<bool>()));
    }

    [Theory]
    [InlineData("""{"error":{"code":"integrity_violation","message":"Version 2 was changed."}}""", 3, "Version 2 was changed.")]
    [InlineData("", 1, "went away before the evidence was whole")]
    [InlineData("""{"record":{},"pa""", 1, "went away before the evidence was whole")]
    public async Task Evidence_that_is_not_whole_gets_no_file(string last, int exit, string words)
    {
        var code = (ExitCode)exit;
        var bundle = "{\"format\":\"eventdbx-evidence/1\"}\n{\"record\":{},\"path\":\"\"}\n" + (last.StartsWith("{\"error\"", StringComparison.Ordinal) ? last + "\n" : last);
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json(bundle));

        var file = await _line.RunAsync("aggregate", "export", "--all", "--evidence", "--output", "e.ndjson");
        var printed = await _line.RunAsync("aggregate", "export", "--all", "--evidence", "--output", "-");

        Assert.Equal((code, ""), (file.Code, file.Out));
        Assert.Contains(words, file.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_line.Directory.Path));
        Assert.Equal(code, printed.Code);
        Assert.DoesNotContain("\"end\"", printed.Out, StringComparison.Ordinal);
        if (code == ExitCode.Difference)
            Assert.EndsWith(last + "\n", printed.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aggregate", "create", "order", "o-1")]
    [InlineData("aggregate", "remove", "order", "o-1")]
    [InlineData("token", "generate", "--group", "a", "--user", "b")]
    public async Task What_would_be_done_twice_is_asked_for_once(params string[] arguments)
    {
        await using var server = new ScriptedServer(Socket, (_, _) => null);

        var lost = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Failed, ""), (lost.Code, lost.Out));
        Assert.Contains("went away before it answered", lost.Error, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task An_answer_that_is_no_error_of_ours_is_said_to_be_none()
    {
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json("<html>", "502 Bad Gateway"));

        var failed = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Failed, ""), (failed.Code, failed.Out));
        Assert.Contains("answered 502 BadGateway, and not with an error of EventDBX", failed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_just_starting_is_met()
    {
        var listing = Task.Run(() => _line.RunAsync("aggregate", "list", "--lock-timeout", "60"));
        // There is no socket, and the directory is in use: until the server listens, there is nothing to do but to wait.
        Assert.False(listing.IsCompleted);
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json("[]"));

        Assert.Equal(new Outcome(ExitCode.Done, "", ""), await listing);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_socket_that_nobody_listens_on_does_not_disturb()
    {
        // Nothing accepts there: neither a file that is no socket, nor what a killed server leaves (tested with a real one).
        await File.WriteAllTextAsync(Socket, "", TestContext.Current.CancellationToken);

        var refused = await _line.RunAsync("aggregate", "list", "--lock-timeout", "0");
        await _held.DisposeAsync();
        var listed = await _line.RunAsync("aggregate", "list");

        Assert.Equal(ExitCode.Refused, refused.Code);
        Assert.Contains("is in use by process", refused.Error, StringComparison.Ordinal);
        Assert.Equal(new Outcome(ExitCode.Done, "", ""), listed);
    }

    [Fact]
    public async Task A_server_that_is_silent_is_given_up_on_by_name()
    {
        // Nobody accepts what the system has accepted: so is a process that is stopped.
        using var frozen = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        frozen.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Socket));
        frozen.Listen();
        _line.ServerPatience = TimeSpan.FromMilliseconds(100);

        var read = await _line.RunAsync("aggregate", "list");
        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid");
        var verified = await _line.RunAsync("verify", "--all");

        Assert.All((Outcome[])[read, applied, verified], outcome =>
        {
            Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
            Assert.StartsWith($"Error: The server (pid {Environment.ProcessId}) at {Socket} has not answered within 0.1 s. `dbx status`", outcome.Error, StringComparison.Ordinal);
        });
        Assert.Contains("Run the command again with `--event-id ", applied.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Progress_of_a_verification_in_the_server_is_shown_on_a_terminal()
    {
        const string result = """{"result":{"log_size":7,"log_root":"0a29c45d9ba3b5a5dc6c8ab3f47f0ae1f0f7d8b3f2e1a0c9b8d7e6f504132231","events":7,"control_entries":0,"aggregates":1,"archived":0,"client_ids":0,"fold_points":0,"snapshots":0,"tiles":0,"payloads_checked":true,"checkpoints":0,"checkpoint_signatures_checked":false,"seconds":1.5}}""";
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json("{\"phase\":\"log\",\"done\":3,\"total\":7}\n" + result + "\n"));
        _line.Terminal = true;

        var verified = await _line.RunAsync("verify", "--all");

        Assert.Equal(ExitCode.Done, verified.Code);
        Assert.StartsWith("verified 7 events and 0 other entries in 1 aggregates (0 archived) in 1.5 s", verified.Out, StringComparison.Ordinal);
        Assert.Contains("3 entries of the log", verified.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_verification_whose_answer_breaks_off_is_no_verification()
    {
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json("{\"phase\":\"log\",\"done\":3,\"total\":7}\n"));

        var failed = await _line.RunAsync("verify", "--all");

        Assert.Equal((ExitCode.Failed, ""), (failed.Code, failed.Out));
        Assert.Contains("went away before the verification ended", failed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tampering_that_the_server_finds_is_a_difference()
    {
        await using var server = new ScriptedServer(Socket, (_, _) => ScriptedServer.Json(
            """{"error":{"code":"integrity_violation","message":"Version 3 is not what was committed.","retryable":false}}""" + "\n"));

        var found = await _line.RunAsync("verify", "--all");

        Assert.Equal(new Outcome(ExitCode.Difference, "", "Error: Version 3 is not what was committed.\n"), found);
    }

    public async ValueTask DisposeAsync()
    {
        await _held.DisposeAsync();
        _line.Dispose();
    }

    static string IdOf(string request) =>
        JsonNode.Parse(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..])!["event_id"]!.GetValue<string>();
}
