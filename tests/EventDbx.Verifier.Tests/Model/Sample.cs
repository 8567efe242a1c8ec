namespace EventDbx.Verifier.Tests.Model;

/// <summary>A small log that is the same on every machine, with whatever an entry may have.</summary>
internal static class Sample
{
    public const string Origin = "eventdbx.local/5f2b1d6e-c0a8-4c7d-9b3e-8a1f0d2c4b6a";

    static readonly string[] Payloads =
    [
        """{"total":42.50,"customer":"Jane Doe"}""",
        """{"n":123456789012345678901234567890,"e":1e3,"z":-0,"f":1.50}""",
        """{"text":"a \"quote\", a \\, a tab\t, é, 漢, 😀, A, 😀 and  two spaces","":{}}""",
        "null",
        "[]",
        "\"just text\"",
        """[1,[2,[3,{"deep":[true,false,null]}]]]""",
        """{"b":1,"a":2}""",
    ];

    static readonly (string, string)[] Names = [("order", "o-1"), ("order", "o-2"), ("käufer", "東京/1"), ("permit", "case 7"), ("a\"b\\c", "x")];

    public static ModelKey LogKey { get; } = new(Origin, "the log");

    public static ModelKey OtherKey { get; } = new("example.com/another", "another log");

    public static ModelKey Impostor { get; } = new(Origin, "an impostor");

    public static ModelKey[] Witnesses { get; } = [new("witness.example/w1", "w1", 4), new("witness.example/w2", "w2", 4), new("witness.example/w3", "w3", 4)];

    /// <summary>A log of so many entries.</summary>
    public static ModelLog Log(int size, int seed = 6962, ModelKey? key = null)
    {
        var (log, random) = (new ModelLog(key ?? LogKey), new Random(seed));
        while (log.Size < size)
            Grow(log, random);
        return log;
    }

    /// <summary>One more entry.</summary>
    public static void Grow(ModelLog log, Random random)
    {
        (string, string)? by = random.Next(3) switch { 0 => null, 1 => ("shop", "jane"), _ => ("", "jörg \u0007") };
        if (log.Size == 0 || random.Next(12) == 0)
        {
            log.Control(random.Next(2) == 0 ? "archive" : "create", $"order/o-{random.Next(9)}", random.Next(2) == 0 ? "{}" : """{"comment":"é \u00e9"}""", random, by);
            return;
        }

        var (type, id) = random.Next(3) == 0 ? ("order", $"o-{random.Next(60)}") : Names[random.Next(Names.Length)];
        var note = random.Next(4) switch { 0 => "", 1 => "by phone ☎", _ => null };
        // Times with every number of digits.
        var at = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc).AddTicks(log.Size * (long)random.NextItem([1_234_567, 1_234_560, 1_230_000, 10_000_000]));
        log.Append(type, id, random.NextItem(["order-placed", "order-paid", "gelöscht"]), random.NextItem(Payloads), random, by, note, at);
    }

    public static T NextItem<T>(this Random random, IReadOnlyList<T> items) => items[random.Next(items.Count)];
}
