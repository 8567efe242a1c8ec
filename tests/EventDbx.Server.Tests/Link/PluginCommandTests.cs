using System.Text.Json;
using System.Text.RegularExpressions;
using EventDbx.Cli.Output;
using EventDbx.Server.Tests.Admin;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx plugin</c> and <c>dbx queue</c>, with a server and without, against somebody who listens.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed partial class PluginCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    /// <summary>Published synopses of Plugins, in their order, with what they print; <c>{tcp}</c>, <c>{http}</c> and <c>{event}</c> are a port, a port and the id of the first event.</summary>
    static readonly (string Prints, string[] Line)[] Table =
    [
        // plugin install <plugin> <version> --source <path|url> [--bin <file>] [--checksum <sha256>] [--force]
        ("installed plugin 'dbx_search' v1.0.0 for ", ["plugin", "install", "dbx_search", "1.0.0", "--source", "search.sh"]),
        ("installed plugin 'dbx_search' v1.0.0 for ", ["plugin", "install", "dbx_search", "1.0.0", "--source", "search.sh", "--bin", "run", "--checksum", "{checksum}", "--force"]),
        ("installed plugin 'other' v2 for ", ["plugin", "install", "--plugin", "other", "--version", "2", "-s", "search.sh"]),
        // plugin config tcp --name <label> --host <hostname> --port <u16> [--disable]
        ("TCP plugin 'pipe' configured\n", ["plugin", "config", "tcp", "--name", "pipe", "--host", "127.0.0.1", "--port", "{tcp}"]),
        ("TCP plugin 'later' disabled\n", ["plugin", "config", "tcp", "--name", "later", "--host", "nowhere.invalid", "--port", "1", "--disable"]),
        // plugin config http --name <label> --endpoint <host|url> [--https] [--header KEY=VALUE]... [--disable]
        ("HTTP plugin 'hook' configured\n", ["plugin", "config", "http", "--name", "hook", "--endpoint", "127.0.0.1:{http}/events", "--header", "X-Key=k1", "--header", " X-Other = k2=3 "]),
        ("HTTP plugin 'secure' disabled\n", ["plugin", "config", "http", "--name", "secure", "--endpoint", "hooks.invalid/e", "--https", "--disable"]),
        // plugin config grpc --name <label> --endpoint <host|url> [--disable]
        ("gRPC plugin 'mirror' disabled\n", ["plugin", "config", "grpc", "--name", "mirror", "--endpoint", "grpc://mirror.invalid:8800", "--disable"]),
        ("gRPC plugin 'bare' disabled\n", ["plugin", "config", "grpc", "--name", "bare", "--endpoint", "mirror.invalid:8800", "--disable"]),
        // plugin config log --name <label> --level <…> [--template "text with {aggregate} {event} {id}"] [--disable]
        ("Log plugin 'trail' configured\n", ["plugin", "config", "log", "--name", "trail", "--level", "warn", "--template", "text with {aggregate} {event} {id}"]),
        ("Log plugin 'quiet' disabled\n", ["plugin", "config", "log", "--name", "quiet", "--level", "trace", "--disable"]),
        // plugin config process --name <instance> --plugin <id> --version <semver> [--arg <value>]... [--env KEY=VALUE]... [--working-dir <path>] [--disable]
        ("Process plugin 'search' disabled\n", ["plugin", "config", "process", "--name", "search", "--plugin", "dbx_search", "--version", "1.0.0", "--arg", "--listen=0.0.0.0:8081", "--arg", "two", "--env", "SEARCH_CLUSTER=https://example.com", "--working-dir", ".", "--disable"]),
        // plugin enable <label>, plugin disable <label>
        ("Plugin 'pipe' is already enabled\n", ["plugin", "enable", "pipe"]),
        ("Plugin 'pipe' disabled\n", ["plugin", "disable", "pipe"]),
        ("Plugin 'pipe' is already disabled\n", ["plugin", "disable", "pipe"]),
        ("Plugin 'pipe' enabled\n", ["plugin", "enable", "pipe", "--from", "start"]),
        // plugin test
        ("http (hook) - ok\n", ["plugin", "test"]),
        ("Tested 3 plugin(s): 3 succeeded, 0 failed\n", ["plugin", "test"]),
        ("log (quiet) - ok\nTested 1 plugin(s): 1 succeeded, 0 failed\n", ["plugin", "test", "quiet"]),
        // plugin list
        ("tcp (pipe) - enabled (disable with plugin disable pipe)", ["plugin", "list"]),
        ("process (search) - disabled (enable with plugin enable search)", ["plugin", "list"]),
        // queue, queue clear, queue retry [--event-id <uuid>]
        ("pending=0 dead=0\n", ["queue"]),
        ("no dead plugin events to clear\n", ["queue", "clear"]),
        ("no dead plugin events to retry\n", ["queue", "retry"]),
        ("no dead plugin events to retry\n", ["queue", "retry", "--event-id", "{event}"]),
        // plugin replay <plugin-name> <aggregate> [<aggregate_id>]
        ("replayed order::o-1\n", ["plugin", "replay", "hook", "order", "o-1"]),
        ("replayed order::o-1\nreplayed order::o-2\nreplayed 2 aggregate(s) for 'order'\n", ["plugin", "replay", "hook", "order"]),
        ("no aggregates found for 'none'\n", ["plugin", "replay", "hook", "none"]),
        // plugin remove <label>
        ("Plugin 'later' removed\n", ["plugin", "remove", "later"]),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_published_synopsis_of_plugins_and_the_queue_does_what_it_says(bool running)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The program is a script for a shell.");
        await using var pipe = new LineReceiver();
        await using var hook = new PostReceiver();
        await File.WriteAllTextAsync(_line.Directory["search.sh"], "#!/bin/sh\nexec cat > /dev/null\n", TestContext.Current.CancellationToken);
        var first = JsonDocument.Parse((await _line.RunAsync("aggregate", "apply", "order", "o-1", "order-placed")).Out).RootElement;
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "order-paid");
        await _line.RunAsync("aggregate", "apply", "order", "o-2", "order-placed");
        Dictionary<string, string> named = new()
        {
            ["{tcp}"] = $"{pipe.Port}", ["{http}"] = $"{hook.Port}", ["{event}"] = first.GetProperty("metadata").GetProperty("event_id").GetString()!,
            ["{checksum}"] = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(_line.Directory["search.sh"], TestContext.Current.CancellationToken))),
        };
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        foreach (var (prints, words) in Table)
        {
            var outcome = await _line.RunAsync([.. words.Select(word => named.Aggregate(word, (so, name) => so.Replace(name.Key, name.Value, StringComparison.Ordinal)))]);
            Assert.True(outcome.Code == ExitCode.Done && outcome.Out.Contains(prints, StringComparison.Ordinal), $"dbx {string.Join(' ', words)}: {outcome}");
        }

        // The hook was tested twice, and got the events of o-1 by both replays; the pipe, from the start on, gets them from a server alone.
        Assert.Equal(["order-paid", "order-paid", "order-placed", "order-placed", "order-placed", "patient-updated", "patient-updated"], hook.Posts.Select(post => EventOf(post.Body)).Order());
        Assert.All(hook.Posts, post => Assert.Equal(("k1", "k2=3"), (post.Headers["X-Key"], post.Headers["X-Other"])));
        await AdminServer.UntilAsync(() => pipe.Lines.Count(line => EventOf(line) == "order-placed") >= (running ? 2 : 0));
        Assert.Equal(running, pipe.Lines.Any(line => EventOf(line) == "order-placed"));
    }

    static string EventOf(string record) => JsonDocument.Parse(record).RootElement.GetProperty("event_type").GetString()!;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refused_event_is_shown_dead_retried_and_cleared_after_the_prompt(bool running)
    {
        await using var hook = new PostReceiver { Refuses = "poison" };
        await _line.RunAsync("config", "--plugin-max-attempts", "1");
        await _line.RunAsync("plugin", "config", "http", "hook", $"http://127.0.0.1:{hook.Port}/events");
        await _line.RunAsync("plugin", "config", "log", "trail");
        var server = await RunningServer.StartAsync(_line);
        try
        {
            foreach (var id in (string[])["o-1", "o-2"])
                await _line.RunAsync("aggregate", "apply", "order", id, "order-placed", "--payload", """{"poison":true}""");
            await DeadAsync(2);
            if (!running)
            {
                await server.DisposeAsync();
                server = null;
            }

            await DeadAsync(2);
            Assert.Contains(running ? "The plugin http (hook) has refused 2 event(s) for good." : "The plugin hook has refused 2 event(s) for good.", (await _line.RunAsync("doctor")).Out, StringComparison.Ordinal);
            var shown = await _line.RunAsync("queue");
            var ofHook = JsonDocument.Parse((await _line.RunAsync("queue", "--plugin", "hook", "--take", "1", "--json")).Out).RootElement;
            var ofTrail = await _line.RunAsync("queue", "--plugin", "trail");
            Assert.Matches(
                @"^pending=0 dead=2\n\nDead events:\n  [0-9a-f-]{36} aggregate=order::o-1 event=order-placed attempts=1 \(no further retries\) plugin=hook last_error=.*422.*not this one.*\n  .* aggregate=order::o-2 .*\n$",
                shown.Out);
            Assert.Equal((2, 1), (ofHook.GetProperty("dead").GetInt32(), ofHook.GetProperty("dead_events").GetArrayLength()));
            Assert.Equal("pending=0 dead=0\n", ofTrail.Out);

            // Refused again: it stays, and the exit code is 0 as published.
            var first = ofHook.GetProperty("dead_events")[0].GetProperty("event_id").GetString()!;
            var again = await _line.RunAsync("queue", "retry", "--event-id", first);
            Assert.Equal(ExitCode.Done, again.Code);
            Assert.Matches($@"^plugin 'http \(hook\)' failed to process event {first} \(order::o-1\) - .*422.*\nretry summary: 0 succeeded, 1 failed, 2 remaining\nevents still pending: {first}\n$", again.Out);
            var other = await _line.RunAsync("queue", "retry", "--event-id", "01890a5d-ac96-774b-bcce-b302099a8057");
            Assert.Equal((ExitCode.Done, "no dead plugin events match the provided event id\n"), (other.Code, other.Out));

            hook.Refuses = null;
            var retried = await _line.RunAsync("queue", "retry", "--event-id", first);
            Assert.Equal($"event {first} (order::o-1) retried successfully\nretry summary: 1 succeeded, 0 failed, 1 remaining\n", retried.Out);
            Assert.Single(hook.Posts);

            var unasked = await _line.RunAsync("queue", "clear");
            Assert.Equal(ExitCode.Usage, unasked.Code);
            Assert.Contains("--yes", unasked.Error, StringComparison.Ordinal);
            _line.Terminal = true;
            _line.Input = "no\n";
            Assert.Equal("clear cancelled\n", (await _line.RunAsync("queue", "clear")).Out);
            _line.Input = "CLEAR\n";
            var cleared = await _line.RunAsync("queue", "clear");
            Assert.Equal("cleared 1 dead event(s) from the plugin queue\n", cleared.Out);
            Assert.Contains("This will remove 1 dead plugin event(s). Type 'clear' to confirm: ", cleared.Error, StringComparison.Ordinal);
            Assert.Equal("pending=0 dead=0\n", (await _line.RunAsync("queue")).Out);
        }
        finally
        {
            if (server is not null)
                await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_shapes_of_lists_are_as_kept()
    {
        await using var hook = new PostReceiver { Refuses = "poison" };
        await File.WriteAllTextAsync(_line.Directory["secret"], "canary-1\n", TestContext.Current.CancellationToken);
        await _line.RunAsync("config", "--plugin-max-attempts", "1", "--encryption", "off");
        await _line.RunAsync("plugin", "config", "http", "hook", $"http://127.0.0.1:{hook.Port}/events", "--header", "X-Key=@secret", "--signing-secret-file", "secret", "--type", "order", "--hold-on-dead");
        await _line.RunAsync("plugin", "config", "tcp", "pipe", "10.0.0.9", "9100", "--disable");
        await _line.RunAsync("plugin", "config", "grpc", "mirror", "grpc://mirror.example:8800", "--disable");
        await _line.RunAsync("plugin", "config", "log", "trail", "--level", "warn", "--template", "{event} on {aggregate}/{id}", "--disable", "--event", "a", "--event", "b");
        await using (await RunningServer.StartAsync(_line))
        {
            await _line.RunAsync("aggregate", "apply", "order", "o-1", "order-placed", "--payload", """{"poison":true}""");
            await DeadAsync(1);
        }

        var shown = Normal($"""
            plugin list --json
            {(await _line.RunAsync("plugin", "list", "--json")).Out}
            queue --json
            {(await _line.RunAsync("queue", "--json")).Out}
            plugins.json
            {await File.ReadAllTextAsync(Path.Combine(_line.DataDirectory, "plugins.json"), TestContext.Current.CancellationToken)}
            """, hook.Port);

        Assert.Equal(Golden.Expected("plugins.shapes.golden", shown), shown);
    }

    /// <summary>Waits until so many are dead.</summary>
    async Task DeadAsync(int count)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (JsonDocument.Parse((await _line.RunAsync("queue", "--json")).Out).RootElement.GetProperty("dead").GetInt32() != count)
            await Task.Delay(TimeSpan.FromMilliseconds(20), late.Token);
    }

    static string Normal(string text, int port)
    {
        text = text.ReplaceLineEndings("\n").Replace($":{port}/", ":PORT/", StringComparison.Ordinal) + "\n";
        text = Uuids().Replace(text, "UUID");
        return Times().Replace(text, "TIME");
    }

    [Theory]
    [InlineData(2, "missing value", "plugin", "config", "http", "h", "e", "--header", "X-Key")]
    [InlineData(2, "header key cannot be empty", "plugin", "config", "http", "h", "e", "--header", "=v")]
    [InlineData(2, "1 to 65535", "plugin", "config", "tcp", "h", "e", "65536")]
    [InlineData(2, "1 to 65535", "plugin", "config", "tcp", "h", "e", "0")]
    [InlineData(2, "PORT is missing", "plugin", "config", "tcp", "h", "e")]
    [InlineData(2, "`--level` is trace or debug", "plugin", "config", "log", "h", "--level", "loud")]
    [InlineData(2, "did you mean `--endpoint`", "plugin", "config", "grpc", "h", "--endpont", "e")]
    [InlineData(2, "did you mean `retry`", "queue", "rety")]
    [InlineData(2, "did you mean `enable`", "plugin", "enabel", "h")]
    [InlineData(2, "where from?", "plugin", "install", "a", "1")]
    [InlineData(2, "unknown option `--token`", "plugin", "config", "process", "a", "b", "1", "--token", "x")]
    [InlineData(2, "--event-id", "queue", "retry", "--event-id", "no")]
    [InlineData(1, "plugin name cannot be empty", "plugin", "config", "log", " ")]
    [InlineData(1, "plugin identifier cannot be empty", "plugin", "config", "process", "a", "", "1")]
    [InlineData(1, "plugin 'dbx_serch' version 1.0.0 is not installed for target", "plugin", "config", "process", "a", "dbx_serch", "1.0.0")]
    [InlineData(1, "already used by a plugin of type log", "plugin", "config", "tcp", "trail", "h", "1")]
    [InlineData(1, "no plugin named 'trial' is configured; did you mean `trail`?", "plugin", "enable", "trial")]
    [InlineData(1, "no plugin named 'none' is configured", "plugin", "disable", "none")]
    [InlineData(1, "no plugin named 'none' is configured", "plugin", "remove", "none")]
    [InlineData(1, "no plugin named 'none' is configured", "plugin", "test", "none")]
    [InlineData(1, "no enabled plugin named 'none' is configured", "plugin", "replay", "none", "order")]
    [InlineData(1, "no plugin named 'none' is configured", "queue", "--plugin", "none")]
    [InlineData(1, "`from` is now, start or", "plugin", "enable", "trail", "--from", "yesterday")]
    [InlineData(1, "failed to establish connection for 'nowhere'", "plugin", "enable", "nowhere")]
    [InlineData(1, "trail", "plugin", "remove", "trail")]
    public async Task What_cannot_be_done_is_refused_in_the_same_words_on_both_roads(int code, string why, params string[] arguments)
    {
        // An address that nobody has: it is refused at once.
        await _line.RunAsync("plugin", "config", "log", "trail");
        await _line.RunAsync("plugin", "config", "tcp", "nowhere", "127.0.0.1", "1", "--disable");
        var stopped = await _line.RunAsync(arguments);
        await using var server = await RunningServer.StartAsync(_line);
        var served = await _line.RunAsync(arguments);

        Assert.Equal(((ExitCode)code, stopped), (served.Code, served));
        Assert.Contains(why, stopped.Error, StringComparison.Ordinal);
        Assert.Equal(2, JsonDocument.Parse((await _line.RunAsync("plugin", "list", "--json")).Out).RootElement.GetArrayLength());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Secrets_come_from_files_and_variables_and_are_shown_nowhere(bool running)
    {
        await File.WriteAllTextAsync(_line.Directory["key"], "canary-file\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_line.Directory["sign"], "canary-sign\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_line.Directory["run"], "#!/bin/sh\n", TestContext.Current.CancellationToken);
        _line.Environment["HOOK_KEY"] = "canary-variable";
        await using var hook = new PostReceiver();
        await _line.RunAsync("plugin", "install", "run", "1", "--source", "run");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        Outcome[] said =
        [
            await _line.RunAsync("plugin", "config", "http", "hook", $"127.0.0.1:{hook.Port}/", "--header", "X-File=@key", "--header", "X-Variable=env:HOOK_KEY", "--header", "X-Dash=-", "--signing-secret-file", "sign"),
            await _line.RunAsync("plugin", "config", "process", "search", "run", "1", "--env", "KEY=@key", "--env", "OTHER=env:HOOK_KEY", "--disable", "--json"),
            await _line.RunAsync("plugin", "list"),
            await _line.RunAsync("plugin", "list", "--json"),
            await _line.RunAsync("audit", "list", "--json"),
            await _line.RunAsync("plugin", "test", "hook"),
        ];

        Assert.All(said, outcome => Assert.Equal((ExitCode.Done, false), (outcome.Code, (outcome.Out + outcome.Error).Contains("canary", StringComparison.Ordinal))));
        var sent = Assert.Single(hook.Posts).Headers;
        Assert.Equal(("canary-file", "canary-variable", "-"), (sent["X-File"], sent["X-Variable"], sent["X-Dash"]));
        Assert.Contains(sent.Keys, name => name.Contains("Signature", StringComparison.OrdinalIgnoreCase));
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("plugin", "config", "http", "other", "h", "--header", "X-Key=env:NOT_SET")).Code);
    }

    [Fact]
    public async Task Where_there_is_no_store_there_is_no_plugin_and_none_is_made_by_looking()
    {
        Assert.Equal("(no plugins configured)\n", (await _line.RunAsync("plugin", "list")).Out);
        Assert.Equal("[]\n", (await _line.RunAsync("plugin", "list", "--json")).Out);
        Assert.Equal("(no plugins enabled)\n", (await _line.RunAsync("plugin", "test")).Out);
        Assert.Equal("pending=0 dead=0\n", (await _line.RunAsync("queue")).Out);
        Assert.Equal(0, JsonDocument.Parse((await _line.RunAsync("queue", "--json")).Out).RootElement.GetProperty("dead_events").GetArrayLength());
        Assert.Equal("no dead plugin events to clear\n", (await _line.RunAsync("queue", "clear")).Out);
        Assert.Equal("no dead plugin events to retry\n", (await _line.RunAsync("queue", "retry")).Out);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("plugin", "enable", "hook")).Code);
        Assert.Empty(Directory.GetFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task A_plugin_is_tested_listed_and_removed_on_another_machine_and_a_program_is_not_set_up_there()
    {
        await _line.RunAsync("plugin", "config", "log", "trail");
        await using var server = await RunningServer.StartAsync(_line);
        var root = (await server.IssueAsync(new() { Group = "ops", User = "kim", Root = true })).Token;
        var other = (await server.IssueAsync(new() { Group = "ops", User = "kim", Actions = ["*.*"] })).Token;
        Task<Outcome> There(string token, params string[] words) => _line.RunAsync([.. words, "--server", $"http://127.0.0.1:{server.Port}", "--token", token]);

        Assert.Contains("Tested 1 plugin(s): 1 succeeded", (await There(root, "plugin", "test")).Out, StringComparison.Ordinal);
        Assert.Contains("log (trail) - enabled", (await There(root, "plugin", "list")).Out, StringComparison.Ordinal);
        Assert.Equal("Log plugin 'second' disabled\n", (await There(root, "plugin", "config", "log", "second", "--disable")).Out);
        Assert.Equal("Plugin 'second' removed\n", (await There(root, "plugin", "remove", "second")).Out);
        foreach (var words in (string[][])[["plugin", "list"], ["queue"], ["plugin", "test"], ["queue", "retry"], ["plugin", "disable", "trail"]])
        {
            var refused = await There(other, words);
            Assert.Equal(ExitCode.Failed, refused.Code);
            Assert.Contains("root", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal(ExitCode.Usage, (await There(root, "plugin", "config", "process", "a", "b", "1")).Code);
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uuids();

    [GeneratedRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")]
    private static partial Regex Times();
}
