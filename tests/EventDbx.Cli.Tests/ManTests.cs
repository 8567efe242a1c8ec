using EventDbx.Cli.Commands.Completion;

namespace EventDbx.Cli.Tests;

/// <summary><c>dbx man</c>: one page with every command, which <c>man</c> takes.</summary>
public sealed class ManTests
{
    [Fact]
    public async Task Every_command_option_and_example_of_the_tree_is_in_the_page()
    {
        var page = await PageAsync();

        foreach (var one in CommandOutline.Of(CommandTree.Root).Skip(1))
        {
            var at = page.IndexOf($"\n.SS {Escaped(one.Path)}\n", StringComparison.Ordinal);
            Assert.True(at >= 0, one.Path);
            if (one.Command is not Verb verb)
                continue;
            Assert.All(verb.Options.Where(static option => !option.Hidden), option => Assert.True(page.IndexOf($"\\fB{Escaped(option.Name)}\\fR", at, StringComparison.Ordinal) > at, $"{one.Path} {option.Name}"));
            Assert.All(verb.Examples, example => Assert.True(page.IndexOf($"\n\\fB{Escaped(example.Line)}\\fR\n", at, StringComparison.Ordinal) > at, example.Line));
        }

        Assert.DoesNotContain("__inspect", page, StringComparison.Ordinal);
        Assert.All((string[])["EVENTDBX_BACKUP_PASSPHRASE", "EVENTDBX_RELEASES_URL", "EVENTDBX_RELEASE_KEYS", "DBX_NO_UPGRADE_CHECK"], name => Assert.Contains($"\\fB{name}\\fR", page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_line_is_a_macro_that_is_known_or_text_that_cannot_be_taken_for_one()
    {
        string[] known = [".\\\"", ".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".RI", ".nf", ".fi"];

        foreach (var line in (await PageAsync()).Split('\n'))
        {
            Assert.True(!line.StartsWith('.') || known.Contains(line.Split(' ')[0]), line);
            Assert.False(line.StartsWith('\''), line);
            Assert.All(line, c => Assert.InRange(c, ' ', '~'));
        }
    }

    [Fact]
    public async Task Groff_finds_no_fault_with_it_and_shows_what_was_written()
    {
        if (!CompletionTests.Exists("groff"))
            Assert.Skip("There is no groff here.");

        var (code, shown, warnings) = await CompletionTests.RunAsync("groff", await PageAsync(), "-man", "-Tutf8", "-ww", "-P-c", "-rLL=100n");

        Assert.Equal((0, ""), (code, warnings));
        var text = System.Text.RegularExpressions.Regex.Replace(shown, ".\b", "");
        Assert.Contains("dbx aggregate apply TYPE ID EVENT", text, StringComparison.Ordinal);
        Assert.Contains("dbx start --tls", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_gets_the_page_that_is_printed_without_one()
    {
        using var line = new CommandLine();

        var written = await line.RunAsync("man", "share/man1");

        Assert.Equal((ExitCode.Done, $"Wrote {line.Directory["share/man1/dbx.1"]}\n", ""), (written.Code, written.Out, written.Error));
        Assert.Equal((await line.RunAsync("man")).Out, await File.ReadAllTextAsync(line.Directory["share/man1/dbx.1"], TestContext.Current.CancellationToken));
        Assert.Equal(ExitCode.Usage, (await line.RunAsync("man", "")).Code);
    }

    static async Task<string> PageAsync()
    {
        using var line = new CommandLine();
        var outcome = await line.RunAsync("man");
        Assert.Equal((ExitCode.Done, ""), (outcome.Code, outcome.Error));
        return outcome.Out;
    }

    static string Escaped(string text) => string.Concat(text.EnumerateRunes().Select(static rune => rune.Value switch
    {
        '\\' => "\\e",
        '-' => "\\-",
        '\'' => "\\(aq",
        '`' => "\\(ga",
        '^' => "\\(ha",
        '~' => "\\(ti",
        > 126 => FormattableString.Invariant($"\\[u{rune.Value:X4}]"),
        _ => rune.ToString(),
    }));
}
