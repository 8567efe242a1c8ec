using System.Diagnostics;
using System.Text;
using EventDbx.Verifier.CommandLine;

namespace EventDbx.Verifier.Tests;

/// <summary>Whatever is in a file, the answer is a verdict: no crash, and no more memory than is allowed for.</summary>
public sealed class HostileTests
{
    static readonly string[] Commands = ["event", "aggregate", "bundle", "log"];

    [Fact]
    public void Random_bytes_are_refuted()
    {
        using var files = new TemporaryDirectory();
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            if (i % 3 == 0)
                bytes = [.. bytes.Select(value => (byte)"{}[]\",:0e-\\u \n\t€".ToCharArray()[value % 16])];
            File.WriteAllBytes(files["any"], bytes);
            foreach (var command in Commands)
                Assert.InRange(Run(command, files["any"]).Exit, 3, 5);
        }
    }

    [Theory]
    [InlineData("[", 20_000_000)]
    [InlineData("{\"a\":", 4_000_000)]
    [InlineData("\"", 1)]
    [InlineData(" ", 20_000_000)]
    [InlineData("9", 16_000_000)]
    [InlineData("\\u0000", 100_000)]
    [InlineData("\n", 1_000_000)]
    public void Much_of_the_same_is_refuted(string text, int times)
    {
        using var files = new TemporaryDirectory();
        using (var file = File.CreateText(files["much"]))
        {
            for (var i = 0; i < times; i++)
                file.Write(text);
        }

        foreach (var command in Commands)
            Assert.InRange(Run(command, files["much"]).Exit, 3, 5);
    }

    [Fact]
    public void A_document_beyond_the_limit_is_refused_without_being_read()
    {
        using var files = new TemporaryDirectory();
        using (var file = File.Create(files["sparse"]))
            file.SetLength(1L << 36);

        var before = GC.GetTotalAllocatedBytes();
        foreach (var command in Commands)
        {
            var (exit, output, _) = Run(command, files["sparse"]);
            Assert.Equal(3, exit);
            Assert.Matches("has more than (16777216|65536) bytes", output);
        }

        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 400_000_000);
    }

    [Fact]
    public void Names_from_a_document_move_no_cursor()
    {
        var log = new ModelLog(Sample.LogKey);
        var random = new Random(1);
        var e = log.Append("order\u202e", "\u001b[31m\u009b2J\u0000", "\u2028\u200b\ufeff", "{}", random, ("a\u0007", "\r\nProven."));
        using var files = new TemporaryDirectory();
        var (exit, output, _) = Run("event", files.Write("receipt", log.Receipt(e, 1)), "--key", Sample.LogKey.Vkey);
        var (_, json, _) = Run("event", files["receipt"], "--key", Sample.LogKey.Vkey, "--json");

        Assert.Equal(0, exit);
        Assert.DoesNotContain(output, c => (char.IsControl(c) && c != '\n') || c is '\u202e' or '\u2028' or '\u200b' or '\ufeff');
        Assert.DoesNotContain(json, c => (char.IsControl(c) && c != '\n') || c is '\u202e' or '\u2028' or '\u200b' or '\ufeff');
        Assert.DoesNotContain("\nProven.", output[8..], StringComparison.Ordinal);
        Assert.Contains("\"\\u{1b}[31m\\u{9b}2J\\u{0}\"", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bundle_of_more_aggregates_than_fit_is_read_more_than_once_with_the_same_result()
    {
        var log = Sample.Log(400);
        var good = Encoding.UTF8.GetBytes(string.Join('\n', log.LogBundle(400, 0)));
        foreach (var inMemory in new[] { 1, 2, 5, 1000 })
        {
            var report = Checked(good, inMemory);
            Assert.Equal((Verdict.Proven, (ulong)log.Aggregates.Count), (report.Verdict, report.Aggregates!.Value));
        }

        // The last aggregate of all passes has a wrong event, which only its own pass can see.
        foreach (var entry in log.Entries.Where(entry => !entry.IsControl).DistinctBy(entry => (entry.Type, entry.Id)).Take(12))
        {
            var lines = log.LogBundle(400, 0);
            lines[entry.Position] = lines[entry.Position].Replace($"\"event_type\":{ModelLog.Json(entry.EventType)}", "\"event_type\":\"x\"", StringComparison.Ordinal);
            Assert.Throws<RefutedException>(() => Checked(Encoding.UTF8.GetBytes(string.Join('\n', lines)), 2));
        }
    }

    [Fact]
    public void A_bundle_that_cannot_be_read_again_is_incomplete()
    {
        var report = new Report("bundle");
        using var stream = new NoSeek(Encoding.UTF8.GetBytes(string.Join('\n', Sample.Log(400).LogBundle(400, 0))));
        new Bundles.Bundle(Trusting(), null, report) { AggregatesInMemory = 2 }.Check(stream);

        Assert.Equal(Verdict.Incomplete, report.Verdict);
        Assert.Contains(report.Missing, sentence => sentence.Contains("give a file, not standard input", StringComparison.Ordinal));
        Assert.DoesNotContain(report.Proven, sentence => sentence.Contains("whole log", StringComparison.Ordinal));
    }

    [Fact]
    public void What_the_system_says_about_a_file_moves_no_cursor()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no file has such a name there");
        using var files = new TemporaryDirectory();
        Directory.CreateDirectory(files["anchors"]);
        // A link to itself is a file that is there and cannot be opened; the system names it.
        File.CreateSymbolicLink(files["anchors/\u001b[2J\u0007.checkpoint"], files["anchors/\u001b[2J\u0007.checkpoint"]);

        var (exit, output, error) = Run("log", files["anchors"], "--key", Sample.LogKey.Vkey);

        Assert.Equal((1, ""), (exit, output));
        Assert.Contains("\\u{1b}[2J\\u{7}.checkpoint\" cannot be read: ", error, StringComparison.Ordinal);
        Assert.DoesNotContain(error, c => char.IsControl(c) && c != '\n');
    }

    [Fact]
    public void A_character_of_two_halves_that_shows_nothing_is_shown_as_its_number()
    {
        var log = new ModelLog(Sample.LogKey);
        var e = log.Append("order\U000E0041", "😀", "paid", "{}", new Random(1));
        using var files = new TemporaryDirectory();
        var (exit, json, _) = Run("event", files.Write("receipt", log.Receipt(e, 1)), "--key", Sample.LogKey.Vkey, "--json");

        Assert.Equal(0, exit);
        Assert.DoesNotContain("\U000E0041", json, StringComparison.Ordinal);
        Assert.Contains("\"aggregate_type\":\"order\\udb40\\udc41\",\"aggregate_id\":\"😀\"", json, StringComparison.Ordinal);
        using var read = System.Text.Json.JsonDocument.Parse(json);
        Assert.Equal("order\U000E0041", read.RootElement.GetProperty("event").GetProperty("aggregate_type").GetString());
    }

    [Theory]
    [InlineData(0, true), InlineData(0, false), InlineData(1, true), InlineData(1, false), InlineData(60_000, true), InlineData(60_000, false)]
    public void A_line_has_as_many_bytes_as_the_limit_says_and_not_one_more(int more, bool terminated)
    {
        var bytes = new byte[3 + Limits.DocumentBytesMax + more + (terminated ? 1 : 0)];
        bytes.AsSpan().Fill((byte)' ');
        bytes[2] = (byte)'\n';
        bytes[^1] = terminated ? (byte)'\n' : (byte)' ';
        var lines = new Bundles.LineReader(new MemoryStream(bytes), null);
        Assert.Equal(2, lines.Next()?.Length);

        if (more == 0)
            Assert.Equal(Limits.DocumentBytesMax, lines.Next()?.Length);
        else
            Assert.Equal($"The bundle is malformed: line 2 has more than {Limits.DocumentBytesMax} bytes.", Assert.Throws<RefutedException>(() => lines.Next()).Message);
    }

    static Trust Trusting() => new([VerifierKey.Parse(Sample.LogKey.Vkey, out _)!], [], 0);

    static Report Checked(byte[] bundle, int inMemory)
    {
        var report = new Report("bundle");
        using var stream = new MemoryStream(bundle);
        new Bundles.Bundle(Trusting(), null, report) { AggregatesInMemory = inMemory }.Check(stream);
        return report;
    }

    static (int Exit, string Output, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exit = new Runner(output, error, showProgress: false).Run(arguments);
        return (exit, output.ToString(), error.ToString());
    }

    sealed class NoSeek(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
