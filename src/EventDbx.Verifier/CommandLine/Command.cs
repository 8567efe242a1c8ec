namespace EventDbx.Verifier.CommandLine;

/// <summary>One command: what stands behind it, and which options it takes.</summary>
/// <param name="Name">As it is typed.</param>
/// <param name="Values">Names of what stands behind it, in order.</param>
/// <param name="Options">Those that take a value; <c>--json</c> and <c>--help</c> are everywhere.</param>
internal sealed record Command(string Name, string[] Values, string[] Options)
{
    static readonly string[] OfTrust = ["--key", "--witness", "--quorum"];

    public static readonly Command[] All =
    [
        new("event", ["RECEIPT"], [.. OfTrust, "--hash"]),
        new("aggregate", ["PROOF"], ["--from-root", "--to-root"]),
        new("consistency", ["OLD", "NEW", "PROOF"], OfTrust),
        new("log", ["PATH"], [.. OfTrust, "--since"]),
        new("bundle", ["FILE"], [.. OfTrust, "--since"]),
    ];
}

/// <summary>A command line that was understood.</summary>
/// <param name="Command">Null for the program itself: <c>--help</c> or <c>--version</c>.</param>
/// <param name="Help">Whether it asks for help; without a command and without this, for the version.</param>
internal sealed record Parsed(Command? Command, string[] Values, IReadOnlyList<(string Name, string Value)> Options, bool Json, bool Help)
{
    static readonly string[] Flags = ["--json", "--help", "-h"];

    /// <exception cref="UsageException">It makes no sense.</exception>
    public static Parsed Parse(string[] arguments)
    {
        if (arguments.Length == 0)
            throw new UsageException("a command belongs here: " + string.Join(", ", Command.All.Select(command => command.Name)) + ".");
        if (arguments is ["--help" or "-h" or "--version" or "-V"])
            return new(null, [], [], Json: false, Help: arguments[0] is "--help" or "-h");
        var command = Command.All.FirstOrDefault(command => command.Name == arguments[0])
            ?? throw new UsageException($"{Printable.Quoted(arguments[0])} is no command{Hint(arguments[0], Command.All.Select(known => known.Name))}");
        return Rest(command, arguments.AsSpan(1));
    }

    /// <summary>The value of an option that may stand once.</summary>
    /// <exception cref="UsageException">It stands twice.</exception>
    public string? One(string name)
    {
        var all = Options.Where(option => option.Name == name).ToArray();
        return all.Length > 1 ? throw new UsageException($"{name} stands there twice.") : all.FirstOrDefault().Value;
    }

    static Parsed Rest(Command command, ReadOnlySpan<string> arguments)
    {
        var (values, options, json, help, onlyValues) = (new List<string>(), new List<(string, string)>(), false, false, false);
        for (var i = 0; i < arguments.Length; i++)
        {
            var argument = arguments[i];
            if (onlyValues || argument is "" or "-" || argument[0] != '-')
            {
                values.Add(argument);
                continue;
            }

            var equals = argument.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? argument : argument[..equals];
            if (argument == "--")
                onlyValues = true;
            else if (argument == "--json")
                json = true;
            else if (argument is "--help" or "-h")
                help = true;
            else if (Flags.Contains(name))
                throw new UsageException($"{name} takes no value.");
            else if (!command.Options.Contains(name))
                throw new UsageException($"`{command.Name}` has no option {Printable.Of(name)}{Hint(name, [.. command.Options, .. Flags])}");
            else if (equals >= 0)
                options.Add((name, argument[(equals + 1)..]));
            else if (++i < arguments.Length)
                options.Add((name, arguments[i]));
            else
                throw new UsageException($"{name} wants a value.");
        }

        if (!help && values.Count < command.Values.Length)
            throw new UsageException($"`{command.Name}` wants {string.Join(' ', command.Values)}: {command.Values[values.Count]} is missing.");
        if (!help && values.Count > command.Values.Length)
            throw new UsageException($"`{command.Name}` takes {string.Join(' ', command.Values)}, and {Printable.Quoted(values[command.Values.Length])} is one too many.");
        return new(command, [.. values], options, json, help);
    }

    static string Hint(string unknown, IEnumerable<string> known) => Nearest(unknown, known) is { } nearest
        ? $"; did you mean {nearest}?"
        : $"; there are {string.Join(", ", known.Where(name => name != "-h"))}.";

    /// <summary>The known name with the fewest letters to change, if these are few.</summary>
    static string? Nearest(string unknown, IEnumerable<string> known) => unknown.Length > 40 ? null : known
        .Select(name => (name, distance: Distance(unknown, name)))
        .Where(found => found.distance <= Math.Max(1, unknown.Length / 3))
        .OrderBy(found => found.distance)
        .FirstOrDefault().name;

    static int Distance(string left, string right)
    {
        var last = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var row = new int[right.Length + 1];
            row[0] = i;
            for (var k = 1; k <= right.Length; k++)
                row[k] = Math.Min(Math.Min(row[k - 1], last[k]) + 1, last[k - 1] + (left[i - 1] == right[k - 1] ? 0 : 1));
            last = row;
        }

        return last[right.Length];
    }
}
