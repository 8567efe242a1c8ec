using System.Globalization;
using System.IO.Hashing;
using System.Text;
using EventDbx.Events;

namespace EventDbx.CrashWriter;

/// <summary>What is asked in one operation, derived from its name: the test can say the same again after the kill.</summary>
/// <remarks>
/// <code>
/// &gt; OP KIND TYPE/ID[#],…                                  about to be asked; # with an event id of ours
/// &lt; OP TYPE/ID VERSION HASH ROOT POSITION EVENT_ID;…      answered: an event each
/// = OP …                                                 asked again with the same event ids; the same answer
/// ~ OP                                                   answered: done to the aggregate
/// ! OP CODE                                              refused: nothing of it may be stored
/// c SIZE ROOT                                            a checkpoint was handed out
/// </code>
/// </remarks>
internal static class Script
{
    public const string Append = "append", Batch = "batch", Create = "create", Remove = "remove", Archive = "archive", Restore = "restore";

    /// <summary>One event of an operation.</summary>
    /// <param name="op">cycle.writer.number; stands in the payload, so that whatever is found can be traced back.</param>
    /// <param name="place">0 for the first event of the operation.</param>
    /// <param name="aggregate">Whose.</param>
    /// <param name="withId">With an event id of ours.</param>
    public static EventDraft Draft(string op, int place, AggregateKey aggregate, bool withId, ulong? expectedVersion = null)
    {
        var chance = Chance(op, place);
        var payload = new StringBuilder();
        payload.Append(CultureInfo.InvariantCulture, $$"""{"op":"{{op}}","place":{{place}},"f{{chance % 7}}":{{chance % 1000}}.50""");
        if (chance % 5 == 0)
            payload.Append(CultureInfo.InvariantCulture, $$""","text":"{{new string('x', (int)(chance % 300))}}" """);
        // Now and then a state outgrows its row.
        if (chance % 97 == 0)
            payload.Append(CultureInfo.InvariantCulture, $$""","large{{chance % 3}}":"{{new string('y', 3000)}}" """);
        payload.Append('}');
        return new()
        {
            Aggregate = aggregate, EventType = chance % 2 == 0 ? "changed" : "noted", Payload = Encoding.UTF8.GetBytes(payload.ToString()),
            Note = chance % 11 == 0 ? $"note of {op}" : null, EventId = withId ? EventId(op, place) : null, ExpectedVersion = expectedVersion,
        };
    }

    public static Guid EventId(string op, int place) => new(XxHash128.Hash(Encoding.UTF8.GetBytes($"{op}/{place}")), bigEndian: true);

    static uint Chance(string op, int place) => XxHash32.HashToUInt32(Encoding.UTF8.GetBytes($"{op}:{place}"));

    public static string Name(AggregateKey aggregate, bool withId) => $"{aggregate.Type}/{aggregate.Id}{(withId ? "#" : "")}";

    public static AggregateKey Aggregate(string name)
    {
        var parts = name.TrimEnd('#').Split('/');
        return AggregateKey.Create(parts[0], parts[1]);
    }

    /// <summary>An answer, as it stands in a line.</summary>
    public static string Show(EventRecord e) => string.Create(CultureInfo.InvariantCulture,
        $"{e.Aggregate.Type}/{e.Aggregate.Id} {e.Version} {e.Hash} {e.MerkleRoot} {e.Position} {e.EventId}");
}
