using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EventDbx.TestKit;

/// <summary>Makes append requests like those of a permit office: one JSON object a line, in the order of time.</summary>
/// <remarks>
/// The shape is that of real receipts: the first event of a case has eight or nine members, later ones an <c>activity</c> object
/// and a time; most cases have six events, some one, a few two dozen. The same three numbers make the same bytes, on every machine.
/// </remarks>
/// <param name="seed">Another one makes another office.</param>
/// <param name="aggregates">Cases, at least one.</param>
/// <param name="events">In all; at least one for each case.</param>
public sealed class ReceiptGenerator(int seed, int aggregates, int events)
{
    static readonly string[] Steps =
    [
        "receipt-confirmed", "s02-receipt-checked", "s03-receipt-adjusted", "s04-receipt-determined", "s05-receipt-sent",
        "s06-need-of-advice-determined", "s07-1-advice-drafted-by-aspect-1", "s07-2-advice-drafted-by-aspect-2",
        "s08-advice-requested", "s09-advice-received-from-outside", "s10-need-of-stop-determined", "s11-refusal-drafted",
        "s12-refusal-checked", "s14-refusal-determined", "s15-refusal-printed", "s16-reasons-to-hold-reported",
    ];

    static readonly string[] Channels = ["Internet", "Internet", "Internet", "Internet", "Internet", "Desk", "Post", "e-mail"];
    static readonly string[] Departments = ["General", "General", "General", "General", "Customer contact", "Experts"];
    static readonly DateTimeOffset Opening = new(2020, 1, 6, 8, 0, 0, TimeSpan.Zero);
    static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the requests as NDJSON in UTF-8.</summary>
    public void Write(Stream target)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(aggregates, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(events, aggregates);
        var random = new Random(seed);
        var schedule = Schedule(random);
        using var line = new MemoryStream();
        using var json = new Utf8JsonWriter(line, Plain);
        for (var i = 0; i < schedule.Length; i++)
        {
            WriteRequest(json, schedule[i], task: i + 1, random);
            json.Flush();
            line.WriteByte((byte)'\n');
            line.WriteTo(target);
            line.SetLength(0);
            json.Reset();
        }
    }

    /// <summary>Writes the requests to a file and returns its path.</summary>
    public string WriteFile(string path)
    {
        using var file = File.Create(path);
        Write(file);
        return path;
    }

    /// <summary>Who does what when: every case gets its events, and the whole is in the order of time.</summary>
    Moment[] Schedule(Random random)
    {
        var lengths = Lengths(random);
        var schedule = new Moment[events];
        var at = 0;
        for (var number = 0; number < aggregates; number++)
        {
            // Some twenty cases come in a day.
            var time = Opening.AddMinutes((number * 72.0) + (random.NextDouble() * 600));
            for (var step = 0; step < lengths[number]; step++)
            {
                schedule[at++] = new Moment(time, number, step);
                time = time.AddSeconds(30 + (random.NextDouble() * random.NextDouble() * 90_000));
            }
        }

        Array.Sort(schedule, (left, right) =>
            left.Time != right.Time ? left.Time.CompareTo(right.Time)
            : left.Case != right.Case ? left.Case.CompareTo(right.Case)
            : left.Step.CompareTo(right.Step));
        return schedule;
    }

    int[] Lengths(Random random)
    {
        var lengths = new int[aggregates];
        Array.Fill(lengths, 1);
        var left = events - aggregates;

        // First what a case usually needs, then what is left over to whoever comes.
        for (var number = 0; number < aggregates && left > 0; number++)
        {
            var more = random.Next(100) switch { < 8 => 0, < 11 => random.Next(2, 5), < 92 => 5, < 98 => random.Next(6, 10), _ => random.Next(10, 25) };
            more = Math.Min(more, left);
            lengths[number] += more;
            left -= more;
        }

        for (; left > 0; left--)
            lengths[random.Next(aggregates)]++;
        return lengths;
    }

    static void WriteRequest(Utf8JsonWriter json, Moment moment, int task, Random random)
    {
        json.WriteStartObject();
        json.WriteString("aggregate_type", "permit");
        json.WriteString("aggregate_id", string.Create(CultureInfo.InvariantCulture, $"case-{1000 + moment.Case}"));
        json.WriteString("event_type", moment.Step == 0 ? Steps[0] : Steps[1 + ((moment.Step + random.Next(3)) % (Steps.Length - 1))]);
        json.WriteStartObject("payload");
        if (moment.Step == 0)
            WriteReceipt(json, moment, random);
        json.WriteStartObject("activity");
        json.WriteString("instance", string.Create(CultureInfo.InvariantCulture, $"task-{task}"));
        json.WriteString("transition", "complete");
        json.WriteString("group", random.Next(4) == 0 ? "EMPTY" : Numbered("Group ", 1 + random.Next(5)));
        json.WriteString("resource", Resource(random));
        json.WriteEndObject();
        json.WriteString("last_activity_at", Text(moment.Time));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void WriteReceipt(Utf8JsonWriter json, Moment moment, Random random)
    {
        json.WriteString("channel", Channels[random.Next(Channels.Length)]);
        json.WriteString("department", Departments[random.Next(Departments.Length)]);
        if (random.Next(100) < 42)
            json.WriteString("group", Numbered("Group ", 1 + random.Next(15)));
        json.WriteString("responsible", Resource(random));
        var start = moment.Time.AddDays(-1);
        json.WriteString("startdate", Text(start));
        json.WriteString("enddate_planned", Text(start.AddDays(56)));
        json.WriteString("deadline", Text(new DateTimeOffset(start.AddDays(56).Date, start.Offset)));
    }

    static string Resource(Random random) => string.Create(CultureInfo.InvariantCulture, $"Resource{1 + random.Next(40):00}");

    static string Numbered(string name, int number) => name + number.ToString(CultureInfo.InvariantCulture);

    static string Text(DateTimeOffset time) => time.ToString(
        time.Ticks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-dd HH:mm:sszzz" : "yyyy-MM-dd HH:mm:ss.ffffffzzz", CultureInfo.InvariantCulture);

    readonly record struct Moment(DateTimeOffset Time, int Case, int Step);
}
