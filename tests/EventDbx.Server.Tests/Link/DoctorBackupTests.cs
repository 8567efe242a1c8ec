using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Server.Backups;

namespace EventDbx.Server.Tests.Link;

/// <summary>What is remembered of the last backup, and what <c>dbx doctor</c> says of it.</summary>
public sealed class DoctorBackupTests : IDisposable
{
    readonly CommandLine _line = new();

    string Record => Path.Combine(_line.DataDirectory, BackupRecord.FileName);

    [Fact]
    public async Task Where_none_was_made_it_is_a_warning_and_no_problem()
    {
        await AppendAsync(1);

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal((ExitCode.Done, "warning"), (looked.Code, Finding(looked)["severity"]!.GetValue<string>()));
        Assert.Contains("No backup of this store is known", Finding(looked)["found"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Null(JsonNode.Parse(looked.Out)!["last_backup"]);
        Assert.False(File.Exists(Record));
    }

    [Fact]
    public async Task After_one_it_is_told_when_it_was_made_where_to_and_how_many_entries_came_since()
    {
        await AppendAsync(3);
        var (sunday, monday) = (_line.Directory["sunday"], _line.Directory["monday"]);
        var made = JsonNode.Parse((await SucceedsAsync("backup", "--output", sunday, "--json")).Out)!;
        await AppendAsync(2);

        var looked = await SucceedsAsync("doctor", "--json");

        Assert.Equal(("ok", $"The last backup is of {made["created_at"]} (a full one, with keys, of the first 3 entries, to {sunday}); 2 entries came since."), (Finding(looked)["severity"]!.GetValue<string>(), Finding(looked)["found"]!.GetValue<string>()));
        var last = JsonNode.Parse(looked.Out)!["last_backup"]!;
        Assert.Equal((made["backup_id"]!.ToString(), 3, 2, sunday), (last["backup_id"]!.ToString(), last["log_size"]!.GetValue<int>(), last["entries_since"]!.GetValue<int>(), last["to"]!.ToString()));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Record));

        await SucceedsAsync("backup", "--output", monday, "--since", sunday, "--without-keys");
        Assert.Contains($"(an incremental one, without keys, of the first 5 entries, to {monday}); 0 entries came since.", Finding(await SucceedsAsync("doctor", "--json"))["found"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_does_not_come_to_its_end_is_not_remembered()
    {
        await AppendAsync(2);
        await SucceedsAsync("backup", "--output", _line.Directory["first"]);
        var before = await File.ReadAllBytesAsync(Record, TestContext.Current.CancellationToken);
        await AppendAsync(1);

        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("backup", "--output", _line.Directory["first"])).Code);
        Directory.CreateDirectory(_line.Directory["second.tmp"]);
        _line.Terminal = true;
        _line.InterruptAt = "bytes";
        var interrupted = await _line.RunAsync("backup", "--output", _line.Directory["second"]);
        (_line.Terminal, _line.InterruptAt) = (false, null);

        Assert.Equal((ExitCode.Failed, false), (interrupted.Code, File.Exists(_line.Directory["second"])));
        Assert.Equal(before, await File.ReadAllBytesAsync(Record, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_a_server_has_handed_out_is_remembered_as_streamed()
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        await AppendAsync(2);
        await using (var server = await RunningServer.StartAsync(_line))
        {
            await SucceedsAsync("backup", "--output", _line.Directory["b"]);
            Assert.Contains("entries, streamed)", Finding(await SucceedsAsync("doctor", "--json"))["found"]!.GetValue<string>(), StringComparison.Ordinal);
        }

        Assert.Contains("entries, streamed)", Finding(await SucceedsAsync("doctor", "--json"))["found"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restored_store_has_no_backup_of_its_own_whatever_was_remembered_here_or_there()
    {
        await AppendAsync(2);
        await SucceedsAsync("backup", "--output", _line.Directory["first"]);
        await SucceedsAsync("backup", "--output", _line.Directory["second"]);
        using var there = new CommandLine();
        Assert.Equal(ExitCode.Done, (await there.RunAsync("restore", "--input", _line.Directory["second"], "--data-dir", there.DataDirectory)).Code);

        Assert.False(File.Exists(Path.Combine(there.DataDirectory, BackupRecord.FileName)));
        Assert.True(File.Exists(Record));
        await SucceedsAsync("restore", "--input", _line.Directory["second"], "--force");
        Assert.False(File.Exists(Record));
        Assert.Contains("No backup of this store is known", Finding(await SucceedsAsync("doctor", "--json"))["found"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_rebuild_leaves_what_is_remembered()
    {
        await AppendAsync(2);
        await SucceedsAsync("backup", "--output", _line.Directory["b"]);
        await SucceedsAsync("doctor", "--rebuild");

        Assert.Contains("0 entries came since", Finding(await SucceedsAsync("doctor", "--json"))["found"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"log_size\": 2", "\"log_size\": 20", "has more of the log than the store")]
    [InlineData("\"database_id\": \"", "\"database_id\": \"00000000-0000-0000-0000-000000000000\", \"was\": \"", "No backup of this store is known")]
    [InlineData("{", "", "cannot be read")]
    [InlineData("\"to\"", "\"too\"", "cannot be read")]
    public async Task What_does_not_fit_the_store_or_cannot_be_read_is_a_warning(string text, string replaced, string says)
    {
        await AppendAsync(2);
        await SucceedsAsync("backup", "--output", _line.Directory["b"]);
        var record = await File.ReadAllTextAsync(Record, TestContext.Current.CancellationToken);
        Assert.Contains(text, record, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Record, record.Replace(text, replaced, StringComparison.Ordinal), TestContext.Current.CancellationToken);

        var looked = await SucceedsAsync("doctor", "--json");

        Assert.Equal("warning", Finding(looked)["severity"]!.GetValue<string>());
        Assert.Contains(says, Finding(looked)["found"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    public void Dispose() => _line.Dispose();

    async Task AppendAsync(int events)
    {
        for (var i = 0; i < events; i++)
            await SucceedsAsync("aggregate", "apply", "order", "o-1", "made");
    }

    async Task<Outcome> SucceedsAsync(params string[] arguments)
    {
        var outcome = await _line.RunAsync(arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code} {outcome.Error}");
        return outcome;
    }

    static JsonNode Finding(Outcome looked) => JsonNode.Parse(looked.Out)!["findings"]!.AsArray().Single(static one => one!["check"]!.GetValue<string>() == "backup")!;
}
