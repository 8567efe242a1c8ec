using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Storage;
using EventDbx.Storage.Rows;

namespace EventDbx.Server.Tests.Link;

/// <summary>What <c>dbx doctor</c> says of the store, and of the machine that it lies on.</summary>
public sealed class DoctorStoreTests : IDisposable
{
    readonly CommandLine _line = new();

    [Fact]
    public async Task Format_watermark_and_rows_that_lead_somewhere_are_told_of_a_store_that_was_closed()
    {
        await MakeAsync();

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal(ExitCode.Done, looked.Code);
        Assert.Equal(("ok", $"The store has format {StoreRow.CurrentFormat}, which this program reads and writes."), Of(looked, "format"));
        Assert.Equal(("ok", "It was closed properly, and its files are byte for byte those that were left then."), Of(looked, "watermark"));
        var (severity, orphans) = Of(looked, "orphans");
        Assert.Equal("ok", severity);
        Assert.Matches("^Of all [0-9]+ rows that should lead somewhere, each does\\.$", orphans);
        Assert.Equal(("ok", "There are no plugins."), Of(looked, "plugins"));
    }

    [Fact]
    public async Task A_store_that_was_not_closed_is_held_against_its_watermark()
    {
        await MakeAsync();
        // What a clean stop leaves is gone, as after a kill.
        File.Delete(Path.Combine(_line.DataDirectory, "event_store.inventory"));

        var (severity, found) = Of(await _line.RunAsync("doctor", "--json"), "watermark");

        Assert.Equal("ok", severity);
        Assert.Matches("^It was not closed properly; its log holds all of the [0-9]+ entries", found);
    }

    [Theory]
    [InlineData("index")]
    [InlineData("index beyond the log")]
    [InlineData("ids")]
    [InlineData("state")]
    public async Task A_row_that_leads_nowhere_is_a_problem_that_names_it(string which)
    {
        await MakeAsync();
        var aggregate = AggregateKey.Create("order", "o-9");
        await ChangeAsync((_, plan) =>
        {
            var index = new byte[IndexRow.EncodedBytes];
            new IndexRow(which == "index" ? 1UL : 99UL, 0, Integrity.Hash32.Empty).Write(index);
            var id = new byte[IdRow.EncodedBytes];
            new IdRow(3, Integrity.Hash32.Empty).Write(id);
            var idKey = new byte[Keyspace.KeyBytesMax];
            var length = Keyspace.WriteEventId(idKey, aggregate, new Guid("01890a5d-ac96-774b-bcce-b302099a8057"));
            if (which.StartsWith("index", StringComparison.Ordinal))
                Checked.Put(plan, Family.Index, Keyspace.Versioned(aggregate, 3), index);
            else if (which == "ids")
                Checked.Put(plan, Family.Ids, idKey.AsSpan(0, length), id);
            else
                Checked.Put(plan, Family.State, aggregate.Row, [1, 2, 3]);
        });

        var looked = await _line.RunAsync("doctor", "--full", "--json");

        Assert.Equal(ExitCode.Failed, looked.Code);
        var (severity, found) = Of(looked, "orphans");
        Assert.Equal("problem", severity);
        Assert.Contains("`dbx doctor --rebuild` makes them anew", Finding(looked, "orphans")["advice"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains($", 1 lead nowhere: a row of family `{which.Split(' ')[0]}`, of order/o-9: ", found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1u, "fetches the version that wrote it")]
    [InlineData(99u, "fetches the newest")]
    public async Task A_store_of_another_format_is_a_problem_with_the_version_to_fetch(uint format, string advice)
    {
        await MakeAsync();
        await ChangeAsync((view, plan) => Checked.Put(plan, Family.Meta, Keyspace.StoreRow, (StoreRow.Find(view)! with { Format = format }).Write()));
        File.Delete(Path.Combine(_line.DataDirectory, "event_store.inventory"));

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal(ExitCode.Failed, looked.Code);
        var (severity, found) = Of(looked, "format");
        Assert.Equal("problem", severity);
        Assert.Contains($"has format {format}", found, StringComparison.Ordinal);
        Assert.Contains(advice, Finding(looked, "format")["advice"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_of_another_version_is_told()
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        await using var server = await RunningServer.StartAsync(_line);

        var looked = await _line.RunAsync("doctor", "--json");

        Assert.Equal("warning", Of(looked, "format").Severity);
        Assert.Contains("The server is version test", Of(looked, "format").Found, StringComparison.Ordinal);
        Assert.Contains("when it opened the store", Of(looked, "watermark").Found, StringComparison.Ordinal);
        Assert.Equal("ok", Of(looked, "plugins").Severity);
    }

    [Theory]
    [InlineData(1L << 40, 1_000_000L, "ext4", 1_000_000L, true, "")]
    [InlineData(3L << 30, 1_000_000L, "ext4", 1_000_000L, true, "")]
    [InlineData(1L << 30, 1_000_000L, "ext4", 1_000_000L, true, "warning disk")]
    [InlineData(1L << 20, 1_000_000L, "ext4", 1_000_000L, true, "problem disk")]
    [InlineData(1L << 40, 9_999L, "ext4", 1_000_000L, true, "warning disk")]
    [InlineData(1L << 40, 999L, "ext4", 1_000_000L, true, "problem disk")]
    [InlineData(1L << 40, null, "btrfs", null, null, "")]
    [InlineData(1L << 40, 1_000_000L, "nfs4", 1_000_000L, true, "warning disk")]
    [InlineData(1L << 40, 1_000_000L, "tmpfs", 1_000_000L, true, "warning disk")]
    [InlineData(1L << 40, 1_000_000L, "overlay", 1_000_000L, true, "warning disk")]
    [InlineData(1L << 40, 1_000_000L, "ext4", 4_096L, true, "warning limits")]
    [InlineData(1L << 40, 1_000_000L, "ext4", 1_024L, true, "problem limits")]
    [InlineData(1L << 40, 1_000_000L, "ext4", 1_000_000L, false, "warning clock")]
    public async Task What_the_machine_lacks_is_told_with_what_to_do(long free, long? files, string kind, long? open, bool? clock, string expected)
    {
        await _line.RunAsync("config", "--bind", "127.0.0.1");
        _line.Host = new() { FreeBytes = free, FreeFiles = files, FileSystem = kind, OpenFilesMax = open, MemoryBytes = 1L << 33, ClockIsKept = clock };

        var looked = await _line.RunAsync("doctor", "--json");

        var found = JsonNode.Parse(looked.Out)!["findings"]!.AsArray().Where(static one => one!["severity"]!.GetValue<string>() != "ok" && one["check"]!.GetValue<string>() is ("disk" or "limits" or "clock"))
            .Select(static one => $"{one!["severity"]} {one["check"]}");
        Assert.Equal(expected, string.Join(", ", found));
        Assert.Equal(expected.StartsWith("problem", StringComparison.Ordinal) ? ExitCode.Failed : ExitCode.Done, looked.Code);
    }

    /// <summary>Without a server nobody delivers, and what is left of a plugin that was disabled or removed is no plugin that is late.</summary>
    [Theory]
    [InlineData(false, Health.Severity.Ok)]
    [InlineData(true, Health.Severity.Warning)]
    public void A_plugin_is_behind_where_a_server_delivers_to_it(bool running, Health.Severity expected)
    {
        var findings = new Health.Findings();

        Health.PluginCheck.Look(findings, [new("mail", ServerLimits.PluginLagWarning + 1, 0, 0)], running);

        Assert.Equal(expected, Assert.Single(findings.All).Severity);
    }

    [Fact]
    public void A_drive_that_goes_while_it_is_asked_says_nothing()
    {
        Assert.Null(Health.HostFacts.OfDrive<long?>(_line.Directory.Path, static _ => throw new IOException("gone")));
        Assert.Null(Health.HostFacts.OfDrive<string>(_line.Directory.Path, static _ => throw new UnauthorizedAccessException("closed")));
    }

    [Fact]
    public void The_kind_of_a_file_system_is_that_of_the_nearest_mount_above_the_path()
    {
        const string Mounts = "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\nserver:/x /srv nfs4 rw 0 0\n/dev/sdb /srv/fast\\040disk xfs rw 0 0\ntmpfs /srv tmpfs rw 0 0\n";

        Assert.Equal("ext4", Health.HostFacts.FileSystemOf(Mounts, "/home/me/.eventdbx"));
        Assert.Equal("tmpfs", Health.HostFacts.FileSystemOf(Mounts, "/srv/eventdbx"));
        Assert.Equal("xfs", Health.HostFacts.FileSystemOf(Mounts, "/srv/fast disk/db"));
        Assert.Equal("ext4", Health.HostFacts.FileSystemOf(Mounts, "/srvx"));
        Assert.Null(Health.HostFacts.FileSystemOf("", "/srv"));
    }

    [Fact]
    public void How_many_files_a_process_may_open_is_its_hard_limit()
    {
        Assert.Equal(524288, Health.HostFacts.OpenFilesOf("Limit  Soft Limit  Hard Limit  Units\nMax processes  1  2  processes\nMax open files            1024                 524288               files\n"));
        Assert.Equal(long.MaxValue, Health.HostFacts.OpenFilesOf("Max open files            1024                 unlimited            files\n"));
        Assert.Null(Health.HostFacts.OpenFilesOf(""));
    }

    [Fact]
    public void The_file_system_behind_a_link_is_that_which_it_leads_to()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere the drive is asked.");
        File.CreateSymbolicLink(_line.Directory["data"], "/proc/self");
        Assert.Equal("proc", Health.HostFacts.Of(_line.Directory["data"], null).FileSystem);
        Assert.NotEqual("proc", Health.HostFacts.Of(_line.Directory.Path, null).FileSystem);
    }

    [Fact]
    public void Of_this_machine_it_is_told_what_there_is()
    {
        var facts = Health.HostFacts.Of(Path.Combine(_line.Directory.Path, "not", "there"), null);

        Assert.True(facts.FreeBytes > 0);
        if (OperatingSystem.IsLinux())
            Assert.True(facts is { FileSystem.Length: > 0, OpenFilesMax: > 0 }, facts.ToString());
    }

    public void Dispose() => _line.Dispose();

    async Task MakeAsync()
    {
        await _line.RunAsync("config", "--encryption", "off", "--bind", "127.0.0.1");
        foreach (var id in (string[])["o-1", "o-2"])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", id, "made", "--payload", """{"a":1}""")).Code);
    }

    /// <summary>Writes rows beside the engine's own, and closes the store over them.</summary>
    async Task ChangeAsync(Action<IStorageView, WritePlan> change)
    {
        await using var database = Database.Open(new() { Directory = _line.DataDirectory, Encrypted = false });
        database.Engine.Commit(new Planner(change), sync: true);
    }

    static (string Severity, string Found) Of(Outcome looked, string check) => (Finding(looked, check)["severity"]!.GetValue<string>(), Finding(looked, check)["found"]!.GetValue<string>());

    static JsonNode Finding(Outcome looked, string check)
    {
        var findings = JsonNode.Parse(looked.Out)!["findings"]!.AsArray();
        return findings.FirstOrDefault(one => one!["check"]!.GetValue<string>() == check) ?? throw new InvalidOperationException($"Nothing of {check}: {looked.Out}");
    }

    sealed class Planner(Action<IStorageView, WritePlan> change) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            change(view, plan);
            plan.BaseLogSize = plan.LogSize = LogTreeStore.LoadFrontier(view).Size;
        }

        public void Forget() { }
    }
}
