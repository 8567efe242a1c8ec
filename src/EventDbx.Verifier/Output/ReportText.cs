using System.Globalization;
using System.Text;

namespace EventDbx.Verifier.Output;

/// <summary>A report as people read it, and as programs do.</summary>
internal static class ReportText
{
    /// <summary>The verdict first, then what was proven and what was not.</summary>
    public static string ForPeople(Report report)
    {
        var text = new StringBuilder();
        if (report.Refuted is { } why)
            return text.Append("Refuted: ").Append(why).Append("\nNothing of it is proven.\n").ToString();
        if (report.Missing.Count == 0)
            text.Append("Proven.\n");
        foreach (var missing in report.Missing)
            text.Append("Incomplete: ").Append(missing).Append('\n');
        List(text, report.Missing.Count == 0 ? "Proven:" : "What is there holds:", report.Proven);
        List(text, "Not proven:", report.NotProven);
        return text.ToString();
    }

    /// <summary>One JSON object in one line.</summary>
    public static string ForPrograms(Report report)
    {
        var json = new StringBuilder("{");
        Member(json, "verdict", report.Verdict switch { Verdict.Proven => "proven", Verdict.Refuted => "refuted", Verdict.Incomplete => "incomplete" });
        Member(json, "command", report.Command);
        Member(json, "refuted", report.Refuted);
        Member(json, "missing", report.Missing);
        Member(json, "proven", report.Proven);
        Member(json, "not_proven", report.NotProven);
        Raw(json, "checkpoint", report.Checkpoint is not { } checkpoint
            ? "null"
            : string.Create(CultureInfo.InvariantCulture, $"{{\"origin\":{Quoted(checkpoint.Origin)},\"size\":{checkpoint.Size},\"root\":\"{checkpoint.Root}\"}}"));
        Member(json, "key", report.Key);
        Raw(json, "witnesses", $"[{string.Join(',', report.Witnesses.Select(witness =>
            string.Create(CultureInfo.InvariantCulture, $"{{\"name\":{Quoted(witness.Name)},\"time\":{witness.Time}}}")))}]");
        if (report.Event is { } named)
        {
            Raw(json, "event", string.Create(CultureInfo.InvariantCulture,
                $"{{\"aggregate_type\":{Quoted(named.Type)},\"aggregate_id\":{Quoted(named.Id)},\"version\":{named.Version},\"position\":{named.Position}}}"));
        }

        Number(json, "events", report.Events);
        Number(json, "aggregates", report.Aggregates);
        Number(json, "control_entries", report.ControlEntries);
        json[^1] = '}';
        return json.Append('\n').ToString();
    }

    static void List(StringBuilder text, string title, IReadOnlyList<string> sentences)
    {
        if (sentences.Count == 0)
            return;
        text.Append('\n').Append(title).Append('\n');
        foreach (var sentence in sentences)
            text.Append("- ").Append(sentence).Append('\n');
    }

    static void Member(StringBuilder json, string name, string? text) => Raw(json, name, text is null ? "null" : Quoted(text));

    static void Member(StringBuilder json, string name, IReadOnlyList<string> texts) => Raw(json, name, $"[{string.Join(',', texts.Select(Quoted))}]");

    static void Number(StringBuilder json, string name, ulong? number)
    {
        if (number is { } value)
            Raw(json, name, value.ToString(CultureInfo.InvariantCulture));
    }

    static void Raw(StringBuilder json, string name, string value) => json.Append('"').Append(name).Append("\":").Append(value).Append(',');

    static string Quoted(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        Span<char> halves = stackalloc char[2];
        foreach (var rune in text.EnumerateRunes())
        {
            var characters = halves[..rune.EncodeToUtf16(halves)];
            if (rune.Value is '"' or '\\')
                quoted.Append('\\').Append(characters);
            else if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator))
                quoted.Append(characters);
            else
                foreach (var half in characters)
                    quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)half:x4}");
        }

        return quoted.Append('"').ToString();
    }
}
