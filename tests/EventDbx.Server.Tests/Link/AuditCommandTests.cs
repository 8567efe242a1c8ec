using System.Text.Json;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx audit</c>, with a server and without.</summary>
public sealed class AuditCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_audit_says_who_did_what_and_from_where_on_both_roads(bool running)
    {
        await _line.RunAsync("config", "--encryption", "off");
        await _line.RunAsync("aggregate", "create", "order", "o-1");
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;
        await _line.RunAsync("aggregate", "archive", "order", "o-1", "--comment", "say \"x\",\"from\":\"nowhere\"");

        var list = await _line.RunAsync("audit", "list");
        var json = JsonDocument.Parse((await _line.RunAsync("audit", "list", "--json")).Out).RootElement;
        var some = JsonDocument.Parse((await _line.RunAsync("audit", "list", "--kind", "archive,remove", "--group", "cli", "--json")).Out).RootElement;
        var first = await _line.RunAsync("audit", "list", "--take", "1");
        var later = await _line.RunAsync("audit", "list", "--after", "1", "--json");

        Assert.Equal(ExitCode.Done, list.Code);
        var place = running ? "socket" : "directory";
        var lines = list.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Matches($@"^position=1 at=20[^ ]+Z kind=create subject=order/o-1 by=cli/[^ ]+ from=directory body=\{{""from"":""directory""\}}$", lines[0]);
        Assert.Contains($" kind=archive subject=order/o-1 by=cli/{Environment.UserName} from={place} ", lines[1], StringComparison.Ordinal);
        Assert.Equal(["create", "archive"], json.EnumerateArray().Select(item => item.GetProperty("kind").GetString()));
        Assert.Equal(["directory", place], json.EnumerateArray().Select(item => item.GetProperty("from").GetString()));
        Assert.Equal("say \"x\",\"from\":\"nowhere\"", json[1].GetProperty("body").GetProperty("comment").GetString());
        Assert.Equal("archive", Assert.Single(some.EnumerateArray()).GetProperty("kind").GetString());
        Assert.Equal(lines[0] + "\n", first.Out);
        Assert.Equal("archive", Assert.Single(JsonDocument.Parse(later.Out).RootElement.EnumerateArray()).GetProperty("kind").GetString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_export_is_a_file_for_its_owner_with_what_its_hashes_are_made_of(bool running)
    {
        await _line.RunAsync("config", "--encryption", "off");
        await _line.RunAsync("aggregate", "create", "order", "o-1");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var exported = await _line.RunAsync("audit", "export", "--output", "audit.ndjson");
        var lines = await _line.RunAsync("audit", "export", "--output", "-");

        Assert.Equal((ExitCode.Done, "wrote 1 entries to audit.ndjson\n"), (exported.Code, exported.Out));
        var file = _line.Directory["audit.ndjson"];
        Assert.Equal(lines.Out, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        Assert.Equal("wrote 1 entries\n", lines.Error);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var entry = JsonDocument.Parse(lines.Out).RootElement;
        Assert.Equal(["position", "kind", "subject", "created_at", "issued_by", "from", "body", "salt", "hash"], entry.EnumerateObject().Select(member => member.Name));
        Assert.Equal(22, entry.GetProperty("salt").GetString()!.Length);
        Assert.False(File.Exists(file + ".tmp"));
    }

    [Theory]
    [InlineData("export")]
    [InlineData("list", "--kind", "create,,remove")]
    [InlineData("list", "--kind", "nope")]
    [InlineData("export", "--output", "-", "--kind", "nope")]
    [InlineData("list", "--since", "yesterday")]
    [InlineData("list", "--take", "-1")]
    public async Task A_command_line_that_makes_no_sense_is_refused(params string[] arguments) =>
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync(["audit", .. arguments])).Code);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_slip_in_a_kind_does_not_read_as_nothing_happened(bool running)
    {
        await _line.RunAsync("config", "--encryption", "off");
        await _line.RunAsync("aggregate", "create", "order", "o-1");
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        var slip = await _line.RunAsync("audit", "list", "--kind", "creat");
        var right = await _line.RunAsync("audit", "list", "--kind", "create, key_rotation");

        Assert.Equal((ExitCode.Usage, ExitCode.Done), (slip.Code, right.Code));
        Assert.Contains("did you mean `create`?", slip.Error, StringComparison.Ordinal);
        Assert.Contains("document_accepted", slip.Error, StringComparison.Ordinal);
        Assert.Contains("kind=create", right.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_root_reads_the_audit_and_where_there_is_no_store_it_is_empty()
    {
        var none = await _line.RunAsync("audit", "list", "--json");
        var nothing = await _line.RunAsync("audit", "export", "--output", "-");
        await _line.RunAsync("config", "--encryption", "off");
        var token = (await _line.RunAsync("token", "generate", "--group", "g", "--user", "u", "--action", "*.*")).Out.Split('\n')[0]["token=".Length..];
        var refused = await _line.RunAsync("audit", "list", "--token", token);

        Assert.Equal((ExitCode.Done, "[]\n"), (none.Code, none.Out));
        Assert.Equal(ExitCode.Failed, nothing.Code);
        Assert.Equal((ExitCode.Failed, true), (refused.Code, refused.Error.Contains("Only a root token may read the audit trail.", StringComparison.Ordinal)));
    }
}
