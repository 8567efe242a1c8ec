using System.Diagnostics;
using System.Globalization;

namespace EventDbx.Verifier.Tests;

/// <summary>Evidence that is too large to be held.</summary>
public sealed class EvidenceTests
{
    /// <summary>Bytes of managed memory that the program gets, hexadecimal as the runtime wants it: 48 MiB. In CI the larger file has 141 MB.</summary>
    const string HeapMost = "0x3000000";

    [Fact]
    public async Task Evidence_of_many_events_is_checked_in_bounded_memory()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "`env` is for a shell");
        var events = TestTiers.Choose(10_000, 100_000, 400_000);
        var aggregates = events / 6;
        using var files = new TemporaryDirectory();
        var (log, random) = (new ModelLog(Sample.LogKey), new Random(1));
        for (var i = 0; i < events; i++)
        {
            log.Append("permit", $"case-{random.Next(aggregates)}", "s02-receipt-checked",
                $$$"""{"activity":{"instance":"task-{{{i}}}","transition":"complete","group":"Group {{{i % 5}}}","resource":"Resource{{{i % 40}}}"},"channel":"Internet","last_activity_at":"2026-01-06 08:00:00+00:00"}""",
                random, ("permits", "jane"));
        }

        files.Write("log.vkey", log.Key.Vkey);
        files.Write("half.checkpoint", log.Checkpoint(events / 2));
        await File.WriteAllLinesAsync(files["aggregates.ndjson"], log.BundleLines(events, events / 2, [.. log.Aggregates.Keys]));
        await File.WriteAllLinesAsync(files["log.ndjson"], log.LogBundle(events, 0));
        await CheckAsync(files, "aggregates.ndjson", events);
        await CheckAsync(files, "log.ndjson", events);

        // The same files with the last event left out.
        foreach (var name in new[] { "aggregates.ndjson", "log.ndjson" })
        {
            var lines = await File.ReadAllLinesAsync(files[name]);
            await File.WriteAllLinesAsync(files["short.ndjson"], [.. lines[..^2], lines[^1]]);
            Assert.Equal(3, (await VerifierProgram.RunAsync(files.Path, "bundle", "short.ndjson", "--key", "@log.vkey")).Exit);
        }
    }

    static async Task CheckAsync(TemporaryDirectory files, string name, int events)
    {
        var program = Environment.GetEnvironmentVariable("EVENTDBX_VERIFIER") ?? VerifierProgram.File;
        var since = Stopwatch.GetTimestamp();
        var (exit, output, error) = await VerifierProgram.StartAsync(
            "env", files.Path, null, $"DOTNET_GCHeapHardLimit={HeapMost}", program, "bundle", name, "--key", "@log.vkey", "--since", "half.checkpoint");
        var seconds = Stopwatch.GetElapsedTime(since).TotalSeconds;

        Assert.True(exit == 0, output + error);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"- {events:N0} events"), output, StringComparison.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {events:N0} events, {new FileInfo(files[name]).Length / 1e6:N0} MB, {events / seconds:N0} events/s"));
    }
}
