namespace EventDbx.Tests.Engine.Model;

/// <summary>One step of a walk. What depends on the store is decided when the step is taken, so that any step can be left out.</summary>
internal abstract record Move;

/// <summary>Requests handed in one after the other without waiting; with <see cref="AtOnce"/>, so that they share a group.</summary>
internal sealed record Submit(IReadOnlyList<Request> Requests, bool AtOnce) : Move
{
    public override string ToString() => $"{(AtOnce ? "at once" : "in turn")}: {string.Join(" | ", Requests)}";
}

/// <summary>Close and open again.</summary>
internal sealed record Reopen : Move;

/// <summary>The clock moves, forwards or back.</summary>
internal sealed record Tick(TimeSpan By) : Move;

/// <summary>Read this and that, chosen by a seed, and compare.</summary>
internal sealed record Look(int Seed) : Move;

internal abstract record Request;

internal sealed record AppendOne(Wish Wish) : Request
{
    public override string ToString() => $"append {Wish}";
}

internal sealed record AppendMany(IReadOnlyList<Wish> Wishes) : Request
{
    public override string ToString() => $"batch [{string.Join(", ", Wishes)}]";
}

internal sealed record ImportMany(IReadOnlyList<(Wish Wish, ImportTwist Twist)> Records) : Request
{
    public override string ToString() => $"import [{string.Join(", ", Records)}]";
}

internal sealed record Live(LifeVerb Verb, int Aggregate, string? Comment) : Request;

internal enum LifeVerb
{
    Create,
    Remove,
    Archive,
    Restore,
}

/// <summary>The version an append says it expects, as seen from the right one.</summary>
internal enum Expect
{
    Nothing,
    Right,
    Behind,
    Ahead,
    Zero,
}

internal enum ImportTwist
{
    Plain,
    Versioned,
    WrongVersion,
    Salted,
    WrongHash,
    WrongRoot,
    Early,
    ComesHome,
    ComesHomeChanged,
}

/// <summary>An append as it is wished for.</summary>
/// <param name="Aggregate">Index into the walk's aggregates.</param>
/// <param name="Id">Index into the walk's event ids, or −1 for none.</param>
/// <param name="Repeats">Send what was sent with this id before, if anything was.</param>
internal sealed record Wish(int Aggregate, int Id, bool Repeats, Expect Expect, string Type, string? Note, Sent Payload)
{
    public override string ToString() =>
        $"{Aggregate}{(Id < 0 ? "" : $" id{Id}{(Repeats ? "=" : "")}")} {Expect} {Type} {Note ?? "∅"} {(Payload.Text.Length > 60 ? $"{Payload.Text.Length} chars" : Payload.Text)}";
}

/// <summary>A payload, and what should become of it.</summary>
/// <param name="Text">As sent, with white space.</param>
/// <param name="Stored">Without.</param>
/// <param name="Fields">What it sets: names unescaped, values as stored.</param>
internal sealed record Sent(string Text, string Stored, IReadOnlyList<(string Name, string Value)> Fields);

/// <summary>Makes walks from a seed.</summary>
internal sealed class Moves(Random random)
{
    static readonly string[] Values =
        ["1.50", "123456789012345678901234567890", "-0", "true", "null", "\"x\"", "\"\\u00e9 \\\"\"", "{\"a\":[1,{\"b\":null}]}", "[]", "{}", "\"\""];

    // The same name stands in several spellings; names sort differently by UTF-8 and by UTF-16.
    static readonly (string Name, string Spelling)[] Names =
    [
        ("a", "a"), ("a", "\\u0061"), ("b", "b"), ("_value", "_value"), ("", ""), ("a!", "a!"), ("aé", "aé"), ("\uFFFF", "\uFFFF"),
        ("😀", "😀"), ("😀", "\\ud83d\\ude00"), ("q\"\\\n", "q\\\"\\\\\\n"), ("total", "total"), ("items", "items"),
    ];

    /// <summary>A walk of so many moves.</summary>
    public List<Move> Walk(int length) => [.. Enumerable.Range(0, length).Select(_ => Next())];

    Move Next() => random.Next(100) switch
    {
        < 45 => new Submit([Request()], AtOnce: false),
        < 70 => new Submit([.. Enumerable.Range(0, random.Next(2, 14)).Select(_ => Request())], AtOnce: true),
        < 75 => new Tick(TimeSpan.FromTicks(random.NextInt64(-50_000_000, 200_000_000))),
        < 79 => new Reopen(),
        _ => new Look(random.Next()),
    };

    Request Request() => random.Next(100) switch
    {
        < 55 => new AppendOne(Wish()),
        < 72 => new AppendMany([.. Enumerable.Range(0, random.Next(1, 7)).Select(_ => Wish())]),
        < 80 => new ImportMany([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (Wish(), (ImportTwist)random.Next(9)))]),
        _ => new Live((LifeVerb)random.Next(4), random.Next(WalkNames.Aggregates.Count), random.Next(3) == 0 ? "a \"remark\"" : null),
    };

    Wish Wish() => new(
        // Half of everything happens to one aggregate, so that it grows.
        random.Next(2) == 0 ? 0 : random.Next(WalkNames.Aggregates.Count),
        random.Next(3) == 0 ? random.Next(WalkNames.EventIds.Count) : -1,
        random.Next(2) == 0,
        random.Next(10) switch { < 5 => Expect.Nothing, < 8 => Expect.Right, 8 => (Expect)random.Next(2, 4), _ => Expect.Zero },
        random.Next(2) == 0 ? "placed" : "paid/é",
        random.Next(4) switch { 0 => "", 1 => "by phone 😀", _ => null },
        Payload());

    Sent Payload() => random.Next(20) switch
    {
        0 => new(" null ", "null", []),
        1 => Scalar(),
        2 => new("[ 1 , [ ] ]", "[1,[]]", [("_value", "[1,[]]")]),
        3 => new(" { } ", "{}", []),
        _ => Object(),
    };

    Sent Scalar()
    {
        var value = Pick(["42", "\"text\"", "true", "1e5"]);
        return new($"{value} ", value, [("_value", value)]);
    }

    Sent Object()
    {
        StringBuilder text = new("{"), stored = new("{");
        List<(string Name, string Value)> fields = [];
        for (var i = random.Next(1, 5); i > 0; i--)
        {
            var (name, spelling) = Pick(Names);
            if (fields.Exists(f => f.Name == name))
                continue;
            // Two or three of the large ones, alone or together, take a state over the border of 4 KiB.
            var value = random.Next(6) == 0 ? $"\"{new string((char)random.Next('a', 'z'), random.Next(500, 3500))}\"" : Pick(Values);
            var comma = fields.Count == 0 ? "" : ",";
            text.Append(comma).Append(Space()).Append('"').Append(spelling).Append('"').Append(Space()).Append(':').Append(Space()).Append(value).Append(Space());
            stored.Append(comma).Append('"').Append(spelling).Append("\":").Append(value);
            fields.Add((name, value));
        }

        return new(text.Append('}').ToString(), stored.Append('}').ToString(), fields);
    }

    string Space() => Pick(["", "", "", " ", "\n\t"]);

    T Pick<T>(T[] choices) => choices[random.Next(choices.Length)];
}

/// <summary>The few names a walk is about: each a prefix, a neighbour or a byte-order surprise of another.</summary>
internal static class WalkNames
{
    public static IReadOnlyList<AggregateKey> Aggregates { get; } =
    [
        AggregateKey.Create("order", "1"), AggregateKey.Create("order", "10"), AggregateKey.Create("orders", "1"),
        AggregateKey.Create("order!", "1"), AggregateKey.Create("😀", "a/b%"), AggregateKey.Create("\uFFFF", "1"),
    ];

    public static AggregateKey Plug { get; } = AggregateKey.Create("plug", "1");

    public static IReadOnlyList<Guid> EventIds { get; } = [.. Enumerable.Range(1, 8).Select(i => new Guid(i, 2, 3, 4, 5, 6, 7, 8, 9, 10, (byte)i))];
}
