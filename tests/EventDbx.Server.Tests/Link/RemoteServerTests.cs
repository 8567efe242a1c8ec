using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Conformance;
using EventDbx.Server.Tests.Tokens;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx --server</c>: which commands take it, as whom they come, and what is said where nobody of ours answers.</summary>
public sealed class RemoteServerTests : IDisposable
{
    readonly CommandLine _line = new();

    [Fact]
    public async Task A_command_is_told_where_and_as_whom_in_front_or_behind_and_flags_go_before_variables()
    {
        await using var elsewhere = await RemoteCli.StartAsync();
        var url = elsewhere.Line.Environment["EVENTDBX_SERVER"];
        var token = elsewhere.Line.Environment["EVENTDBX_TOKEN"];
        _line.Directory.Write("token.txt", token + "\n");
        _line.Environment["MINE"] = token;

        foreach (var arguments in (string[][])
        [
            ["--server", url, "--token", token, "aggregate", "apply", "order", "o-1", "made"],
            ["aggregate", "apply", "order", "o-1", "made", "--server", url, "--token", token],
            ["aggregate", "apply", "--server=" + url, "order", "o-1", "--token=@token.txt", "made"],
            ["--token", "env:MINE", "aggregate", "apply", "order", "o-1", "made", "--server", url + "/"],
        ])
        {
            var applied = await _line.RunAsync(arguments);
            Assert.Equal((ExitCode.Done, ""), (applied.Code, applied.Error));
        }

        _line.Environment["EVENTDBX_SERVER"] = "http://127.0.0.1:1";
        _line.Environment["EVENTDBX_TOKEN"] = "garbage";
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("--server", url, "--token", token, "aggregate", "get", "order", "o-1")).Code);
        var status = await _line.RunAsync("status", "--server", url, "--token", token, "--json");
        Assert.Equal(elsewhere.Server.Port, JsonNode.Parse(status.Out)!["port"]!.GetValue<int>());
        Assert.False(Directory.Exists(_line.DataDirectory));
    }

    [Fact]
    public async Task A_token_that_something_is_done_to_and_the_one_that_does_it_are_told_apart()
    {
        await using var elsewhere = await RemoteCli.StartAsync();
        var url = elsewhere.Line.Environment["EVENTDBX_SERVER"];
        var root = elsewhere.Line.Environment["EVENTDBX_TOKEN"];
        var other = (await elsewhere.Server.IssueAsync(new() { Group = "a", User = "b", TtlSeconds = 0 })).Token;

        var refused = await _line.RunAsync("--server", url, "--token", other, "token", "revoke", "--token", root);
        var revoked = await _line.RunAsync("--server", url, "--token", root, "token", "revoke", "--token", other);
        var listed = await _line.RunAsync("token", "list", "--json", "--server", url, "--token", root);

        Assert.Equal((ExitCode.Failed, "Error: Only a root token may manage tokens.\n"), (refused.Code, refused.Error));
        Assert.StartsWith("revoked ", revoked.Out, StringComparison.Ordinal);
        Assert.Equal(["active", "revoked"], JsonNode.Parse(listed.Out)!.AsArray().Select(token => token!["status"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("needs a token", "aggregate", "list", "--server", "http://127.0.0.1:1")]
    [InlineData("needs a token", "status", "--server", "https://127.0.0.1:1")]
    [InlineData("`--server` and `--data-dir` exclude each other", "aggregate", "list", "--server", "http://127.0.0.1:1", "--data-dir", "x")]
    [InlineData("`--server` and `--config` exclude each other", "aggregate", "list", "--server", "http://127.0.0.1:1", "--config", "x")]
    [InlineData("`--server-ca` goes with `--server`", "aggregate", "list", "--server-ca", "x")]
    [InlineData("`--token` goes with `--server`", "status", "--token", "x")]
    [InlineData("begins with https://", "aggregate", "list", "--server", "http://127.0.0.1:1", "--server-fingerprint", "x")]
    [InlineData("`--server` is not for `dbx stop`", "stop", "--server", "http://127.0.0.1:1")]
    [InlineData("`--server` is not for `dbx config`", "--server", "http://127.0.0.1:1", "config")]
    [InlineData("`--server` is not for `dbx start`", "start", "--server", "http://127.0.0.1:1")]
    [InlineData("`--server` is not for `dbx recover`", "recover", "--server", "http://127.0.0.1:1")]
    [InlineData("`--server` is not for `dbx destroy`", "destroy", "--server", "http://127.0.0.1:1")]
    [InlineData("`--server` is not for `dbx doctor`", "doctor", "--server", "http://127.0.0.1:1")]
    [InlineData("`--client-key` is not for `dbx stop`", "stop", "--client-key", "x")]
    [InlineData("`--token` is not for `dbx stop`", "--token", "x", "stop")]
    [InlineData("`--without-key` reads the files", "verify", "--all", "--without-key", "--server", "http://127.0.0.1:1")]
    [InlineData("is blank", "aggregate", "list", "--server", " ")]
    [InlineData("not `127.0.0.1:7070`", "aggregate", "list", "--server", "127.0.0.1:7070")]
    [InlineData("not `ftp://h`", "aggregate", "list", "--server", "ftp://h")]
    [InlineData("nothing more", "aggregate", "list", "--server", "https://h:1/base")]
    [InlineData("nothing more", "aggregate", "list", "--server", "https://user:secret@h:1")]
    [InlineData("nothing more", "aggregate", "list", "--server", "https://h:1?a=b")]
    [InlineData("sha256: and 64 hex digits", "aggregate", "list", "--server", "https://h:1", "--server-fingerprint", "sha256:abc")]
    [InlineData("go together", "aggregate", "list", "--server", "https://h:1", "--client-cert", "x")]
    public async Task What_does_not_go_together_is_refused_before_anything_is_done(string words, params string[] arguments)
    {
        var refused = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Usage, ""), (refused.Code, refused.Out));
        Assert.Contains(words, refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task A_variable_about_another_machine_is_not_heeded_by_what_is_about_this_one_and_that_is_said()
    {
        _line.Environment["EVENTDBX_SERVER"] = "http://127.0.0.1:1";
        _line.Environment["EVENTDBX_TOKEN"] = "x";

        var config = await _line.RunAsync("config");
        var here = await _line.RunAsync("aggregate", "list", "--data-dir", _line.Directory["here"]);
        var there = await _line.RunAsync("aggregate", "list");

        Assert.Equal(ExitCode.Done, config.Code);
        Assert.StartsWith("EVENTDBX_SERVER is not heeded: `dbx config` is about this machine.\n", config.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, "EVENTDBX_SERVER is not heeded: the command line says where the data is.\n"), (here.Code, here.Error));
        Assert.Equal(ExitCode.Failed, there.Code);
        Assert.Contains("The server at http://127.0.0.1:1 cannot be reached", there.Error, StringComparison.Ordinal);
        _line.Environment["EVENTDBX_SERVER"] = "";
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("aggregate", "list")).Code);
    }

    [Fact]
    public async Task Who_is_not_reached_was_sent_nothing_and_that_is_not_a_lost_answer()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();

        var refused = await _line.RunAsync("aggregate", "apply", "order", "o-1", "made", "--server", $"http://127.0.0.1:{port}", "--token", "x", "--json");

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        var error = JsonNode.Parse(refused.Error)!;
        Assert.Equal(("unreachable", true), (error["code"]!.GetValue<string>(), error["retryable"]!.GetValue<bool>()));
        Assert.DoesNotContain("--event-id", error["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("200 OK", "text/html", "<html>", "of another version, or no EventDBX at all")]
    [InlineData("200 OK", "application/json", "{}", "of another version, or no EventDBX at all")]
    [InlineData("200 OK", "application/json", "[{\"key\":1}]", "of another version, or no EventDBX at all")]
    [InlineData("200 OK", "application/json", "not json", "of another version, or no EventDBX at all")]
    [InlineData("404 Not Found", "text/plain", "nothing here", "answered 404 NotFound, and not with an error of EventDBX")]
    [InlineData("401 Unauthorized", "application/json", "{\"message\":\"unauthorized\"}", "answered 401 Unauthorized, and not with an error of EventDBX")]
    [InlineData("301 Moved Permanently", "text/plain", "", "answered 301 MovedPermanently, and not with an error of EventDBX")]
    public async Task Somebody_else_at_the_address_is_said_to_be_somebody_else(string status, string type, string body, string words)
    {
        await using var server = new ScriptedServer((_, _) =>
            $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nLocation: http://127.0.0.1:1/elsewhere\r\n\r\n{body}");

        var failed = await _line.RunAsync("aggregate", "list", "--server", $"http://127.0.0.1:{server.Port}", "--token", "x");

        Assert.Equal((ExitCode.Failed, ""), (failed.Code, failed.Out));
        Assert.Contains(words, failed.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("please report", failed.Error, StringComparison.Ordinal);
        // A redirect is not followed: the token is for the server that was named.
        Assert.Single(server.Requests);
        Assert.Contains("Authorization: Bearer x\r\n", server.Requests[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("200 OK", "aggregate", "list")]
    [InlineData("401 Unauthorized", "aggregate", "list")]
    [InlineData("200 OK", "verify", "--all")]
    [InlineData("401 Unauthorized", "verify", "--all")]
    public async Task An_answer_without_end_is_not_read_on_and_asked_for_once(string status, params string[] command)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var asked = 0;
        var sent = 0L;
        var serving = Task.Run(async () =>
        {
            var spaces = Encoding.ASCII.GetBytes($"100000\r\n{new string(' ', 0x100000)}\r\n");
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync(TestContext.Current.CancellationToken);
                try
                {
                    await socket.ReceiveAsync(new byte[16 * 1024]);
                    asked++;
                    await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"));
                    while (true)
                        sent += await socket.SendAsync(spaces);
                }
                catch (SocketException)
                {
                    // Hung up, as it should be.
                }
            }
        }, TestContext.Current.CancellationToken);

        var failed = await _line.RunAsync([.. command, "--server", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}", "--token", "x"]);

        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
        Assert.Equal((ExitCode.Failed, ""), (failed.Code, failed.Out));
        Assert.Contains(" MiB, which no answer of EventDBX", failed.Error, StringComparison.Ordinal);
        Assert.Equal(1, asked);
        Assert.InRange(sent, 0, ServerLimits.AnswerBytesMax + (32L * 1024 * 1024));
    }

    [Fact]
    public async Task An_append_whose_answer_was_lost_is_asked_for_once_more_and_what_would_be_done_twice_is_not()
    {
        await using var server = new ScriptedServer((_, _) => null);
        string[] there = ["--server", $"http://127.0.0.1:{server.Port}", "--token", "x"];

        var applied = await _line.RunAsync([.. there, "aggregate", "apply", "order", "o-1", "made"]);
        Assert.Equal(2, server.Requests.Count);
        var generated = await _line.RunAsync([.. there, "token", "generate", "--group", "a", "--user", "b"]);
        Assert.Equal(3, server.Requests.Count);

        Assert.Contains("--event-id", applied.Error, StringComparison.Ordinal);
        Assert.All((Outcome[])[applied, generated], outcome => Assert.Contains("went away before it answered. If it speaks TLS", outcome.Error, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("localhost", false)]
    [InlineData("0.0.0.0", true)]
    public async Task A_token_that_travels_in_clear_beyond_this_machine_is_warned_of(string host, bool warned)
    {
        await using var elsewhere = await RemoteCli.StartAsync();
        var url = $"http://{host}:{elsewhere.Server.Port}";

        var listed = await elsewhere.Line.RunAsync("aggregate", "list", "--server", url);

        Assert.Equal(ExitCode.Done, listed.Code);
        Assert.Equal(warned ? $"Warning: {url} does not encrypt: the token and everything else can be read on the way.\n" : "", listed.Error);
    }

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Theory]
    [InlineData("directory")]
    [InlineData("socket")]
    [InlineData("server")]
    public async Task Every_token_that_is_not_good_is_refused_by_commands_on_every_road(string road)
    {
        await _line.RunAsync("config", "--encryption", "off");
        var file = ConfigFile.Load(_line.ConfigPath, _line.DataDirectory, null, TimeProvider.System);
        var auth = await AuthSettings.EnsureAsync(file, TestContext.Current.CancellationToken);
        var now = DateTimeOffset.UtcNow;
        await file.Reload().UpdateAsync(
            saved => saved with
            {
                AuthPreviousSecret = Convert.ToBase64String(CraftedTokens.OldSecretUntil(now).Secret), AuthPreviousKeyId = "key-0", AuthPreviousUntil = Timestamp.From(now.AddHours(-1)).ToString(),
            },
            TestContext.Current.CancellationToken);
        Crafted[] bad = [.. CraftedTokens.Refused(auth, now).Where(crafted => !string.IsNullOrEmpty(crafted.Token))];
        var good = CraftedTokens.Good(auth, now);
        _line.Directory.Write(".eventdbx/tokens.json", CraftedTokens.Ledger([.. bad, good]));
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        await using var server = road == "directory" ? null : await RunningServer.StartAsync(_line);
        string[] there = road == "server" ? ["--server", $"http://127.0.0.1:{server!.Port}"] : [];

        foreach (var crafted in bad)
        {
            var refused = await _line.RunAsync([.. there, "aggregate", "get", "order", "o-1", "--json", $"--token={crafted.Token}"]);
            Assert.True(
                refused is { Code: ExitCode.Failed, Out: "" } && JsonNode.Parse(refused.Error)!["code"]!.GetValue<string>() == "unauthenticated",
                $"A token that is {crafted.Name}: {refused}");
        }

        // Nor is one that would be two headers.
        foreach (var broken in (string[])["x\ny", $"{good.Token}\r\nX-EventDBX-User: root", $"{good.Token}\u0001"])
        {
            var refused = await _line.RunAsync([.. there, "aggregate", "get", "order", "o-1", "--json", $"--token={broken}"]);
            Assert.Equal((ExitCode.Failed, "", "unauthenticated"), (refused.Code, refused.Out, JsonNode.Parse(refused.Error)!["code"]!.GetValue<string>()));
        }

        Assert.Equal(ExitCode.Done, (await _line.RunAsync([.. there, "aggregate", "get", "order", "o-1", $"--token={good.Token}"])).Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync([.. there, "token", "list", $"--token={bad[^1].Token}"])).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync([.. there, "token", "list", $"--token={good.Token}"])).Code);
    }

    public void Dispose() => _line.Dispose();
}
