using System.Text;

namespace EventDbx.Cli.Tests;

public sealed class OutputTests
{
    [Fact]
    public void Json_is_indented_by_two_and_keeps_literals_and_letters()
    {
        var payload = """{"b":1.50,"a":[],"big":123456789012345678901234567890,"t":"né😀\u0041","o":{"z":null,"y":{}}}"""u8.ToArray();

        var json = new JsonText().BeginObject().Member("name", "😀 \"é\"\t\u0001\\").Member("version", 3UL).Member("ok", true)
            .Name("payload").Value(payload).Name("empty").BeginArray().EndArray().EndObject().ToString();

        Assert.Equal(""""
            {
              "name": "😀 \"é\"\t\u0001\\",
              "version": 3,
              "ok": true,
              "payload": {
                "b": 1.50,
                "a": [],
                "big": 123456789012345678901234567890,
                "t": "né😀\u0041",
                "o": {
                  "z": null,
                  "y": {}
                }
              },
              "empty": []
            }

            """".ReplaceLineEndings("\n"), json);
    }

    [Fact]
    public void What_nobody_reads_any_more_is_a_failure_of_standard_output()
    {
        var gone = false;
        using var into = new MemoryStream();
        using var output = new OutputStream(into, () => gone);
        output.Write("read"u8);
        gone = true;
        Assert.Contains("standard output: Broken pipe", Assert.Throws<OutputFailedException>(() => output.Write("lost"u8)).Message, StringComparison.Ordinal);
        Assert.Equal("read"u8, into.ToArray());
    }

    [Fact]
    public void Json_can_be_sorted_and_compact()
    {
        var payload = Encoding.UTF8.GetBytes("""{"b":{"d":1,"c":2},"a":[{"y":1,"x":2}]}""");

        Assert.Equal("""{"a":[{"x":2,"y":1}],"b":{"c":2,"d":1}}""" + "\n", new JsonText(pretty: false).Value(payload, sorted: true).ToString());
    }

    [Theory]
    [InlineData(false, "type=order version=3\ntype=invoice version=1\n")]
    [InlineData(true, "order")]
    public async Task A_table_is_drawn_on_a_terminal_and_is_plain_lines_elsewhere(bool terminal, string expected)
    {
        var table = new Table("type", "version");
        table.Add("order", "3");
        table.Add("invoice", "1");
        await using var output = new StringWriter();
        using var shell = Shell.OfProcess() with { Out = output, OutIsTerminal = terminal, Environment = _ => "" };

        await table.WriteAsync(shell);

        if (terminal)
            Assert.Contains(expected, output.ToString(), StringComparison.Ordinal);
        else
            Assert.Equal(expected, output.ToString());
    }

    [Theory, InlineData("1"), InlineData("anything")]
    public async Task NO_COLOR_leaves_no_escape_codes(string value)
    {
        var table = new Table("type");
        table.Add("[red]order[/]");
        await using var output = new StringWriter();
        using var shell = Shell.OfProcess() with { Out = output, OutIsTerminal = true, Environment = name => name == "NO_COLOR" ? value : null };

        await table.WriteAsync(shell);

        Assert.Contains("[red]order[/]", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', output.ToString());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Progress_is_for_terminals(bool terminal)
    {
        using var error = new StringWriter();
        using var shell = Shell.OfProcess() with { Error = error, ErrorIsTerminal = terminal };

        using (var progress = new Progress(shell, "events"))
            progress.Report(5000, fraction: 0.5);

        Assert.Equal(terminal, error.ToString().Contains("50 %  5,000 events", StringComparison.Ordinal));
        Assert.Equal(terminal, error.ToString().Length > 0);
    }
}
