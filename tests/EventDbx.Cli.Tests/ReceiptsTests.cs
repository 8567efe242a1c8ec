using System.Text.Json;

namespace EventDbx.Cli.Tests;

/// <summary>The first job of all, by the script and with thousands of real events: import, read, replay, verify.</summary>
[CiTier("It imports thousands of events.")]
public sealed class ReceiptsTests : IDisposable
{
    readonly TemporaryDirectory _home = new();

    [Fact]
    public async Task Generated_receipts_are_imported_once_and_verified()
    {
        var file = new ReceiptGenerator(1, 1434, 8577).WriteFile(_home["receipts.ndjson"]);

        await ImportTwiceAndVerifyAsync(file, 8577, 1434);
    }

    [CiTier("It imports tens of thousands of events.")]
    [Fact]
    public async Task Real_receipts_are_imported_once_and_verified()
    {
        var file = Checkout.SharedData("receipt/events.ndjson");
        Assert.SkipWhen(file is null, "receipt/events.ndjson is not beside the checkout.");

        await ImportTwiceAndVerifyAsync(file!, 8577, 1434);
        var got = JsonDocument.Parse((await RunAsync("aggregate", "get", "permit", "case-891")).Out).RootElement;

        Assert.Equal(JsonValueKind.Object, got.GetProperty("state").GetProperty("activity").ValueKind);
        Assert.Equal(18, got.GetProperty("version").GetInt32());
    }

    [Fact]
    public async Task An_import_that_is_interrupted_closes_the_store_and_goes_on_the_next_time()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no `kill` to send the signal with.");
        var file = new ReceiptGenerator(1, 100, 1200).WriteFile(_home["receipts.ndjson"]);
        await Program.RunAsync(Program.File, _home.Path, _home.Path, "aggregate", "create", "order", "o-1");
        using var import = await Program.StartAsync(_home.Path, "import", "-");
        await import.SayAsync(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));

        await Program.RunAsync("kill", _home.Path, null, $"-{Signals.Interrupt}", FormattableString.Invariant($"{import.Id}"));
        var interrupted = await import.WaitAsync();
        Assert.True(File.Exists(_home[".eventdbx/event_store.inventory"]), "the store was not closed");
        var again = await Program.RunAsync(Program.File, _home.Path, _home.Path, "import", file);

        Assert.Equal((ExitCode.Failed, ""), (interrupted.Code, interrupted.Out));
        Assert.Matches("^(Stored so far: [0-9,]+ lines; [0-9,]+ appended, 0 known|Nothing was stored)\\. Import again to go on: .*\nError: interrupted\n$", interrupted.Error);
        Assert.StartsWith("imported 1,200 lines: ", again.Out, StringComparison.Ordinal);
        Assert.Equal("", again.Error);
    }

    public void Dispose() => _home.Dispose();

    async Task ImportTwiceAndVerifyAsync(string file, int events, int aggregates)
    {
        var first = await RunAsync("import", file);
        var second = await RunAsync("import", file);
        var verified = await RunAsync("verify", "--all");
        var listed = await RunAsync("aggregate", "list", "--take", "1000000");

        Assert.StartsWith(FormattableString.Invariant($"imported {events:N0} lines: {events:N0} events appended, 0 known, {aggregates:N0} aggregates in "), first.Out, StringComparison.Ordinal);
        Assert.StartsWith(FormattableString.Invariant($"imported {events:N0} lines: 0 events appended, {events:N0} known, 0 aggregates in "), second.Out, StringComparison.Ordinal);
        Assert.StartsWith(FormattableString.Invariant($"verified {events:N0} events and 1 other entries in {aggregates:N0} aggregates "), verified.Out, StringComparison.Ordinal);
        Assert.Equal(aggregates, listed.Out.Count(c => c == '\n'));
    }

    async Task<Outcome> RunAsync(params string[] arguments)
    {
        var outcome = await Program.RunAsync(Script, _home.Path, home: null, [.. arguments, "--config", _home["config.toml"], "--data-dir", _home["data"]]);
        Assert.True(outcome.Code == ExitCode.Done, outcome.Error);
        return outcome;
    }

    static string Script => Path.Combine(Checkout.Root, OperatingSystem.IsWindows() ? "dbx.cmd" : "dbx");
}
