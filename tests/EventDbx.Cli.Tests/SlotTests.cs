using System.CommandLine;

namespace EventDbx.Cli.Tests;

/// <summary>Both forms of every command come from one table: by position, by name, and what may be mixed.</summary>
public sealed class SlotTests
{
    static readonly Slot Extra = new("--extra", "EXTRA", "Something that may be left out.") { Optional = true };
    static readonly Option<string?> Note = new("--note");
    static readonly RootCommand Root = CommandTree.WithGlobals(new("A tree with one command.")
    {
        new Verb("apply", "Takes three values, or four.", Slot.AggregateType, Slot.AggregateId, Slot.EventType, Extra)
        {
            Examples = [new("dbx apply order o-1 paid", "…")],
            Options = { Note },
            Run = async (call, _) =>
            {
                await call.Shell.Out.WriteAsync(
                    $"{call[Slot.AggregateType]}|{call[Slot.AggregateId]}|{call[Slot.EventType]}|{call.Find(Extra)}|{call.Get(Note)}");
                return ExitCode.Done;
            },
        },
    });

    [Theory]
    [InlineData("order|o-1|paid||", "order", "o-1", "paid")]
    [InlineData("order|o-1|paid||", "--aggregate", "order", "--aggregate-id", "o-1", "--event", "paid")]
    [InlineData("order|o-1|paid||", "--event=paid", "--aggregate-id=o-1", "--aggregate=order")]
    [InlineData("order|o-1|paid||", "--aggregate", "order", "o-1", "paid")]
    [InlineData("order|o-1|paid||", "order", "--aggregate-id", "o-1", "paid")]
    [InlineData("order|o-1|paid||", "order", "paid", "--aggregate-id", "o-1")]
    [InlineData("order|o-1|paid|x|", "order", "o-1", "paid", "x")]
    [InlineData("order|o-1|paid|x|", "--extra", "x", "order", "o-1", "paid")]
    [InlineData("order|o-1|paid||hello", "order", "--note", "hello", "o-1", "paid")]
    [InlineData("-o|--event|--note||", "--", "-o", "--event", "--note")]
    [InlineData("order|-1|paid||", "order", "--aggregate-id=-1", "paid")]
    [InlineData("order|@file|a b:c/d=e||", "order", "@file", "a b:c/d=e")]
    [InlineData("[order]|-|||", "[order]", "-", "")]
    [InlineData("order|--aggregate-id=7|paid||", "order", "paid", "--aggregate-id=--aggregate-id=7")]
    public async Task Positions_fill_what_is_not_named(string filled, params string[] arguments)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(Root, ["apply", .. arguments]);

        Assert.Equal((ExitCode.Done, filled, ""), (outcome.Code, outcome.Out, outcome.Error));
    }

    [Theory]
    [InlineData("error: EVENT is missing: give it by position or as `--event EVENT`.", "order", "o-1")]
    [InlineData("error: TYPE is missing: give it by position or as `--aggregate TYPE`.", "--aggregate-id", "o-1")]
    [InlineData("error: unexpected `y`: this command takes TYPE ID EVENT EXTRA.", "order", "o-1", "paid", "x", "y")]
    [InlineData("error: unexpected `x`: TYPE is given as --aggregate and EXTRA is given as --extra already.",
        "order", "o-1", "x", "--aggregate", "invoice", "--extra", "e")]
    [InlineData("error: `--aggregate` is given 2 times; it takes one value.", "--aggregate", "a", "--aggregate", "b", "o-1", "paid")]
    [InlineData("error: unknown option `--aggregat`; did you mean `--aggregate`?", "--aggregat", "order", "o-1", "paid")]
    [InlineData("error: unknown option `-1`\n", "order", "-1", "paid")]
    public async Task What_has_no_place_is_refused(string reason, params string[] arguments)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(Root, ["apply", .. arguments]);

        Assert.StartsWith(reason, outcome.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
    }

    [Fact]
    public async Task The_help_shows_both_forms()
    {
        using var line = new CommandLine();

        var help = (await line.RunAsync(Root, "apply", "-h")).Out;

        Assert.Contains("  dbx apply TYPE ID EVENT [EXTRA] [OPTIONS]\n", help, StringComparison.Ordinal);
        Assert.Contains("  dbx apply --aggregate TYPE --aggregate-id ID --event EVENT [--extra EXTRA] [OPTIONS]\n", help, StringComparison.Ordinal);
    }
}
