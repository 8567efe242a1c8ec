using System.Text.Json;
using EventDbx.Cli.Commands.Verify;
using EventDbx.Integrity;
using EventDbx.Verification;

namespace EventDbx.Cli.Tests.Commands;

public sealed class VerifyTests : IDisposable
{
    readonly CommandLine _line = new();

    [Theory]
    [InlineData("aggregate", "verify", "order", "o-1")]
    [InlineData("aggregate", "verify", "--aggregate", "order", "--aggregate-id", "o-1", "--quick")]
    public async Task Verify_prints_the_root_that_every_read_shows(params string[] arguments)
    {
        await GivenOrdersAsync();
        var root = JsonDocument.Parse((await _line.RunAsync("aggregate", "get", "order", "o-1")).Out).RootElement.GetProperty("merkle_root").GetString();

        var text = await _line.RunAsync(arguments);
        var json = await _line.RunAsync([.. arguments, "--json"]);

        Assert.Equal(new Outcome(ExitCode.Done, $"aggregate_type=order aggregate_id=o-1 merkle_root={root}\n", ""), text);
        Assert.Equal("{\n  \"aggregate_id\": \"o-1\",\n  \"aggregate_type\": \"order\",\n  \"merkle_root\": \"" + root + "\"\n}\n", json.Out);
    }

    [Fact]
    public async Task Verify_all_counts_what_it_has_verified()
    {
        await GivenOrdersAsync();
        await _line.RunAsync("aggregate", "archive", "order", "o-2");

        var text = await _line.RunAsync("verify", "--all");
        var json = JsonDocument.Parse((await _line.RunAsync("verify", "--all", "--json")).Out).RootElement;

        Assert.Matches("^verified 3 events and 1 other entries in 2 aggregates \\(1 archived\\) in [0-9.]+ s \\([0-9,]+ events/s\\)\nlog_size=4 log_root=[0-9a-f]{64}\n$", text.Out);
        Assert.Equal((ExitCode.Done, ""), (text.Code, text.Error));
        Assert.Equal((4, 3, 1, 2, 1), (Number("log_size"), Number("events"), Number("control_entries"), Number("aggregates"), Number("archived")));
        Assert.Contains($"log_root={json.GetProperty("log_root").GetString()}\n", text.Out, StringComparison.Ordinal);

        int Number(string name) => json.GetProperty(name).GetInt32();
    }

    [Theory]
    [InlineData(0, 0, false, "")]
    [InlineData(1, 0, true, "1 checkpoint is a prefix of the log, the newest of 9 entries as example.com/shop/e2\n")]
    [InlineData(2, 1, true, "2 checkpoints are prefixes of the log, the newest of 9 entries as example.com/shop/e2\n1 checkpoint of an earlier epoch is none: it speaks of entries that were lost\n")]
    [InlineData(0, 2, false, "0 checkpoints are prefixes of the log\n2 checkpoints of earlier epochs are none: they speak of entries that were lost\n")]
    public void Checkpoints_of_entries_that_were_lost_are_no_prefixes_and_are_counted_apart(ulong prefixes, ulong lost, bool newest, string says)
    {
        var result = new VerifyAllResult
        {
            LogSize = 9, LogRoot = Hash32.Empty, Events = 9, ControlEntries = 0, Aggregates = 1, Archived = 0, ClientIds = 0, FoldPoints = 0, Snapshots = 0, Tiles = 0,
            Checkpoints = prefixes, CheckpointsOfLostEntries = lost, CheckpointSignaturesChecked = true,
            NewestCheckpoint = newest ? new("example.com/shop/e2", 9, Hash32.Empty) : null, Elapsed = TimeSpan.FromSeconds(1),
        };
        var text = VerifyCommand.Text(result);
        Assert.Equal(says + $"log_size=9 log_root={Hash32.Empty}\n", text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
        var json = JsonDocument.Parse(VerifyCommand.Json(result)).RootElement;
        Assert.Equal((prefixes, lost), (json.GetProperty("checkpoints").GetUInt64(), json.GetProperty("checkpoints_of_lost_entries").GetUInt64()));
    }

    [Fact]
    public async Task On_a_terminal_a_bar_shows_how_far_it_is_and_is_gone_at_the_end()
    {
        await GivenOrdersAsync();
        _line.Terminal = true;

        var verified = await _line.RunAsync("verify", "--all");

        Assert.Contains("entries of the log", verified.Error, StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[K", verified.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.Usage, "error: verify what? `dbx verify --all` verifies everything there is", "verify")]
    [InlineData(ExitCode.Usage, "error: unexpected `order`: this command takes no values by position.", "verify", "order", "o-1")]
    [InlineData(ExitCode.Failed, "Error: There is no store yet, and so nothing to verify.", "verify", "--all")]
    [InlineData(ExitCode.Failed, "Error: There is no aggregate order/o-1: there is no store yet.", "aggregate", "verify", "order", "o-1")]
    [InlineData(ExitCode.Usage, "error: ID is missing:", "aggregate", "verify", "order")]
    internal async Task What_is_not_there_or_makes_no_sense_is_refused_and_nothing_is_made(ExitCode code, string reason, params string[] arguments)
    {
        var refused = await _line.RunAsync(arguments);

        Assert.Equal((code, ""), (refused.Code, refused.Out));
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Theory, InlineData(), InlineData("--quick")]
    public async Task An_unknown_aggregate_is_refused(params string[] options)
    {
        await GivenOrdersAsync();

        Assert.Equal(
            new Outcome(ExitCode.Failed, "", "Error: There is no aggregate order/o-9.\n"),
            await _line.RunAsync(["aggregate", "verify", "order", "o-9", .. options]));
    }

    [Fact]
    public async Task One_that_was_interrupted_is_told_of_and_gone_on_with_when_asked()
    {
        _line.Environment["EVENTDBX_ENCRYPTION"] = "off";
        await GivenOrdersAsync();
        var nothing = await _line.RunAsync("verify", "--all", "--resume");
        Assert.Equal((ExitCode.Done, "There was no interrupted verify to go on with, or too much has changed since: everything was read.\n"), (nothing.Code, nothing.Error));

        await InterruptedAsync();
        var anew = await _line.RunAsync("verify", "--all");
        Assert.Equal((ExitCode.Done, "A verify that was begun at 2026-01-02T03:04:05Z was interrupted after 2 events. This one begins anew; `dbx verify --all --resume` would have gone on with it.\n"), (anew.Code, anew.Error));
        Assert.Equal("", (await _line.RunAsync("verify", "--all")).Error);

        await InterruptedAsync();
        var resumed = await _line.RunAsync("verify", "--all", "--resume");
        Assert.Equal((ExitCode.Done, ""), (resumed.Code, resumed.Error));
        Assert.Contains("\nof these, 2 events in 1 aggregates were verified between 2026-01-02T03:04:05Z and 2026-01-02T03:05:05Z; now only their heads and hashes were\nlog_size=3 ", resumed.Out, StringComparison.Ordinal);

        await InterruptedAsync();
        var json = JsonDocument.Parse((await _line.RunAsync("verify", "--all", "--resume", "--json")).Out).RootElement;
        Assert.Equal((2, "o-1", true), (json.GetProperty("resumed").GetProperty("events").GetInt32(), json.GetProperty("resumed").GetProperty("aggregate_id").GetString(), json.GetProperty("payloads_checked").GetBoolean()));
    }

    [Fact]
    public async Task Without_the_key_all_but_what_is_sealed_is_verified_and_it_says_so()
    {
        await GivenOrdersAsync();
        File.Delete(_line.ConfigPath);
        Assert.Equal(ExitCode.Refused, (await _line.RunAsync("verify", "--all")).Code);

        var text = await _line.RunAsync("verify", "--all", "--without-key");
        var json = JsonDocument.Parse((await _line.RunAsync("verify", "--all", "--without-key", "--json")).Out).RootElement;

        Assert.Equal((ExitCode.Done, ""), (text.Code, text.Error));
        Assert.Contains("\nnot checked, for want of the key: payloads, states, and the types, ids, actors and notes of events\nlog_size=3 ", text.Out, StringComparison.Ordinal);
        Assert.Equal((false, 3), (json.GetProperty("payloads_checked").GetBoolean(), json.GetProperty("events").GetInt32()));
        Assert.False(File.Exists(_line.ConfigPath));
    }

    [Theory]
    [InlineData("error: `--without-key` cannot be resumed", "--resume")]
    [InlineData("error: `--without-key` reads the files of the store", "--token", "t")]
    public async Task Without_the_key_there_is_nothing_to_resume_and_no_token_counts(string reason, params string[] options)
    {
        var refused = await _line.RunAsync(["verify", "--all", "--without-key", .. options]);
        Assert.Equal(ExitCode.Usage, refused.Code);
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
        Assert.Equal(new Outcome(ExitCode.Failed, "", "Error: There is no store yet, and so nothing to verify.\n"), await _line.RunAsync("verify", "--all", "--without-key"));
    }

    public void Dispose() => _line.Dispose();

    /// <summary>What a verify leaves that had finished the first of two aggregates.</summary>
    async Task InterruptedAsync()
    {
        var known = JsonDocument.Parse((await _line.RunAsync("verify", "--all", "--json")).Out).RootElement;
        await using var database = Database.Open(new() { Directory = _line.Directory[".eventdbx"], Encrypted = false });
        Assert.True(database.Documents.TryReplace(
            "verify.progress",
            System.Text.Encoding.UTF8.GetBytes($$"""
                {"format":"eventdbx-verify-progress/1","database_id":"{{database.DatabaseId}}","epoch":1,"started_at":"2026-01-02T03:04:05Z","saved_at":"2026-01-02T03:05:05Z",
                 "log_size":{{known.GetProperty("log_size")}},"log_root":"{{known.GetProperty("log_root")}}","aggregate_type":"order","aggregate_id":"o-1","aggregates":1,"events":2}
                """),
            database.Documents.Read("verify.progress")));
    }

    async Task GivenOrdersAsync()
    {
        foreach (var id in (string[])["o-1", "o-1", "o-2"])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", id, "placed", "--field", "a=b")).Code);
    }
}
