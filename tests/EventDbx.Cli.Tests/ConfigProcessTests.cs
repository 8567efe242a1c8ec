using System.Globalization;

namespace EventDbx.Cli.Tests;

/// <summary>The configuration under several processes at once, and under those that are killed.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ConfigProcessTests : IDisposable
{
    readonly TemporaryDirectory _home = new();

    public void Dispose() => _home.Dispose();

    [Fact]
    public async Task Sixteen_processes_that_change_settings_at_once_lose_none_of_them()
    {
        for (var round = 1; round <= TestTiers.Choose(1, 5, 20); round++)
        {
            var n = round.ToString(CultureInfo.InvariantCulture);
            // Two settings each, no setting twice.
            (string Options, string Shown)[] changes =
            [
                ($"--port 100{n} --bind 127.0.0.{n}", $"port = 100{n}|bind_addr = \"127.0.0.{n}\""),
                ($"--cache-threshold 20{n}", $"cache_threshold = 20{n}"),
                ($"--list-page-size 30{n}", $"list_page_size = 30{n}"),
                ($"--page-limit 40{n}", $"page_limit = 40{n}"),
                ($"--plugin-max-attempts 50{n}", $"plugin_max_attempts = 50{n}"),
                ($"--snapshot-threshold 60{n}", $"snapshot_threshold = 60{n}"),
                ($"--relaxed-interval-ms 70{n}", $"relaxed_interval_ms = 70{n}"),
                ($"--durability {(round % 2 == 0 ? "sync" : "relaxed")}", $"durability = \"{(round % 2 == 0 ? "sync" : "relaxed")}\""),
                ($"--restrict {(round % 2 == 0 ? "off" : "strict")}", $"restrict = \"{(round % 2 == 0 ? "off" : "strict")}\""),
                ($"--api {(round % 2 == 0 ? "rest" : "grpc")}", $"rest = {(round % 2 == 0 ? "true" : "false")}|grpc = {(round % 2 == 0 ? "false" : "true")}"),
                ($"--socket-bind 127.0.0.1:80{n}", $"bind_addr = \"127.0.0.1:80{n}\""),
                ($"--grpc-bind 127.0.0.1:90{n}", $"bind_addr = \"127.0.0.1:90{n}\""),
                ($"--admin-bind 127.0.1.{n}", $"bind_addr = \"127.0.1.{n}\""),
                ($"--admin-port 110{n}", $"port = 110{n}"),
                ($"--data-dir {_home[$"data{n}"]}", $"data_dir = \"{_home[$"data{n}"]}\""),
                ($"--admin-master-key k{n}", "master_key_hash = "),
            ];

            var outcomes = await Task.WhenAll(changes.Select(change =>
                Program.RunAsync(Program.File, _home.Path, _home.Path, ["config", .. change.Options.Split(' ')])));

            Assert.All(outcomes, outcome => Assert.Equal((ExitCode.Done, ""), (outcome.Code, outcome.Out)));
            var lines = (await File.ReadAllTextAsync(_home[".eventdbx/config.toml"], TestContext.Current.CancellationToken)).Split('\n');
            Assert.All(changes.SelectMany(change => change.Shown.Split('|')), shown =>
                Assert.Contains(lines, line => line.StartsWith(shown, StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task A_process_that_is_killed_while_it_changes_a_setting_leaves_the_old_one_or_the_new_one()
    {
        var random = new Random(20250101);
        var before = 1;
        await Program.RunAsync(Program.File, _home.Path, _home.Path, "config", "--port", "1");
        for (var kill = 0; kill < TestTiers.Choose(5, 50, 500); kill++)
        {
            var after = before + 1;
            using (var program = Program.Begin(_home.Path, "config", "--port", after.ToString(CultureInfo.InvariantCulture)))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(60, 400)), TestContext.Current.CancellationToken);
                await program.KillAsync();
            }

            var now = ConfigFile.Load(null, _home[".eventdbx"], null, TimeProvider.System).Config.Port;
            Assert.True(now == before || now == after, $"{now} is neither {before} nor {after}");
            before = now;
        }

        // And the next one is not kept from it.
        var last = await Program.RunAsync(Program.File, _home.Path, _home.Path, "config", "--port", "9999");
        Assert.Equal(ExitCode.Done, last.Code);
        Assert.Equal(9999, ConfigFile.Load(null, _home[".eventdbx"], null, TimeProvider.System).Config.Port);
    }
}
