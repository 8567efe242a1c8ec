using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx doctor</c>: what it finds, and that it leaves everything as it was.</summary>
public sealed class DoctorTests : IDisposable
{
    readonly CommandLine _line = new();

    [Fact]
    public async Task Where_there_is_nothing_nothing_is_wrong_and_nothing_is_made()
    {
        var looked = await _line.RunAsync("doctor");

        Assert.Equal((ExitCode.Done, ""), (looked.Code, looked.Error));
        Assert.Contains("There is no store in", looked.Out, StringComparison.Ordinal);
        Assert.EndsWith("0 problems, 1 warning\n", looked.Out, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task A_store_that_is_gone_is_a_problem_where_the_settings_were_used_with_one()
    {
        await using (await RunningServer.StartAsync(_line))
            await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        Directory.Move(_line.DataDirectory, _line.Directory["unmounted"]);
        _line.Directory.Write(".eventdbx/config.toml", await File.ReadAllTextAsync(_line.Directory["unmounted/config.toml"], TestContext.Current.CancellationToken));
        foreach (var place in (string[])[_line.DataDirectory, _line.Directory["nothing"]])
        {
            var gone = await _line.RunAsync("doctor", "--json", "--data-dir", place);
            Assert.Equal((ExitCode.Failed, "problem"), (gone.Code, Finding(gone, $"There is no store in {place}, although")!["severity"]!.GetValue<string>()));
        }

        // A key may be given before the first start.
        _line.Directory.Write(".eventdbx/config.toml", $"data_encryption_key = \"{Convert.ToBase64String(new byte[32])}\"\n");
        var before = await _line.RunAsync("doctor", "--json");
        Assert.Equal("warning", Finding(before, "There is no store in")!["severity"]!.GetValue<string>());
        _line.Directory.Write(".eventdbx/config.toml", "port = 7070\n");
        Assert.Equal("ok", Finding(await _line.RunAsync("doctor", "--json"), "There is no store in")!["severity"]!.GetValue<string>());
    }

    /// <summary>As root, too, whom no mode keeps out: a socket is no file, and links that lead in a circle are no directory.</summary>
    [Fact]
    public async Task A_store_that_cannot_be_looked_at_is_the_finding_and_not_the_end()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There they are other things.");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        File.Delete(Path.Combine(_line.DataDirectory, "event_store.lock"));
        using System.Net.Sockets.Socket socket = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(Path.Combine(_line.DataDirectory, "event_store.lock")));
        File.CreateSymbolicLink(_line.Directory["circle"], _line.Directory["circle"]);

        foreach (var place in (string[])[_line.DataDirectory, _line.Directory["circle/data"]])
        {
            var looked = await _line.RunAsync("doctor", "--json", "--data-dir", place);
            Assert.Equal((ExitCode.Failed, ""), (looked.Code, looked.Error));
            Assert.Equal("problem", Finding(looked, $"The store in {place} cannot be looked at: ")!["severity"]!.GetValue<string>());
            Assert.NotNull(Finding(looked, "data key"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_changes_nothing_and_makes_nothing(bool running)
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;
        // A server signs by itself while the log is newer than its newest checkpoint; after this one it has nothing to do.
        await _line.RunAsync("log", "checkpoint", "--wait");
        var before = Contents();

        var looked = await _line.RunAsync("doctor");

        Assert.Equal((ExitCode.Done, ""), (looked.Code, looked.Error));
        Assert.Contains(running ? "The server has the store open with its key." : "The key is the store's own.", looked.Out, StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    [Fact]
    public async Task An_exchange_that_was_interrupted_is_told_and_left_as_it_is()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        _line.Directory.Write(".eventdbx/event_store.staged/new/left", "of a restore that was not committed");
        var before = Contents();
        Assert.Equal(0, Number(await _line.RunAsync("doctor", "--json"), "problems"));
        Assert.Equal(before, Contents());
        // As a kill right behind the commit leaves it, of a restore that brings a configuration alone.
        Directory.Delete(_line.Directory[".eventdbx/event_store.staged/new"], recursive: true);
        _line.Directory.Write(".eventdbx/event_store.staged/config.toml", await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken) + "# restored\n");
        _line.Directory.Write(".eventdbx/event_store.swap",
            $$"""{"format":"eventdbx-swap/1","cause":"restore","aside":"event_store.before-restore-x","keep_aside":false,"pieces":[],"replaced":[],"removed":[],"config":"config.toml","database_id":"{{Guid.Empty}}","epoch":1}""");
        Directory.CreateDirectory(_line.Directory[".eventdbx/event_store.staged/new"]);
        before = Contents();

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal((ExitCode.Failed, ""), (looked.Code, looked.Error));
        Assert.Contains("dbx status", Finding(looked, "A restore in")!["advice"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(before, Contents());
        Assert.Contains("brought to its end", (await _line.RunAsync("status")).Error, StringComparison.Ordinal);
        Assert.EndsWith("# restored\n", await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(0, Number(await _line.RunAsync("doctor", "--json"), "problems"));
    }

    [Fact]
    public async Task What_others_may_read_or_change_is_a_problem_with_what_to_do()
    {
        if (OperatingSystem.IsWindows())
            return;
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        await _line.RunAsync("token", "generate", "--group", "a", "--user", "b");
        var tokens = Path.Combine(_line.DataDirectory, "tokens.json");
        Assert.Equal(0, Number(await _line.RunAsync("doctor", "--json"), "problems"));

        // Behind a closed door it is only untidy.
        File.SetUnixFileMode(tokens, Mode("644"));
        Assert.Equal("warning", Finding(await _line.RunAsync("doctor", "--json"), "tokens.json")!["severity"]!.GetValue<string>());
        File.SetUnixFileMode(_line.DataDirectory, Mode("711"));
        foreach (var (mode, path) in new[] { ("644", tokens), ("620", tokens), ("604", _line.ConfigPath) })
        {
            File.SetUnixFileMode(path, Mode(mode));
            var looked = await _line.RunAsync("doctor", "--json");
            Assert.Equal(ExitCode.Failed, looked.Code);
            var finding = Finding(looked, $"{path} (mode")!;
            Assert.Equal(("problem", $"chmod 600 {path}"), (finding["severity"]!.GetValue<string>(), finding["advice"]!.GetValue<string>()));
            File.SetUnixFileMode(path, Mode("600"));
        }

        File.SetUnixFileMode(_line.DataDirectory, Mode("770"));
        var open = await _line.RunAsync("doctor");
        Assert.Equal(ExitCode.Failed, open.Code);
        Assert.Contains($"chmod 700 {_line.DataDirectory}", open.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_missing_wrong_or_given_twice_is_a_problem_and_a_copy_beside_the_data_a_warning()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        Assert.Equal("warning", Finding(await _line.RunAsync("doctor", "--json"), "The data key lies in")!["severity"]!.GetValue<string>());
        var settings = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        var line = settings.Split('\n').Single(text => text.StartsWith("data_encryption_key", StringComparison.Ordinal));

        foreach (var (replaced, words) in new[]
        {
            (settings.Replace(line, "", StringComparison.Ordinal), "no key was given"),
            (settings.Replace(line, $"data_encryption_key = \"{Convert.ToBase64String(new byte[32])}\"", StringComparison.Ordinal), "The key is not the one"),
            (settings.Replace(line, "data_encryption_key = \"short\"", StringComparison.Ordinal), "data_encryption_key"),
        })
        {
            await File.WriteAllTextAsync(_line.ConfigPath, replaced, TestContext.Current.CancellationToken);
            var looked = await _line.RunAsync("doctor", "--json");
            Assert.Equal(ExitCode.Failed, looked.Code);
            Assert.Equal("problem", Finding(looked, words)!["severity"]!.GetValue<string>());
            Assert.Equal(replaced, await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken));
        }

        await File.WriteAllTextAsync(_line.ConfigPath, settings, TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("doctor")).Code);
    }

    [Fact]
    public async Task What_is_open_to_others_is_told_and_an_admin_api_in_clear_text_is_a_problem()
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        Assert.Equal("ok", Finding(await _line.RunAsync("doctor", "--json"), "for this machine alone")!["severity"]!.GetValue<string>());
        Assert.Null(Finding(await _line.RunAsync("doctor", "--json"), "The port of replication"));
        await _line.RunAsync("config", "--socket-bind", "0.0.0.0:16363");
        var replication = Finding(await _line.RunAsync("doctor", "--json"), "The port of replication, tcp://0.0.0.0:16363, is reached from other machines")!;
        Assert.Equal(("ok", "exposure"), (replication["severity"]!.GetValue<string>(), replication["check"]!.GetValue<string>()));
        await _line.RunAsync("config", "--bind", "0.0.0.0", "--restrict", "off");
        var open = await _line.RunAsync("doctor", "--json");
        Assert.Equal("warning", Finding(open, "does not encrypt")!["severity"]!.GetValue<string>());
        Assert.Equal("warning", Finding(open, "events need no schema")!["severity"]!.GetValue<string>());
        Assert.Equal(ExitCode.Done, open.Code);
        Assert.Null(Finding(open, "metrics"));
        var closed = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_line.ConfigPath, closed.Replace("[metrics]\npublic = false", "[metrics]\npublic = true", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.Equal("warning", Finding(await _line.RunAsync("doctor", "--json"), "reads its metrics without a token")!["severity"]!.GetValue<string>());

        _line.Input = "a master key\n";
        await _line.RunAsync("config", "--admin-master-key", "-", "--admin-enabled", "true", "--admin-bind", "0.0.0.0");
        var admin = await _line.RunAsync("doctor", "--json");

        Assert.Equal(ExitCode.Failed, admin.Code);
        Assert.Equal("problem", Finding(admin, "The Admin API on 0.0.0.0:7171")!["severity"]!.GetValue<string>());
        Assert.DoesNotContain("$argon2id", admin.Out, StringComparison.Ordinal);
        await _line.RunAsync("config", "--admin-bind", "127.0.0.1");
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("doctor")).Code);
    }

    [Fact]
    public async Task Of_a_server_that_runs_it_says_what_that_one_does_and_what_the_next_start_will()
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        await using var server = await RunningServer.StartAsync(_line);
        await _line.RunAsync("config", "--bind", "0.0.0.0");
        var looked = await _line.RunAsync("doctor", "--json");
        Assert.Equal("ok", Finding(looked, $"http://127.0.0.1:{server.Port} is for this machine alone")!["severity"]!.GetValue<string>());
        Assert.Equal("warning", Finding(looked, "From its next start on, 0.0.0.0:")!["severity"]!.GetValue<string>());
        Assert.Null(Finding(looked, "encrypts."));

        // The settings say TLS, and what runs has none.
        _line.Input = "a master key\n";
        var set = await _line.RunAsync("config", "--tls", "true", "--admin-master-key", "-", "--admin-enabled", "true", "--admin-bind", "0.0.0.0");
        Assert.Contains("The Admin API does not listen on 0.0.0.0:7171", set.Error, StringComparison.Ordinal);
        var admin = await _line.RunAsync("doctor", "--json");
        Assert.Equal("warning", Finding(admin, "The Admin API is closed: on 0.0.0.0:7171")!["severity"]!.GetValue<string>());
        Assert.Null(Finding(admin, "From its next start on"));
    }

    [Fact]
    public async Task Saving_an_admin_api_in_clear_text_beyond_this_machine_warns_and_on_this_machine_or_with_TLS_does_not()
    {
        _line.Input = "a master key\n";
        var open = await _line.RunAsync("config", "--admin-master-key", "-", "--admin-enabled", "true", "--admin-bind", "0.0.0.0");
        Assert.Equal(ExitCode.Done, open.Code);
        Assert.Contains("Warning: the Admin API on 0.0.0.0 can be reached from other machines", open.Error, StringComparison.Ordinal);
        foreach (var quiet in (string[][])[["--admin-bind", "127.0.0.1"], ["--admin-bind", "0.0.0.0", "--tls", "true"], ["--tls", "false", "--admin-port", "0"], ["--admin-port", "7171", "--admin-enabled", "false"]])
            Assert.DoesNotContain("The Admin API", (await _line.RunAsync(["config", .. quiet])).Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Root_tokens_that_never_expire_are_named_while_a_server_runs()
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        await using var server = await RunningServer.StartAsync(_line);
        Assert.Equal("ok", Finding(await _line.RunAsync("doctor", "--json"), "none of them is root for ever")!["severity"]!.GetValue<string>());
        await server.IssueAsync(new() { Group = "ops", User = "once", Root = true, TtlSeconds = 3600 });
        var eternal = await server.IssueAsync(new() { Group = "ops", User = "root", Root = true, TtlSeconds = 0 });

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Contains($"1 root token never expires: {eternal.Listing.Jti} (ops:root).", Finding(looked, "never expires")!["found"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain(eternal.Token, looked.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_that_was_replaced_and_a_variable_that_is_misspelt_are_told()
    {
        await _line.RunAsync("token", "generate", "--group", "a", "--user", "b");
        await _line.RunAsync("token", "rotate-secret", "--overlap", "3600");
        Assert.Equal("ok", Finding(await _line.RunAsync("doctor", "--json"), "are taken until")!["severity"]!.GetValue<string>());
        var settings = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        var until = settings.Split('\n').Single(text => text.StartsWith("previous_until", StringComparison.Ordinal));
        await File.WriteAllTextAsync(_line.ConfigPath, settings.Replace(until, "previous_until = \"2020-01-01T00:00:00Z\"", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal("warning", Finding(looked, "counted for nothing since 2020")!["severity"]!.GetValue<string>());
        Assert.Equal(ExitCode.Done, looked.Code);
    }

    [Fact]
    public async Task A_configuration_that_cannot_be_read_is_the_finding_and_not_the_end()
    {
        _line.Directory.Write(".eventdbx/config.toml", "port = \"x\"\n");

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal((ExitCode.Failed, ""), (looked.Code, looked.Error));
        Assert.Equal("problem", Finding(looked, "port")!["severity"]!.GetValue<string>());
    }

    public void Dispose() => _line.Dispose();

    static UnixFileMode Mode(string octal) => (UnixFileMode)Convert.ToInt32(octal, 8);

    static int Number(Outcome looked, string member) => JsonNode.Parse(looked.Out)![member]!.GetValue<int>();

    static JsonNode? Finding(Outcome looked, string words) =>
        JsonNode.Parse(looked.Out)!["findings"]!.AsArray().FirstOrDefault(finding => finding!["found"]!.GetValue<string>().Contains(words, StringComparison.Ordinal));

    /// <summary>Every file with its bytes, but for the lock, which whoever looks holds for a moment.</summary>
    SortedDictionary<string, string> Contents()
    {
        SortedDictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(_line.DataDirectory, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(path) is not ("LOCK" or "lock" or "dbx.sock") && !path.EndsWith(".lock", StringComparison.Ordinal))
                files[path] = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(ReadShared(path)));
        }

        return files;

        static byte[] ReadShared(string path)
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            file.CopyTo(bytes);
            return bytes.ToArray();
        }
    }
}
