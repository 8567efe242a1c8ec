using System.Text.Json;

namespace EventDbx.Mirroring;

/// <summary>What an entry says, by the rules of an append: a leader cannot have committed anything else, and whoever reads a mirror relies on it.</summary>
internal static class EntryMembers
{
    /// <summary>What no append, and nothing else that makes an entry, would have let through; null when there is nothing.</summary>
    public static string? ProblemOf(EntryRow entry) =>
        (Session.CheckActor(entry.Actor) ?? (entry.IsControl ? Control(entry) : Event(entry)))?.Message;

    static Refusal? Event(EntryRow entry) =>
        Names.Check("event_type", entry.Type, Limits.TypeBytesMax) ?? Session.CheckNote(entry.Note) ?? Session.CheckId(entry.EventId);

    static Refusal? Control(EntryRow entry)
    {
        if (Names.Check("kind", entry.Type, Limits.TypeBytesMax) is { } refusal)
            return refusal;
        if (entry.Subject.Length == 0 || entry.Subject.AsSpan().ContainsAnyInRange('\0', '\u001f') || entry.Subject.Contains('\u007f', StringComparison.Ordinal))
            return new(RefusalCode.InvalidName, "Its subject is empty, or holds a control character.");
        // It is shown as it is: what is no JSON object would change whatever it stands in.
        return IsObject(entry.Body) ? null : new(RefusalCode.InvalidPayload, "Its body is no JSON object on one line.");
    }

    static bool IsObject(ReadOnlyMemory<byte> body)
    {
        if (body.Span.ContainsAnyInRange((byte)0, (byte)0x1F) || !System.Text.Unicode.Utf8.IsValid(body.Span))
            return false;
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
