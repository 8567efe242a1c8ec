using EventDbx.Verifier.CommandLine;

namespace EventDbx.Verifier.Tests;

/// <summary>Arguments in, text and exit codes out.</summary>
public sealed class CommandLineTests
{
    static readonly string Proofs = Path.Combine(Checkout.TestData, "proofs");
    static readonly string Receipt = Path.Combine(Proofs, "good", "receipt.json");
    static readonly string Witness = Sample.Witnesses[0].Vkey;

    [Theory, InlineData(""), InlineData("event"), InlineData("aggregate"), InlineData("consistency"), InlineData("log"), InlineData("bundle")]
    public void Help_is_as_kept(string command)
    {
        var (exit, output, error) = Run([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.Equal(Golden.Expected($"verifier-help/dbx-verify{(command.Length == 0 ? "" : "-" + command)}.txt", output), output);
        Assert.Equal((0, ""), (exit, error));
        Assert.Contains("\nExamples:\n  dbx-verify ", output, StringComparison.Ordinal);
        Assert.All(output.Split('\n'), line => Assert.InRange(line.Length, 0, 130));
    }

    [Fact]
    public void The_version_names_the_program()
    {
        Assert.Matches(@"^dbx-verify 2\.\d+\.\d+(-\w+)?\n$", Run("--version").Output);
        Assert.Equal(Run("--version"), Run("-V"));
    }

    [Theory]
    [InlineData("error: a command belongs here: event, aggregate, consistency, log, bundle.")]
    [InlineData("error: \"evnt\" is no command; did you mean event?", "evnt")]
    [InlineData("error: \"x\" is no command; there are event, aggregate, consistency, log, bundle.", "x")]
    [InlineData("error: \"\\u{1b}[2J\" is no command; there are", "\u001b[2J")]
    [InlineData("error: `event` wants RECEIPT: RECEIPT is missing.", "event")]
    [InlineData("error: `event` takes RECEIPT, and \"b\" is one too many.", "event", "a", "b")]
    [InlineData("error: `event` has no option --kay; did you mean --key?", "event", "a", "--kay", "x")]
    [InlineData("error: `event` has no option --since", "event", "a", "--since", "x")]
    [InlineData("error: `aggregate` has no option --key", "aggregate", "a", "--key", "x")]
    [InlineData("error: `event` has no option -k", "event", "a", "-k")]
    [InlineData("error: --json takes no value.", "event", "a", "--json=yes")]
    [InlineData("error: --key wants a value.", "event", "a", "--key")]
    [InlineData("error: --key \"nonsense\" is no key: a key is NAME+8 hex digits+base64", "event", "a", "--key", "nonsense")]
    [InlineData("error: --quorum counts witnesses: name them with --witness.", "event", "a", "--quorum", "1")]
    [InlineData("error: --from-root wants a hash, 64 lower-case hex digits, not \"AB\".", "aggregate", "a", "--from-root", "AB")]
    [InlineData("error: --from-root stands there twice.", "aggregate", "a", "--from-root", "AB", "--from-root", "AB")]
    [InlineData("error: standard input can be one of the three files only.", "consistency", "-", "-", "p")]
    public void A_command_line_that_makes_no_sense_is_refused(string message, params string[] arguments)
    {
        var (exit, output, error) = Run(arguments);

        Assert.Equal((2, ""), (exit, output));
        Assert.StartsWith(message, error, StringComparison.Ordinal);
        Assert.EndsWith("--help` shows what it takes.\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_are_refused_where_they_do_not_belong()
    {
        var log = Sample.LogKey.Vkey;
        Assert.Contains("is not the key of a log (algorithm 01).", Run("event", Receipt, "--key", Witness).Error, StringComparison.Ordinal);
        Assert.Contains("is not the key of a witness (algorithm 04).", Run("event", Receipt, "--witness", log).Error, StringComparison.Ordinal);
        Assert.Contains("its 8 hex digits do not belong to the key", Run("event", Receipt, "--key", log.Replace("+88d850f5+", "+88d850f4+", StringComparison.Ordinal)).Error, StringComparison.Ordinal);
        Assert.Contains("--quorum wants a number from 1 to 1", Run("event", Receipt, "--witness", Witness, "--quorum", "2").Error, StringComparison.Ordinal);
        Assert.Contains("--quorum wants a number from 1 to 1", Run("event", Receipt, "--witness", Witness, "--quorum", "0").Error, StringComparison.Ordinal);
        Assert.Contains("have one and the same key.", Run("event", Receipt, "--witness", Witness, "--witness", new ModelKey("witness.example/again", "w1", 4).Vkey).Error, StringComparison.Ordinal);
        Assert.Contains("nobody is a witness of himself.", Run("event", Receipt, "--key", log, "--witness", new ModelKey("witness.example/self", "the log", 4).Vkey).Error, StringComparison.Ordinal);
        Assert.Equal(0, Run("event", Receipt, "--key", log, "--key", log).Exit);
    }

    [Fact]
    public void A_bare_proof_wants_the_hash_and_a_receipt_has_it()
    {
        Assert.StartsWith("error: a bare tlog-proof says nothing about what it proves", Run("event", Path.Combine(Proofs, "good", "bare.tlog-proof")).Error, StringComparison.Ordinal);
        Assert.StartsWith("error: --hash goes with a bare tlog-proof", Run("event", Receipt, "--hash", new string('0', 64)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_read_is_said_and_is_no_verdict()
    {
        using var empty = new TemporaryDirectory();

        Assert.Equal((1, "", "error: there is no file \"/nowhere/receipt\".\n"), Run("event", "/nowhere/receipt"));
        Assert.Equal(1, Run("event", Receipt, "--key", "@/nowhere/key").Exit);
        Assert.Equal((1, ""), (Run("event", empty.Path).Exit, Run("event", empty.Path).Output));
        Assert.Contains("there is nothing to check in it.", Run("log", empty.Path).Error, StringComparison.Ordinal);
        Assert.Equal(1, Run("log", empty.Path).Exit);
        Assert.Equal(1, Run("bundle", "/nowhere/bundle").Exit);
    }

    [Fact]
    public void Behind_two_dashes_everything_is_a_file()
    {
        Assert.Equal("error: there is no file \"--json\".\n", Run("event", "--", "--json").Error);
        Assert.Equal(5, Run("event", "--json", "--", Receipt).Exit);
    }

    [Fact]
    public void The_last_line_of_an_answer_for_programs_is_one_object()
    {
        var (exit, output, _) = Run("event", Receipt, "--key=" + Sample.LogKey.Vkey, "--json");

        using var json = System.Text.Json.JsonDocument.Parse(output);
        var root = json.RootElement;
        Assert.Equal(0, exit);
        Assert.Equal(1, output.Count(c => c == '\n'));
        Assert.Equal(Sample.LogKey.Vkey, root.GetProperty("key").GetString());
        Assert.Equal(300UL, root.GetProperty("checkpoint").GetProperty("size").GetUInt64());
        Assert.Equal(Sample.Origin, root.GetProperty("checkpoint").GetProperty("origin").GetString());
        Assert.Equal(("order", "o-1"), (root.GetProperty("event").GetProperty("aggregate_type").GetString(), root.GetProperty("event").GetProperty("aggregate_id").GetString()));
        Assert.True(root.GetProperty("proven").GetArrayLength() > 3 && root.GetProperty("not_proven").GetArrayLength() > 1);
    }

    [Fact]
    public async Task The_program_reads_standard_input()
    {
        var receipt = await File.ReadAllBytesAsync(Receipt);
        var bundle = await File.ReadAllBytesAsync(Path.Combine(Proofs, "good", "bundle-of-the-log.ndjson"));

        Assert.Equal(0, (await VerifierProgram.StartAsync(VerifierProgram.File, Proofs, receipt, "event", "-", "--key", "@good/log.vkey")).Exit);
        Assert.Equal(0, (await VerifierProgram.StartAsync(VerifierProgram.File, Proofs, bundle, "bundle", "-", "--key", "@good/log.vkey")).Exit);
        Assert.Equal(5, (await VerifierProgram.StartAsync(VerifierProgram.File, Proofs, [], "bundle", "-", "--key", "@good/log.vkey")).Exit);
        Assert.Equal(2, (await VerifierProgram.StartAsync(VerifierProgram.File, Proofs, [], "event")).Exit);
    }

    [Fact]
    public async Task An_answer_that_cannot_be_written_is_no_verdict()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there is no shell and no /dev/full");
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full");
        foreach (var arguments in new string[][] { ["event", "good/receipt.json", "--key", "@good/log.vkey"], ["--help"], ["--version"] })
        {
            var (exit, output, error) = await VerifierProgram.StartAsync("/bin/sh", Proofs, null, ["-c", "\"$0\" \"$@\" >/dev/full", VerifierProgram.File, .. arguments]);

            Assert.Equal((1, ""), (exit, output));
            Assert.StartsWith("error: the answer could not be written: ", error, StringComparison.Ordinal);
            Assert.Equal(1, error.Count(c => c == '\n'));
        }

        // Where nobody hears the reason, the exit code still says it.
        Assert.Equal(1, (await VerifierProgram.StartAsync("/bin/sh", Proofs, null, "-c", "exec \"$0\" --help >/dev/full 2>/dev/full", VerifierProgram.File)).Exit);
        Assert.Equal(2, (await VerifierProgram.StartAsync("/bin/sh", Proofs, null, "-c", "exec \"$0\" nonsense 2>/dev/full", VerifierProgram.File)).Exit);
    }

    [Fact]
    public async Task A_verdict_that_nobody_reads_any_more_is_none()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "a pipe there says so in another way");
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(VerifierProgram.File, ["event", "-", "--key", "@good/log.vkey"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Proofs,
        })!;
        // It says nothing before it has read its input: by then the reader is gone.
        process.StandardOutput.Close();
        await process.StandardInput.BaseStream.WriteAsync(await File.ReadAllBytesAsync(Receipt));
        process.StandardInput.Close();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal(1, process.ExitCode);
        Assert.StartsWith("error: the answer could not be written: ", error, StringComparison.Ordinal);
    }

    static (int Exit, string Output, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exit = new Runner(output, error, showProgress: false).Run(arguments);
        return (exit, output.ToString(), error.ToString());
    }
}
