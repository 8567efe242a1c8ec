using EventDbx.Cli.Output;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tests.Link;

/// <summary>Every synopsis of the published sections Schemas, Aggregates, Maintenance and Restriction Modes, in both forms, with the server running and stopped.</summary>
/// <remarks>Those of Upgrades need an address of releases and no server: <c>UpgradeTests</c> of the command line has them.</remarks>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class SeedTableTests
{
    /// <summary>What a synopsis has come to.</summary>
    public enum Status
    {
        /// <summary>Works as published.</summary>
        Works,

        /// <summary>Not there yet.</summary>
        Later,
    }

    /// <param name="Line">A command line of the synopsis, with names for values.</param>
    /// <param name="Status">Whether it works.</param>
    /// <param name="Prints">What its output has, where it works.</param>
    sealed record Row(string[] Line, Status Status, string Prints);

    static Row Works(string prints, params string[] line) => new(line, Status.Works, prints);

    /// <summary>In their order: each stands on what those before it left.</summary>
    static readonly Row[] Table =
    [
        // schema create <name> --events <event1,event2,...> [--snapshot-threshold <u64>]
        Works("schema=patient events=2 snapshot_threshold=Some(100)", "schema", "create", "patient", "--events", "patient-added,patient-updated", "--snapshot-threshold", "100"),
        Works("schema=order events=1 snapshot_threshold=None", "schema", "create", "--aggregate", "order", "-e", "order-placed"),
        Works("snapshot_threshold=Some(5)", "schema", "create", "third", "-e", "a", "-e", "b", "-s", "5"),
        // schema add <name> --events <event1,event2,...>
        Works("schema=patient added_events=moved,left total_events=4", "schema", "add", "patient", "--events", "moved,left"),
        Works("schema=patient added_events=born,died total_events=6", "schema", "add", "patient", "born", "died"),
        Works("schema=patient added_events=seen,heard total_events=8", "schema", "add", "patient", "seen,heard"),
        Works("added_events=met total_events=9", "schema", "add", "--aggregate", "patient", "--events", "met"),
        // schema remove <name> <event>
        Works("schema=patient removed_event=met remaining_events=8", "schema", "remove", "patient", "met"),
        Works("removed_event=heard remaining_events=7", "schema", "remove", "--aggregate", "patient", "--event", "heard"),
        // schema annotate <name> <event> [--note <text>] [--clear]
        Works("aggregate=patient event=born note_set=\"at home\"", "schema", "annotate", "patient", "born", "--note", "at home"),
        Works("aggregate=patient event=born note_cleared", "schema", "annotate", "--aggregate", "patient", "--event", "born", "--clear"),
        // schema list, show, hide, validate
        Works("schema=patient events=7 locked=false snapshot_threshold=Some(100)", "schema", "list"),
        Works("\"aggregate\": \"patient\"", "schema", "list", "--json"),
        Works("\"patient-added\": {", "schema", "patient"),
        Works("\"patient-added\": {", "schema", "show", "patient"),
        Works("\"patient-added\": {", "schema", "--aggregate", "patient"),
        Works("aggregate=patient field=ssn hidden", "schema", "hide", "--aggregate", "patient", "--field", "ssn"),
        Works("aggregate=patient event=born validation=ok", "schema", "validate", "--aggregate", "patient", "--event", "born", "--payload", "{}"),
        Works("aggregate=none event=any validation=ok", "schema", "validate", "none", "any", "--payload", "{}"),
        // aggregate apply --aggregate --aggregate-id --event --field KEY=VALUE... [--payload] [--patch] [--stage] [--token] [--note]
        Works("\"name\": \"Jane Doe\"", "aggregate", "apply", "patient", "p-1", "patient-added", "--field", "name=Jane Doe", "--field", "status=active"),
        Works("\"note\": \"by phone\"", "aggregate", "apply", "--aggregate", "patient", "--aggregate-id", "p-1", "--event", "patient-updated", "--payload", """{"contact":{"city":"Portland"}}""", "--note", "by phone"),
        Works("\"city\": \"Spokane\"", "aggregate", "apply", "patient", "p-1", "patient-updated", "--patch", """[{"op":"replace","path":"/contact/city","value":"Spokane"}]"""),
        Works("\"city\": \"Salem\"", "aggregate", "apply", "--aggregate", "patient", "--aggregate-id", "p-1", "--event", "patient-updated", "--patch", """[{"op":"replace","path":"/contact/city","value":"Salem"}]""", "--token", "{token}"),
        Works("event staged for later commit", "aggregate", "apply", "patient", "p-2", "patient-added", "--field", "name=Joe", "--stage"),
        Works("event staged for later commit", "aggregate", "apply", "--aggregate", "patient", "--aggregate-id", "p-2", "--event", "born", "--stage", "--note", "later"),
        // aggregate list [--skip <n>] [--take <n>] [--stage]
        Works("aggregate_type=patient aggregate_id=p-1 version=4 merkle_root=", "aggregate", "list", "--skip", "0", "--take", "5"),
        Works("\"note\": \"later\"", "aggregate", "list", "--stage"),
        // aggregate get [--version <u64>] [--include-events]
        Works("\"name\": \"Jane Doe\"", "aggregate", "get", "patient", "p-1", "--version", "1", "--include-events"),
        Works("\"version\": 4", "aggregate", "get", "--aggregate", "patient", "--aggregate-id", "p-1"),
        // aggregate replay [--skip <n>] [--take <n>]
        Works("\"version\": 2", "aggregate", "replay", "patient", "p-1", "--skip", "1", "--take", "1"),
        Works("\"version\": 1", "aggregate", "replay", "--aggregate", "patient", "--aggregate-id", "p-1"),
        // aggregate verify
        Works("merkle_root=", "aggregate", "verify", "patient", "p-1"),
        Works("\"merkle_root\": ", "aggregate", "verify", "--aggregate", "patient", "--aggregate-id", "p-1", "--json"),
        // aggregate snapshot [--comment <text>]
        Works("\"comment\": \"before\"", "aggregate", "snapshot", "patient", "p-1", "--comment", "before"),
        Works("\"version\": 4", "aggregate", "snapshot", "--aggregate", "patient", "--aggregate-id", "p-1"),
        // aggregate archive, restore [--comment <text>]
        Works("aggregate_type=patient aggregate_id=p-1 archived=true comment=year closed", "aggregate", "archive", "patient", "p-1", "--comment", "year closed"),
        Works("aggregate_type=patient aggregate_id=p-1 archived=false comment=", "aggregate", "restore", "patient", "p-1"),
        Works("archived=true", "aggregate", "archive", "--aggregate", "patient", "--aggregate-id", "p-1"),
        Works("archived=false comment=opened", "aggregate", "restore", "--aggregate", "patient", "--aggregate-id", "p-1", "--comment", "opened"),
        // aggregate remove
        Works("aggregate_id=p-9", "aggregate", "create", "patient", "p-9"),
        Works("aggregate_type=patient aggregate_id=p-9 removed", "aggregate", "remove", "--aggregate", "patient", "--aggregate-id", "p-9"),
        Works("aggregate_id=p-9", "aggregate", "create", "patient", "p-9"),
        Works("aggregate_type=patient aggregate_id=p-9 removed", "aggregate", "remove", "patient", "p-9"),
        // aggregate commit
        Works("committed 2 event(s)", "aggregate", "commit"),
        Works("no staged events to commit", "aggregate", "commit"),
        // backup --output <path> [--force]
        Works("backups/dbx.tar.zst: ", "backup", "--output", "backups/dbx.tar.zst"),
        Works("backups/dbx.tar.zst: ", "backup", "--output", "backups/dbx.tar.zst", "--force"),
        // aggregate export [<type>] [--all] --output <path> [--format csv|json] [--zip] [--pretty]
        Works("Exported 1 aggregate type(s) in CSV format", "aggregate", "export", "patient", "--output", "out"),
        Works("wrote patients.json", "aggregate", "export", "--aggregate", "patient", "--output", "patients.json", "--format", "json", "--pretty"),
        Works("wrote out/patient.csv", "aggregate", "export", "--all", "--output", "out", "--format", "csv"),
        Works("Exported 1 aggregate type(s) to out.zip (zip archive)", "aggregate", "export", "--all", "--output", "out.zip", "--zip"),
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_published_synopsis_of_schemas_and_aggregates_does_what_it_says(bool running)
    {
        using var line = new CommandLine();
        var token = (await line.RunAsync("token", "generate", "--group", "clinic", "--user", "jane", "--root")).Out.Split('\n')[0]["token=".Length..];
        await using var server = running ? await RunningServer.StartAsync(line) : null;
        foreach (var row in Table)
        {
            var outcome = await line.RunAsync([.. row.Line.Select(word => word.Replace("{token}", token, StringComparison.Ordinal))]);
            Assert.True(
                row.Status == Status.Works
                    ? outcome.Code == ExitCode.Done && outcome.Out.Contains(row.Prints, StringComparison.Ordinal)
                    : outcome.Code == ExitCode.Usage,
                $"dbx {string.Join(' ', row.Line)} ({row.Status}): {outcome}");
        }
    }

    /// <summary>Of Maintenance: <c>dbx backup --output &lt;path&gt; [--force]</c> and <c>dbx restore --input &lt;path&gt; [--data-dir &lt;path&gt;] [--force]</c>, with the server stopped as published; the backup also with one that runs.</summary>
    [Fact]
    public async Task Every_published_synopsis_of_maintenance_does_what_it_says()
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--bind", "127.0.0.1");
        await DemandAsync(ExitCode.Done, "aggregate", "apply", "order", "o-1", "placed", "--payload", "{}");
        await using (await RunningServer.StartAsync(line))
            await DemandAsync(ExitCode.Done, "backup", "--output", "running.tar.zst");
        foreach (var (code, arguments) in new[]
        {
            (ExitCode.Done, "backup --output b.tar.zst"),
            (ExitCode.Failed, "backup --output b.tar.zst"),
            (ExitCode.Done, "backup --output b.tar.zst --force"),
            (ExitCode.Failed, "restore --input b.tar.zst"),
            (ExitCode.Done, "restore --input b.tar.zst --force"),
            (ExitCode.Done, "restore --input b.tar.zst --data-dir other"),
            (ExitCode.Failed, "restore --input b.tar.zst --data-dir other"),
            (ExitCode.Done, "restore --input running.tar.zst --data-dir other --force"),
            (ExitCode.Done, "aggregate get order o-1"),
        })
        {
            await DemandAsync(code, arguments.Split(' '));
        }

        async Task DemandAsync(ExitCode code, params string[] arguments)
        {
            var outcome = await line.RunAsync(arguments);
            Assert.True(outcome.Code == code, $"dbx {string.Join(' ', arguments)}: {outcome}");
        }
    }

    /// <summary>The spellings that are published for <c>--restrict</c>; the others are those of the setting, and tested there.</summary>
    [Theory]
    [InlineData("off", Restriction.Off)]
    [InlineData("false", Restriction.Off)]
    [InlineData("default", Restriction.Default)]
    [InlineData("true", Restriction.Default)]
    [InlineData("strict", Restriction.Strict)]
    public async Task Every_published_spelling_of_a_restriction_mode_does_what_the_mode_says(string spelling, Restriction mode)
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off", "--restrict", spelling);
        Assert.Contains($"restrict = \"{ConfigKeys.NameOf(mode)}\"", (await line.RunAsync("config")).Out, StringComparison.Ordinal);
        await line.RunAsync("schema", "create", "order", "--events", "placed");

        Assert.Equal(mode == Restriction.Off, (await line.RunAsync("aggregate", "apply", "order", "o-1", "unheard-of")).Code == ExitCode.Done);
        Assert.Equal(mode != Restriction.Strict, (await line.RunAsync("aggregate", "apply", "undeclared", "u-1", "any")).Code == ExitCode.Done);
        Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "apply", "order", "o-1", "placed")).Code);
    }

    [Theory]
    [InlineData("config", "--restrict", "strickt")]
    [InlineData("start", "--restrict=strickt")]
    public async Task An_unknown_mode_is_refused(params string[] arguments)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(arguments);

        Assert.NotEqual(ExitCode.Done, outcome.Code);
        Assert.Contains("strickt", outcome.Error, StringComparison.Ordinal);
    }
}
