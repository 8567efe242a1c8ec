namespace EventDbx.Cli;

/// <summary>A command line that works, and what it does.</summary>
internal sealed record Example(string Line, string Meaning);

/// <summary>One command that does something: its slots, options, examples, and the code to run.</summary>
internal sealed class Verb : Command
{
    readonly Dictionary<Slot, Option<string>> _named = [];
    readonly Argument<string[]> _positional = new("values") { Arity = ArgumentArity.ZeroOrMore };

    public Verb(string name, string description, params IReadOnlyList<Slot> slots)
        : base(name, description)
    {
        Slots = new SlotTable(slots);
        foreach (var slot in slots)
        {
            var option = new Option<string>(slot.Name) { HelpName = slot.ValueName, Description = slot.Description };
            _named[slot] = option;
            Options.Add(option);
        }

        Arguments.Add(_positional);
    }

    public SlotTable Slots { get; }

    public required IReadOnlyList<Example> Examples { get; init; }

    /// <summary>Lines below the description in the help, for what is worth knowing before the first use.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>What further values by position are, as in <c>EVENT…</c>; empty: none, but the command itself says so; null: there are none.</summary>
    public string? Further { get; init; }

    /// <summary>Goes on when the terminal ends from which it was started.</summary>
    public bool OutlivesTerminal { get; init; }

    /// <summary>Whether a server elsewhere can carry it out (<c>--server</c>): what acts as a token can, unless it says otherwise itself.</summary>
    public bool CanBeElsewhere
    {
        get => field || Options.Contains(AccessToken.Option);
        init;
    }

    /// <summary>Checks that span several options; throws <see cref="UsageException"/>.</summary>
    public Action<Call> Check { get; init; } = _ => { };

    public required Func<Call, CancellationToken, Task<ExitCode>> Run { get; init; }

    public Option<string> NamedOption(Slot slot) => _named[slot];

    /// <summary>The slots as this command line fills them.</summary>
    /// <param name="parse">The command line.</param>
    /// <param name="further">Receives the values of <see cref="Further"/>.</param>
    public IReadOnlyDictionary<Slot, string> Fill(ParseResult parse, List<string> further)
    {
        var values = parse.GetValue(_positional) ?? [];
        RefuseUnknownOptions(parse);
        return Slots.Fill(slot => parse.GetValue(_named[slot]), values, Further is null ? null : further);
    }

    // The parser takes an option it does not know for a value by position. Only after `--` may a value look like an option.
    void RefuseUnknownOptions(ParseResult parse)
    {
        foreach (var token in parse.GetResult(_positional)?.Tokens ?? [])
        {
            if (token.Value.Length < 2 || token.Value[0] != '-')
                continue;

            var afterDashes = parse.Tokens
                .SkipWhile(t => t.Type != System.CommandLine.Parsing.TokenType.DoubleDash)
                .Any(t => ReferenceEquals(t, token));
            if (!afterDashes)
                throw CommandTree.UnknownOption(this, token.Value);
        }
    }
}

/// <summary>A noun: a command that only holds others.</summary>
internal sealed class Noun : Command
{
    public Noun(string name, string description, params IReadOnlyList<Command> commands)
        : base(name, description)
    {
        foreach (var command in commands)
            Subcommands.Add(command);
    }
}
