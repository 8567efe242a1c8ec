using System.CommandLine;

namespace EventDbx.Cli.Tests;

/// <summary>From what goes wrong to what a shell and a reader learn.</summary>
public sealed class FailureTests
{
    static readonly Dictionary<string, Exception> Kinds = new()
    {
        ["not-found"] = new RefusedException(RefusalCode.NotFound, "There is no aggregate `order` with the id `o-9`."),
        ["overloaded"] = new RefusedException(RefusalCode.Overloaded, "The queue is full."),
        ["tampered"] = new RefusedException(RefusalCode.IntegrityViolation, "Entry 7 is not what was committed."),
        ["closed"] = new StoreRefusedException("Entries 5 to 9 are missing."),
        ["config"] = new ConfigException("/c.toml, line 3: unknown key `prt`"),
        ["io"] = new IOException("No space left.", new IOException("write failed", new IOException("disk full"))),
        ["cancelled"] = new OperationCanceledException(),
        ["bug"] = new InvalidOperationException("1 + 1 was 3"),
    };

    static readonly Slot Kind = new("--kind", "KIND", "What goes wrong.");
    static readonly RootCommand Root = CommandTree.WithGlobals(new("A tree that fails.")
    {
        new Verb("fail", "Fails.", Kind) { Examples = [], Run = (call, _) => throw Kinds[call[Kind]] },
    });

    [Theory]
    [InlineData("not-found", ExitCode.Failed, "Error: There is no aggregate `order` with the id `o-9`.\n")]
    [InlineData("tampered", ExitCode.Difference, "Error: Entry 7 is not what was committed.\n")]
    [InlineData("closed", ExitCode.Refused, "Error: Entries 5 to 9 are missing.\n")]
    [InlineData("config", ExitCode.Failed, "Error: /c.toml, line 3: unknown key `prt`\n")]
    [InlineData("io", ExitCode.Failed, "Error: No space left.\n\nCaused by:\n    0: write failed\n    1: disk full\n")]
    [InlineData("cancelled", ExitCode.Failed, "Error: interrupted\n")]
    internal async Task A_failure_has_an_exit_code_and_a_sentence(string kind, ExitCode code, string sentence)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(Root, "fail", kind);

        Assert.Equal(new Outcome(code, "", sentence), outcome);
    }

    [Fact]
    public async Task A_fault_of_ours_says_so_and_shows_where()
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(Root, "fail", "bug");

        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.StartsWith("Error: 1 + 1 was 3\n\nThis is a fault of EventDBX", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(nameof(FailureTests), outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not-found", """{"code":"not_found","message":"There is no aggregate `order` with the id `o-9`.","retryable":false}""")]
    [InlineData("overloaded", """{"code":"overloaded","message":"The queue is full.","retryable":true}""")]
    [InlineData("closed", """{"code":"store_refused","message":"Entries 5 to 9 are missing.","retryable":false}""")]
    public async Task With_json_a_failure_is_the_object_that_the_surfaces_send(string kind, string json)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(Root, "fail", kind, "--json");

        Assert.Equal(("", json + "\n"), (outcome.Out, outcome.Error));
    }

    [Fact]
    public void Every_refusal_has_an_exit_code()
    {
        foreach (var code in Enum.GetValues<RefusalCode>())
            Assert.True(Failures.CodeOf(code) is ExitCode.Failed or ExitCode.Difference, code.ToString());
    }
}
