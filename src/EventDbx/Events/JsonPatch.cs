using System.Buffers;
using System.Text.Json;

namespace EventDbx.Events;

/// <summary>An RFC 6902 JSON Patch: parsed once, applied to a document, all or nothing.</summary>
/// <remarks>Source: RFC 6902, RFC 6901. What an append may do with it is decided elsewhere; this evaluates all of it.</remarks>
internal sealed class JsonPatch
{
    /// <summary>Operations in one patch. Each may walk a whole document.</summary>
    public const int OperationsMax = 1000;

    readonly Operation[] _operations;

    JsonPatch(Operation[] operations) => _operations = operations;

    /// <summary>What an operation does.</summary>
    public enum Verb
    {
        Add,
        Remove,
        Replace,
        Move,
        Copy,
        Test,
    }

    /// <param name="Verb">What.</param>
    /// <param name="Path">Where, as written.</param>
    /// <param name="Steps">The same in steps; none for the whole document.</param>
    /// <param name="From">For move and copy: whence.</param>
    /// <param name="Value">For add, replace and test.</param>
    public sealed record Operation(Verb Verb, string Path, string[] Steps, string[]? From, JsonTree? Value);

    public IReadOnlyList<Operation> Operations => _operations;

    /// <summary>Reads a patch.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidPatch"/>, naming the operation from 1.</exception>
    public static JsonPatch Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var copy = json.ToArray();
            using var document = JsonDocument.Parse(copy, new() { MaxDepth = Limits.PayloadDepthMax + 2, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Array)
                throw Refused($"A patch is a JSON array of operations; this is {document.RootElement.ValueKind}.");
            var count = document.RootElement.GetArrayLength();
            if (count > OperationsMax)
                throw Refused($"The patch has {count} operations; at most {OperationsMax} are accepted.");
            var operations = new Operation[count];
            var at = 0;
            foreach (var element in document.RootElement.EnumerateArray())
                operations[at] = Read(element, ++at);
            return new(operations);
        }
        catch (JsonException cause)
        {
            throw Refused($"The patch is not JSON: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw Refused($"The patch holds text that is not valid UTF-8: {cause.Message}");
        }
    }

    /// <summary>The document after all operations; the one given is changed, and is to be thrown away on a refusal.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidPatch"/>: the operation that does not apply, and why; <see cref="RefusalCode.LimitExceeded"/>: it takes too much.</exception>
    public JsonTree Apply(JsonTree document)
    {
        var effort = default(Effort);
        for (var i = 0; i < _operations.Length; i++)
        {
            var operation = _operations[i];
            var why = ApplyOne(ref document, operation, ref effort);
            if (why is not null)
                throw Refused($"Operation {i + 1} ({NameOf(operation.Verb)} {operation.Path}) does not apply: {why}.");
            if (effort.Moved > Limits.PatchItemsMovedMax)
            {
                throw new RefusedException(RefusalCode.LimitExceeded,
                    $"Up to operation {i + 1} the patch moves {effort.Moved} items of arrays; at most {Limits.PatchItemsMovedMax} are moved. Append with `-`, or set the whole array.");
            }
        }

        return document;
    }

    /// <summary>What a patch costs beyond its own length, so far.</summary>
    /// <param name="Copied">Bytes copied from one place to another.</param>
    /// <param name="Moved">Items of arrays pushed aside by insertions and removals.</param>
    record struct Effort(long Copied, long Moved);

    /// <summary>A patch as it was written, but for the operations on some of the fields.</summary>
    /// <param name="json">One that can be read.</param>
    /// <param name="fields">Names of fields.</param>
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> json, IReadOnlySet<string> fields)
    {
        using var document = JsonDocument.Parse(json, new() { MaxDepth = Limits.PayloadDepthMax + 2 });
        var output = new ArrayBufferWriter<byte>(json.Length);
        var separator = (byte)'[';
        foreach (var element in document.RootElement.EnumerateArray())
        {
            if (Steps(Text(element, "path", 1), 1) is [var field, ..] && fields.Contains(field))
                continue;
            output.Write([separator]);
            output.Write(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(element));
            separator = (byte)',';
        }

        output.Write(separator == '[' ? "[]"u8 : "]"u8);
        return output.WrittenMemory;
    }

    static Operation Read(JsonElement element, int number)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Refused($"Operation {number} is {element.ValueKind}; it takes an object with `op` and `path`.");
        var verb = Text(element, "op", number) switch
        {
            "add" => Verb.Add,
            "remove" => Verb.Remove,
            "replace" => Verb.Replace,
            "move" => Verb.Move,
            "copy" => Verb.Copy,
            "test" => Verb.Test,
            var other => throw Refused($"Operation {number} is `{other}`; known are add, remove, replace, move, copy and test."),
        };
        var path = Text(element, "path", number);
        var from = verb is Verb.Move or Verb.Copy ? Steps(Text(element, "from", number), number) : null;
        JsonTree? value = null;
        if (verb is Verb.Add or Verb.Replace or Verb.Test)
        {
            value = element.TryGetProperty("value", out var given)
                ? JsonTree.Parse(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(given))
                : throw Refused($"Operation {number} ({NameOf(verb)}) has no `value`; to set null, say so.");
        }

        return new(verb, path, Steps(path, number), from, value);
    }

    static string Text(JsonElement element, string name, int number) =>
        !element.TryGetProperty(name, out var value) ? throw Refused($"Operation {number} has no `{name}`.")
        : value.ValueKind == JsonValueKind.String ? value.GetString()!
        : throw Refused($"Operation {number}: `{name}` is a string; this is {value.ValueKind}.");

    static string[] Steps(string pointer, int number)
    {
        if (pointer.Length == 0)
            return [];
        if (pointer[0] != '/')
            throw Refused($"Operation {number}: `{pointer}` is no JSON Pointer; it begins with `/`.");
        for (var at = pointer.IndexOf('~', StringComparison.Ordinal); at >= 0; at = pointer.IndexOf('~', at + 1))
        {
            if (at + 1 == pointer.Length || pointer[at + 1] is not ('0' or '1'))
                throw Refused($"Operation {number}: `{pointer}` is no JSON Pointer; after `~` comes 0 (for `~`) or 1 (for `/`).");
        }

        return [.. pointer[1..].Split('/').Select(step => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
    }

    /// <summary>Why it does not apply, or null once it is done.</summary>
    static string? ApplyOne(ref JsonTree document, Operation operation, ref Effort effort)
    {
        switch (operation.Verb)
        {
            case Verb.Add:
                return Add(ref document, operation.Steps, operation.Value!.Clone(), ref effort);
            case Verb.Replace:
                if (operation.Steps.Length == 0)
                {
                    document = operation.Value!.Clone();
                    return null;
                }

                return Replace(document, operation.Steps, operation.Value!.Clone());
            case Verb.Remove:
                return Remove(document, operation.Steps, ref effort);
            case Verb.Test:
                var found = Find(document, operation.Steps, out var missing);
                return missing ?? (found!.SameAs(operation.Value!) ? null : "the value there is another one");
            case Verb.Copy:
                var source = Find(document, operation.From!, out missing);
                if (missing is not null)
                    return missing;
                // Copies of copies double a document each time: bounded, as everything is.
                effort.Copied += source!.Bytes;
                return effort.Copied > Limits.StateBytesMax
                    ? $"the document would grow beyond {Limits.StateBytesMax} bytes"
                    : Add(ref document, operation.Steps, source.Clone(), ref effort);
            case Verb.Move:
                return Move(ref document, operation, ref effort);
            default:
                throw new InvalidOperationException("An operation of no kind.");
        }
    }

    static string? Move(ref JsonTree document, Operation operation, ref Effort effort)
    {
        var (from, to) = (operation.From!, operation.Steps);
        if (to.Length > from.Length && to.AsSpan(0, from.Length).SequenceEqual(from))
            return "nothing can be moved into itself";
        if (Find(document, from, out var missing) is not { } moved)
            return missing;
        if (from.AsSpan().SequenceEqual(to))
            return null;
        if (from.Length == 0)
            return "the whole document cannot be moved";
        return Remove(document, from, ref effort) ?? Add(ref document, to, moved, ref effort);
    }

    static string? Add(ref JsonTree document, string[] steps, JsonTree value, ref Effort effort)
    {
        if (steps.Length == 0)
        {
            document = value;
            return null;
        }

        if (TooDeep(steps, value) is { } deep)
            return deep;
        if (Find(document, steps[..^1], out var missing) is not { } parent)
            return missing;
        var last = steps[^1];
        if (parent.Members is { } members)
        {
            members[last] = value;
            return null;
        }

        if (parent.Items is not { } items)
            return $"{Pointer(steps[..^1])} is {parent.Kind}, which has no members";
        var at = last == "-" ? items.Count : IndexOf(last);
        if (at < 0 || at > items.Count)
            return NoIndex(steps, items.Count, mayAppend: true);
        effort.Moved += items.Count - at;
        items.Insert(at, value);
        return null;
    }

    static string? Replace(JsonTree document, string[] steps, JsonTree value)
    {
        if (TooDeep(steps, value) is { } deep)
            return deep;
        if (Find(document, steps, out var missing) is null)
            return missing;
        var parent = Find(document, steps[..^1], out _)!;
        if (parent.Members is { } members)
            members[steps[^1]] = value;
        else
            parent.Items![IndexOf(steps[^1])] = value;
        return null;
    }

    // Everything here recurses: no document may become deeper than a payload may be.
    static string? TooDeep(string[] steps, JsonTree value) => steps.Length + value.Depth > Limits.PayloadDepthMax
        ? $"the document would have more than {Limits.PayloadDepthMax} levels"
        : null;

    static string? Remove(JsonTree document, string[] steps, ref Effort effort)
    {
        if (steps.Length == 0)
            return "the whole document cannot be removed";
        if (Find(document, steps, out var missing) is null)
            return missing;
        var parent = Find(document, steps[..^1], out _)!;
        if (parent.Members is { } members)
        {
            members.Remove(steps[^1]);
            return null;
        }

        var (items, at) = (parent.Items!, IndexOf(steps[^1]));
        effort.Moved += items.Count - at;
        items.RemoveAt(at);
        return null;
    }

    static JsonTree? Find(JsonTree document, string[] steps, out string? missing)
    {
        missing = null;
        var at = document;
        for (var i = 0; i < steps.Length; i++)
        {
            if (at.Members is { } members)
            {
                if (!members.TryGetValue(steps[i], out at!))
                    missing = $"there is nothing at {Pointer(steps[..(i + 1)])}";
            }
            else if (at.Items is { } items)
            {
                var index = IndexOf(steps[i]);
                if (index < 0 || index >= items.Count)
                    missing = NoIndex(steps[..(i + 1)], items.Count, mayAppend: false);
                else
                    at = items[index];
            }
            else
            {
                missing = $"{Pointer(steps[..i])} is {at.Kind}, which has no members";
            }

            if (missing is not null)
                return null;
        }

        return at;
    }

    /// <summary>An array index: digits without a leading zero; -1 for anything else.</summary>
    static int IndexOf(string step) =>
        step.Length is > 0 and <= 9 && (step.Length == 1 || step[0] != '0') && step.All(char.IsAsciiDigit)
            ? int.Parse(step, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture)
            : -1;

    static string NoIndex(string[] steps, int count, bool mayAppend) =>
        $"`{steps[^1]}` is no place in the array {Pointer(steps[..^1])}, which has {count} items{(mayAppend ? "; `-` is its end" : "")}";

    static string Pointer(string[] steps) => steps.Length == 0
        ? "the document"
        : "/" + string.Join('/', steps.Select(step => step.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)));

    public static string NameOf(Verb verb) => verb switch
    {
        Verb.Add => "add",
        Verb.Remove => "remove",
        Verb.Replace => "replace",
        Verb.Move => "move",
        Verb.Copy => "copy",
        Verb.Test => "test",
    };

    static RefusedException Refused(string message) => new(RefusalCode.InvalidPatch, message);
}
