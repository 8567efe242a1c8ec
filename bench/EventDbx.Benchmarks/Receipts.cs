using System.Buffers;

namespace EventDbx.Benchmarks;

/// <summary>Events of the shape of a permit office's log: about 300 bytes, eight fields, one of them an object.</summary>
/// <remarks>Made before the clock starts; from a seed, so that every run appends the same.</remarks>
internal sealed class Receipts
{
    const int Payloads = 16 * 1024;

    static readonly string[] s_types = ["confirmation-of-receipt", "t02-check-confirmation-of-receipt", "t06-determine-necessity-of-stop-advice"];
    static readonly byte[][] s_typesUtf8 = [.. s_types.Select(Encoding.UTF8.GetBytes)];

    readonly ReadOnlyMemory<byte>[] _payloads;

    /// <param name="fields">8: all of them. 1: one field of about the same size.</param>
    public Receipts(int seed, int fields = 8)
    {
        Random random = new(seed);
        _payloads = [.. Enumerable.Range(0, Payloads).Select(_ => Encoding.UTF8.GetBytes(fields == 1 ? OneField(random) : EightFields(random)))];
    }

    public double PayloadBytes => _payloads.Average(p => p.Length);

    public static AggregateKey[] Aggregates(int count, string prefix = "case") =>
        [.. Enumerable.Range(0, count).Select(i => AggregateKey.Create("permit", $"{prefix}-{i:d6}"))];

    public EventDraft Draft(AggregateKey aggregate, int number) => new()
    {
        Aggregate = aggregate,
        EventType = EventType(number),
        Payload = Payload(number),
    };

    public static string EventType(int number) => s_types[number % s_types.Length];

    public ReadOnlyMemory<byte> Payload(int number) => _payloads[number % Payloads];

    /// <summary>The same event as the body of <c>POST /v1/events</c>.</summary>
    public void WriteAppend(IBufferWriter<byte> output, AggregateKey aggregate, int number)
    {
        output.Write("{\"aggregate_type\":\""u8);
        output.Write(aggregate.TypeUtf8);
        output.Write("\",\"aggregate_id\":\""u8);
        output.Write(aggregate.IdUtf8);
        output.Write("\",\"event_type\":\""u8);
        output.Write(s_typesUtf8[number % s_types.Length]);
        output.Write("\",\"payload\":"u8);
        output.Write(Payload(number).Span);
        output.Write("}"u8);
    }

    public EventDraft[] Batch(AggregateKey[] aggregates, int first, int count)
    {
        var drafts = new EventDraft[count];
        for (var i = 0; i < count; i++)
            drafts[i] = Draft(aggregates[(first + i) % aggregates.Length], first + i);
        return drafts;
    }

    static string EightFields(Random random) => string.Concat(
        $$"""{"channel":"{{(random.Next(2) == 0 ? "Internet" : "Desk")}}","department":"General","responsible":"R{{random.Next(10, 50)}}",""",
        $$"""
        "startdate":"{{Moment(random)}}","deadline":"2010-11-26T00:00+01","enddate_planned":"2010-11-26T00:00+01",
        """,
        $$"""
        "activity":{"instance":"task-{{random.Next(100_000)}}","group":"Group {{random.Next(9)}}"},
        """,
        $$"""
        "last_activity_at":"{{Moment(random)}}"}
        """);

    static string OneField(Random random) => string.Concat(
        $$"""{"activity":{"instance":"task-{{random.Next(100_000)}}","group":"Group {{random.Next(9)}}",""",
        "\"text\":\"", new string('x', 230), "\"}}");

    static string Moment(Random random) =>
        $"2010-{random.Next(1, 13):d2}-{random.Next(1, 29):d2} {random.Next(24):d2}:{random.Next(60):d2}:{random.Next(60):d2}.{random.Next(1000):d3}+02:00";
}
