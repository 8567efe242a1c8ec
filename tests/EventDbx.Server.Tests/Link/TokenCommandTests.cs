using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx token</c>, and commands that come as a token.</summary>
public sealed class TokenCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    [Fact]
    public async Task A_token_is_shown_once_and_lists_have_what_is_left_of_it()
    {
        await NotEncryptedAsync();

        var generated = await _line.RunAsync("token", "generate", "--group", "admin", "--user", "jane", "--expiration", "3600", "--limit", "10");
        var listed = await _line.RunAsync("token", "list");

        Assert.Equal(ExitCode.Done, generated.Code);
        Assert.Equal("Without --root and --action it may append to everything that its resources reach, and read it.\n", generated.Error);
        var lines = generated.Out.Split('\n');
        Assert.StartsWith("token=eyJ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("  jti=", lines[1], StringComparison.Ordinal);
        Assert.Equal(["  subject=admin:jane", "  group=admin", "  user=jane", "  root=false", "  status=Active", "  issued_by=cli"], lines[2..8]);
        Assert.Matches("^  issued_at=20.*Z$", lines[8]);
        Assert.Matches("^  expires_at=20.*Z$", lines[9]);
        Assert.Equal(["  actions=[aggregate.append,aggregate.read]", "  resources=[*]", "  writes_remaining=10", "  keep_alive=false", ""], lines[10..]);
        Assert.Equal(string.Join('\n', [lines[1].TrimStart(), .. lines[2..]]), listed.Out);
        Assert.DoesNotContain(lines[0]["token=".Length..], await File.ReadAllTextAsync(Path.Combine(_line.DataDirectory, "tokens.json"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_is_told_the_actions_that_were_not_given_and_the_note_says_so()
    {
        await NotEncryptedAsync();
        await using var server = await RunningServer.StartAsync(_line);

        var generated = await _line.RunAsync("token", "generate", "--group", "admin", "--user", "jane");
        var named = await _line.RunAsync("token", "generate", "--group", "admin", "--user", "jane", "--action", "aggregate.read");

        Assert.Equal((ExitCode.Done, ExitCode.Done, ""), (generated.Code, named.Code, named.Error));
        Assert.Equal("Without --root and --action it may append to everything that its resources reach, and read it.\n", generated.Error);
        Assert.Contains("  actions=[aggregate.append,aggregate.read]\n", generated.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_token_that_may_archive_and_not_read_is_shown_no_state(bool running)
    {
        await NotEncryptedAsync();
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made", "--field", "word=sesame");
        var token = await GenerateAsync("ops", "kim", "--action", "aggregate.archive");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var kept = await _line.RunAsync("aggregate", "snapshot", "order", "o-1", "--token", token);
        var archived = await _line.RunAsync("aggregate", "archive", "order", "o-1", "--token", token);
        var own = await _line.RunAsync("aggregate", "snapshot", "order", "o-1");

        Assert.Equal((ExitCode.Done, ExitCode.Done), (kept.Code, archived.Code));
        Assert.Null(JsonNode.Parse(kept.Out)!["state"]);
        Assert.Equal("sesame", JsonNode.Parse(own.Out)!["state"]!["word"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_command_with_a_token_is_and_sees_what_the_token_is(bool running)
    {
        await NotEncryptedAsync();
        await _line.RunAsync("aggregate", "apply", "secret", "s-1", "made");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        var token = await GenerateAsync("shop", "till", "--action", "aggregate.append", "--resource", "aggregate:order:*", "--limit", "2");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--token", token);
        var elsewhere = await _line.RunAsync("aggregate", "apply", "secret", "s-1", "made", "--token", token);
        var listed = await _line.RunAsync("aggregate", "list", "--token", token);
        var read = await _line.RunAsync("aggregate", "get", "secret", "s-1", "--token", token);
        var archived = await _line.RunAsync("aggregate", "archive", "order", "o-1", "--token", token, "--json");
        var verified = await _line.RunAsync("verify", "--all", "--token", token);
        var imported = await ImportAsync(token, "order");
        var spent = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--token", token, "--json");
        var owner = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Done, ""), (applied.Code, applied.Error));
        Assert.Equal("""{"group":"shop","user":"till"}""", JsonNode.Parse(applied.Out)!["metadata"]!["issued_by"]!.ToJsonString());
        Assert.Equal(
            new Outcome(ExitCode.Failed, "", "Error: This token allows aggregate.append, but not on secret/s-1. Use one whose resources reach it.\n"), elsewhere);
        Assert.StartsWith("aggregate_type=order aggregate_id=o-1 version=2 ", listed.Out, StringComparison.Ordinal);
        Assert.Single(listed.Out.TrimEnd().Split('\n'));
        Assert.Equal((ExitCode.Failed, ""), (read.Code, read.Out));
        Assert.Equal("permission_denied", JsonNode.Parse(archived.Error)!["code"]!.GetValue<string>());
        Assert.Equal((ExitCode.Failed, ""), (verified.Code, verified.Out));
        Assert.Equal(ExitCode.Done, imported.Code);
        Assert.Equal("write_limit_reached", JsonNode.Parse(spent.Error)!["code"]!.GetValue<string>());
        Assert.Equal(3, owner.Out.TrimEnd().Split('\n').Length);
        Assert.Contains("writes_remaining=0", (await _line.RunAsync("token", "list")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_token_may_come_from_a_file_a_variable_or_standard_input_and_a_blank_one_is_not_the_owner(bool running)
    {
        await NotEncryptedAsync();
        var token = await GenerateAsync("shop", "till", "--action", "aggregate.read");
        _line.Directory.Write("token.txt", $"  {token}\n");
        _line.Environment["MINE"] = token;
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        foreach (var form in (string[])["@token.txt", "env:MINE", "-"])
        {
            _line.Input = form == "-" ? $"{token}\n" : "";
            Assert.Equal(ExitCode.Failed, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "made", "--token", form)).Code);
        }

        _line.Input = "";
        _line.Environment["EVENTDBX_TOKEN"] = "garbage";
        var byVariable = await _line.RunAsync("aggregate", "list", "--json");
        Assert.Equal("unauthenticated", JsonNode.Parse(byVariable.Error)!["code"]!.GetValue<string>());
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list", "--token", token)).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("token", "list")).Code);
        _line.Environment["EVENTDBX_TOKEN"] = "  ";
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "made")).Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "made", "--token", token)).Code);
        _line.Environment.Remove("EVENTDBX_TOKEN");
        foreach (var blank in (string[])["", " "])
        {
            var refused = await _line.RunAsync("aggregate", "get", "order", "o-1", "--token", blank);
            Assert.Equal(ExitCode.Usage, refused.Code);
            Assert.Contains("`--token` is blank", refused.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("aggregate", "apply", "a", "b", "c", "--payload", "-", "--token", "-")]
    [InlineData("import", "-", "--token", "-")]
    public async Task Two_things_are_not_read_from_one_standard_input(params string[] arguments)
    {
        var refused = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Usage, ""), (refused.Code, refused.Out));
        Assert.Contains("would both read standard input", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_revoked_token_and_one_that_was_refreshed_are_refused(bool running)
    {
        await NotEncryptedAsync();
        var (first, second) = (await GenerateAsync("a", "b", "--root"), await GenerateAsync("a", "c", "--root"));
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var revoked = await _line.RunAsync("token", "revoke", "--token", first, "--reason", "lost", "--json");
        var refreshed = await _line.RunAsync("token", "refresh", second, "--json");

        var json = (JsonObject)JsonNode.Parse(revoked.Out)!;
        Assert.Equal(["jti", "reason", "revoked", "revoked_at", "token"], json.Select(member => member.Key));
        Assert.Equal(("lost", true, first), (json["reason"]!.GetValue<string>(), json["revoked"]!.GetValue<bool>(), json["token"]!.GetValue<string>()));
        var successor = JsonNode.Parse(refreshed.Out)!["token"]!.GetValue<string>();
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("aggregate", "list", "--token", first)).Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("aggregate", "list", "--token", second)).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list", "--token", successor)).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_secret_is_replaced_at_once_and_what_it_signed_ends_with_its_overlap(bool running)
    {
        await NotEncryptedAsync();
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        var old = await GenerateAsync("a", "b", "--root");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var rotated = await _line.RunAsync("token", "rotate-secret");
        var overlapping = await _line.RunAsync("aggregate", "list", "--token", old);
        var middle = await GenerateAsync("a", "c", "--root");
        var again = await _line.RunAsync("token", "rotate-secret", "--overlap", "3600");
        var dropped = await _line.RunAsync("aggregate", "list", "--token", old, "--json");
        var ended = await _line.RunAsync("token", "rotate-secret", "--overlap", "0", "--json");
        var refused = await _line.RunAsync("aggregate", "list", "--token", middle, "--json");

        Assert.Matches("^key_id=key-[0-9-]+\n  previous_key_id=key-[0-9-]+\n  previous_until=20.*Z\n$", rotated.Out);
        Assert.Equal((ExitCode.Done, "", ExitCode.Done), (rotated.Code, rotated.Error, overlapping.Code));
        Assert.Matches("^Tokens of key-[0-9-]+, which would have been taken until 20.*Z, are refused now: there are two secrets at most.\n$", again.Error);
        Assert.Null(JsonNode.Parse(ended.Out)!["previous_until"]);
        Assert.All((Outcome[])[dropped, refused], outcome => Assert.Equal("unauthenticated", JsonNode.Parse(outcome.Error)!["code"]!.GetValue<string>()));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list", "--token", await GenerateAsync("a", "d", "--root"))).Code);
        var settings = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        Assert.DoesNotContain("previous_", settings, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("token", "rotate-secret", "--token", middle)).Code);
        Assert.Equal(settings, await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Where_there_is_no_store_there_is_no_token_and_none_is_made()
    {
        Assert.Equal(new Outcome(ExitCode.Done, "no issued tokens\n", ""), await _line.RunAsync("token", "list"));
        Assert.Equal(new Outcome(ExitCode.Done, "[]\n", ""), await _line.RunAsync("token", "list", "--json"));
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("token", "revoke", "x")).Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("token", "refresh", "x")).Code);
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("token", "revoke", " ")).Code);
        Assert.False(Database.ExistsIn(_line.DataDirectory));
        Assert.False(File.Exists(_line.ConfigPath));
    }

    [Fact]
    public async Task A_user_without_the_key_reaches_the_server_and_nothing_is_made()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        await using (await RunningServer.StartAsync(_line))
        {
            var settings = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(_line.ConfigPath, "list_page_size = 10\n", TestContext.Current.CancellationToken);

            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "get", "order", "o-1")).Code);
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid")).Code);
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("token", "generate", "a", "b", "--root")).Code);

            Assert.Equal("list_page_size = 10\n", await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken));
            Assert.Equal(ExitCode.Refused, (await _line.RunAsync("recover", "--lock-timeout", "0")).Code);
            await File.WriteAllTextAsync(_line.ConfigPath, settings, TestContext.Current.CancellationToken);
        }

        Assert.Equal(ExitCode.Done, (await _line.RunAsync("verify", "--all")).Code);
    }

    [Fact]
    public async Task A_cursor_of_one_road_goes_on_on_the_other()
    {
        await NotEncryptedAsync();
        for (var i = 0; i < 3; i++)
            await _line.RunAsync("aggregate", "create", "order", $"o-{i}");
        var first = await _line.RunAsync("aggregate", "list", "--take", "1");
        var cursor = first.Error["next cursor: ".Length..].TrimEnd();

        await using (await RunningServer.StartAsync(_line))
        {
            var second = await _line.RunAsync("aggregate", "list", "--take", "1", "--cursor", cursor);
            Assert.StartsWith("aggregate_type=order aggregate_id=o-1 ", second.Out, StringComparison.Ordinal);
            cursor = second.Error["next cursor: ".Length..].TrimEnd();
        }

        var third = await _line.RunAsync("aggregate", "list", "--cursor", cursor);
        Assert.StartsWith("aggregate_type=order aggregate_id=o-2 ", third.Out, StringComparison.Ordinal);
        Assert.Equal("", third.Error);
    }

    [Fact]
    public async Task Long_lists_histories_and_imports_come_whole_through_a_server()
    {
        await NotEncryptedAsync();
        await using var server = await RunningServer.StartAsync(_line);
        // More than a page of events, more than a batch of an import, and states that fill a page before its items do.
        const int longer = 1100, wide = 520;
        var filler = new string('x', 9000);
        _line.Input = string.Concat(
            [.. Enumerable.Range(0, longer).Select(i => $$$"""{"aggregate_type":"long","aggregate_id":"one","event_type":"grew","payload":{"n":{{{i}}}}}""" + "\n"),
            .. Enumerable.Range(0, wide).Select(i => $$$"""{"aggregate_type":"wide","aggregate_id":"w-{{{i:0000}}}","event_type":"made","payload":{"n":"{{{i}}}{{{filler}}}"}}""" + "\n")]);

        var imported = await _line.RunAsync("import", "-", "--json");
        var again = await _line.RunAsync("import", "-", "--json");
        var replayed = await _line.RunAsync("aggregate", "replay", "long", "one", "--json");
        var listed = await _line.RunAsync("aggregate", "list", "--type", "wide", "--take", "2000");
        var states = await _line.RunAsync("aggregate", "list", "--type", "wide", "--take", "2000", "--json");

        Assert.Equal((longer + wide, 0), (Number(imported, "appended"), Number(imported, "known")));
        Assert.Equal((0, longer + wide), (Number(again, "appended"), Number(again, "known")));
        Assert.Equal(Enumerable.Range(1, longer), ((JsonArray)JsonNode.Parse(replayed.Out)!).Select(record => record!["version"]!.GetValue<int>()));
        Assert.Equal((wide, ""), (listed.Out.TrimEnd().Split('\n').Length, listed.Error));
        var items = (JsonArray)JsonNode.Parse(states.Out)!;
        Assert.Equal(Enumerable.Range(0, wide).Select(i => $"w-{i:0000}"), items.Select(item => item!["aggregate_id"]!.GetValue<string>()));
        Assert.Equal($"519{filler}", items[519]!["state"]!["n"]!.GetValue<string>());
    }

    public void Dispose() => _line.Dispose();

    static int Number(Outcome outcome, string member) => JsonNode.Parse(outcome.Out)![member]!.GetValue<int>();

    Task<Outcome> NotEncryptedAsync() => _line.RunAsync("config", "--encryption", "off");

    async Task<string> GenerateAsync(string group, string user, params string[] more)
    {
        var generated = await _line.RunAsync(["token", "generate", "--group", group, "--user", user, "--json", .. more]);
        Assert.Equal(ExitCode.Done, generated.Code);
        return JsonNode.Parse(generated.Out)!["token"]!.GetValue<string>();
    }

    async Task<Outcome> ImportAsync(string token, string type)
    {
        _line.Input = $$$"""{"aggregate_type":"{{{type}}}","aggregate_id":"o-7","event_type":"made","payload":{}}""";
        var outcome = await _line.RunAsync("import", "-", "--token", token);
        _line.Input = "";
        return outcome;
    }
}
