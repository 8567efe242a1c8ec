using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace EventDbx.Schemas;

/// <summary>Changes of schemas as JSON: <c>{"change":"add_events","events":["paid"]}</c>, or an array of such, and back.</summary>
/// <remarks>
/// Read strictly: each change has all of its members and no other. An object without <c>change</c> is the published update of a
/// schema: <c>snapshot_threshold</c>, <c>locked</c>, <c>field_lock</c>, <c>add_fields</c>, <c>remove_fields</c>, each of them optional.
/// </remarks>
public static class SchemaEditJson
{
    sealed record Form(SchemaEditKind Kind, string Name, params string[] Members);

    static readonly Form[] Forms =
    [
        new(SchemaEditKind.Create, "create", "events", "snapshot_threshold"),
        new(SchemaEditKind.Replace, "replace", "schema"),
        new(SchemaEditKind.Drop, "drop"),
        new(SchemaEditKind.AddEvents, "add_events", "events"),
        new(SchemaEditKind.RemoveEvent, "remove_event", "event"),
        new(SchemaEditKind.Annotate, "annotate", "event", "notes"),
        new(SchemaEditKind.SetSnapshotThreshold, "set_snapshot_threshold", "snapshot_threshold"),
        new(SchemaEditKind.SetLocked, "set_locked", "locked"),
        new(SchemaEditKind.SetFieldLocked, "set_field_locked", "field", "locked"),
        new(SchemaEditKind.SetHidden, "set_hidden", "hidden"),
        new(SchemaEditKind.SetFieldHidden, "set_field_hidden", "field", "hidden"),
        new(SchemaEditKind.SetColumn, "set_column", "field", "type"),
        new(SchemaEditKind.RemoveColumn, "remove_column", "field"),
        new(SchemaEditKind.SetRules, "set_rules", "field", "rules"),
        new(SchemaEditKind.ClearRules, "clear_rules", "field"),
        new(SchemaEditKind.AddFields, "add_fields", "event", "fields"),
        new(SchemaEditKind.RemoveFields, "remove_fields", "event", "fields"),
    ];

    static readonly string[] UpdateMembers = ["snapshot_threshold", "locked", "field_lock", "add_fields", "remove_fields"];

    static readonly string[] FieldLockMembers = ["field", "lock"];

    /// <summary>The names of all changes.</summary>
    public static IEnumerable<string> Names => Forms.Select(form => form.Name);

    /// <summary>Reads a change, an array of changes, or an update.</summary>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.InvalidSchema"/>, with the path; <see cref="RefusalCode.UnknownMember"/>; <see cref="RefusalCode.LimitExceeded"/>.
    /// </exception>
    public static IReadOnlyList<SchemaEdit> Read(ReadOnlySpan<byte> json)
    {
        using var document = SchemaReader.Parse(json);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Array)
            return root.ValueKind == JsonValueKind.Object && !root.TryGetProperty("change"u8, out _) ? ReadUpdate(root) : [ReadOne(root, "$")];
        if (root.GetArrayLength() > Limits.SchemaEditsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"There are {root.GetArrayLength()} changes; at most {Limits.SchemaEditsMax} are made at once.");
        List<SchemaEdit> edits = [];
        foreach (var item in root.EnumerateArray())
            edits.Add(ReadOne(item, $"$[{edits.Count}]"));
        return edits;
    }

    /// <summary>Writes changes as an array.</summary>
    public static void Write(IBufferWriter<byte> output, IEnumerable<SchemaEdit> edits)
    {
        using var json = new Utf8JsonWriter(output, SchemaJson.Compact);
        json.WriteStartArray();
        foreach (var edit in edits)
            WriteOne(json, edit);
        json.WriteEndArray();
    }

    static SchemaEdit ReadOne(JsonElement json, string path)
    {
        var members = SchemaReader.Members(json, path, "a change: {\"change\": \"add_events\", …}");
        var name = members.Find(member => member.Name == "change") is { Name: not null } change
            ? SchemaReader.Text(change.Value, $"{path}.change")
            : throw SchemaRefusal.At(path, "`change` is missing.");
        var form = Array.Find(Forms, form => form.Name == name)
            ?? throw SchemaRefusal.At($"{path}.change", $"`{SchemaRefusal.Shown(name)}` is no change{NearestName.Hint(name, Names)}; the changes are {string.Join(", ", Names)}.");
        var edit = new SchemaEdit(form.Kind);
        foreach (var (member, value) in members)
        {
            if (member == "change")
                continue;
            if (!form.Members.Contains(member))
                throw Unknown(member, $"the change `{name}`", ["change", .. form.Members]);
            edit = With(edit, member, value, $"{path}.{member}");
        }

        foreach (var member in form.Members)
        {
            if (members.TrueForAll(given => given.Name != member))
                throw SchemaRefusal.At(path, $"`{member}` is missing; the change `{name}` has {string.Join(", ", form.Members)}.");
        }

        return edit;
    }

    static SchemaEdit With(SchemaEdit edit, string member, JsonElement value, string path)
    {
        switch (member)
        {
            case "events" or "fields":
                return edit with { Names = SchemaReader.Texts(value, path) };
            case "event":
                return edit with { Event = SchemaReader.Text(value, path) };
            case "field":
                return edit with { Field = SchemaReader.Text(value, path) };
            case "notes":
                return edit with { Notes = value.ValueKind == JsonValueKind.Null ? null : SchemaReader.Text(value, path) };
            case "snapshot_threshold":
                return edit with { SnapshotThreshold = SchemaReader.Count(value, path) };
            case "locked" or "hidden":
                return edit with { Truth = SchemaReader.Truth(value, path) };
            case "type":
                return edit with { Column = SchemaReader.Column(JsonMarshal.GetRawUtf8Value(value)) };
            case "rules":
                var rules = SchemaReader.Rules(JsonMarshal.GetRawUtf8Value(value), out var hasProperties);
                return edit with { Column = rules, HasProperties = hasProperties };
            default:
                return edit with { Schema = SchemaReader.One(JsonMarshal.GetRawUtf8Value(value), default(Timestamp)) };
        }
    }

    static List<SchemaEdit> ReadUpdate(JsonElement json)
    {
        List<SchemaEdit> edits = [];
        foreach (var (member, value) in SchemaReader.Members(json, "$", "a change"))
        {
            switch (member)
            {
                case "snapshot_threshold":
                    edits.Add(SchemaEdit.SetSnapshotThreshold(SchemaReader.Count(value, "$.snapshot_threshold")));
                    break;
                case "locked":
                    edits.Add(SchemaEdit.SetLocked(SchemaReader.Truth(value, "$.locked")));
                    break;
                case "field_lock":
                    edits.Add(ReadFieldLock(value));
                    break;
                case "add_fields" or "remove_fields":
                    foreach (var (name, fields) in SchemaReader.Members(value, $"$.{member}", "an object of event types and their fields"))
                    {
                        var names = SchemaReader.Texts(fields, SchemaRefusal.Below($"$.{member}", name));
                        edits.Add(member == "add_fields" ? SchemaEdit.AddFields(name, names) : SchemaEdit.RemoveFields(name, names));
                    }

                    break;
                default:
                    throw Unknown(member, "an update of a schema", [.. UpdateMembers, "change"]);
            }
        }

        return edits;
    }

    static SchemaEdit ReadFieldLock(JsonElement json)
    {
        (string? field, bool? locked) = (null, null);
        foreach (var (member, value) in SchemaReader.Members(json, "$.field_lock", "an object: {\"field\": \"…\", \"lock\": true}"))
        {
            if (member == "field")
                field = SchemaReader.Text(value, "$.field_lock.field");
            else if (member == "lock")
                locked = SchemaReader.Truth(value, "$.field_lock.lock");
            else
                throw Unknown(member, "`field_lock`", FieldLockMembers);
        }

        return SchemaEdit.SetFieldLocked(
            field ?? throw SchemaRefusal.At("$.field_lock", "`field` is missing."), locked ?? throw SchemaRefusal.At("$.field_lock", "`lock` is missing."));
    }

    static void WriteOne(Utf8JsonWriter json, SchemaEdit edit)
    {
        var form = Array.Find(Forms, form => form.Kind == edit.Kind)!;
        json.WriteStartObject();
        json.WriteString("change"u8, form.Name);
        foreach (var member in form.Members)
        {
            json.WritePropertyName(member);
            WriteMember(json, edit, member);
        }

        json.WriteEndObject();
    }

    static void WriteMember(Utf8JsonWriter json, SchemaEdit edit, string member)
    {
        switch (member)
        {
            case "events" or "fields":
                json.WriteStartArray();
                foreach (var name in edit.Names)
                    json.WriteStringValue(name);
                json.WriteEndArray();
                break;
            case "event":
                json.WriteStringValue(edit.Event);
                break;
            case "field":
                json.WriteStringValue(edit.Field);
                break;
            case "notes":
                json.WriteStringValue(edit.Notes);
                break;
            case "snapshot_threshold" when edit.SnapshotThreshold is { } threshold:
                json.WriteNumberValue(threshold);
                break;
            case "snapshot_threshold":
                json.WriteNullValue();
                break;
            case "locked" or "hidden":
                json.WriteBooleanValue(edit.Truth);
                break;
            case "type":
                json.WriteStringValue(edit.Column!.TypeName);
                break;
            case "rules":
                SchemaJson.WriteRules(json, edit.Column!, edit.HasProperties);
                break;
            default:
                SchemaJson.Write(json, edit.Schema!);
                break;
        }
    }

    static RefusedException Unknown(string member, string what, IReadOnlyCollection<string> known) => new(
        RefusalCode.UnknownMember, $"`{SchemaRefusal.Shown(member)}` is no member of {what}{NearestName.Hint(member, known)}; known are {string.Join(", ", known)}.");
}
