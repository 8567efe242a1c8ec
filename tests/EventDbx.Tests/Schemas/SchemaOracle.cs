using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.RegularExpressions;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>The checks once more: slow, straightforward, on a parsed document, with other means.</summary>
internal static class SchemaOracle
{
    /// <summary>Paths and rules that are broken, in order, as <see cref="Schemata.Broken"/> has them.</summary>
    public static string Broken(AggregateSchema schema, string eventType, string payload)
    {
        using var document = JsonDocument.Parse(payload);
        var root = document.RootElement;
        List<string> broken = [];
        var keys = root.ValueKind switch
        {
            JsonValueKind.Object => Sorted(root.EnumerateObject().Select(member => member.Name)),
            JsonValueKind.Null => [],
            _ => ["_value"],
        };
        if (schema.Locked)
            broken.Add(":locked");
        broken.AddRange(keys.Where(schema.FieldLocks.Contains).Select(key => $"{key}:field_locked"));
        if (!schema.Events.TryGetValue(eventType, out var definition))
        {
            broken.Add(":event_undefined");
        }
        else if (definition.Fields.Count > 0)
        {
            broken.AddRange(Sorted(definition.Fields).Except(keys).Select(field => $"{field}:field_missing"));
            broken.AddRange(keys.Where(key => !definition.Fields.Contains(key)).Select(key => $"{key}:field_not_permitted"));
        }

        if (schema.ColumnTypes.Count > 0 && root.ValueKind != JsonValueKind.Object)
        {
            broken.Add(":payload");
        }
        else if (schema.ColumnTypes.Count > 0)
        {
            Columns(schema.ColumnTypes, root, "", broken);
            Matches(schema.ColumnTypes, root, root, "", broken);
        }

        return string.Join(' ', broken);
    }

    static void Columns(ImmutableSortedDictionary<string, Column> columns, JsonElement json, string prefix, List<string> broken)
    {
        foreach (var name in Sorted(columns.Keys))
        {
            var (column, path) = (columns[name], prefix + name);
            if (!json.TryGetProperty(name, out var value))
            {
                if (column.Required)
                    broken.Add($"{path}:required");
                continue;
            }

            if (column.Kind == ColumnKind.Object && value.ValueKind == JsonValueKind.Object)
                Columns(column.Properties, value, path + ".", broken);
            else if (Coerced(column, value) is not { } coerced)
                broken.Add($"{path}:type");
            else
                broken.AddRange(Rules(column, coerced, value).Select(rule => $"{path}:{rule}"));
        }
    }

    static IEnumerable<string> Rules(Column column, IComparable coerced, JsonElement value)
    {
        if (column.Kind == ColumnKind.Decimal)
        {
            var plain = Plain(value).TrimStart('+', '-').Replace("_", "", StringComparison.Ordinal);
            var whole = plain.Split('.')[0].TrimStart('0');
            var fraction = plain.Contains('.', StringComparison.Ordinal) ? plain.Split('.')[1] : "";
            if (fraction.Length > column.Scale)
                yield return "type";
            if (Math.Max(1, whole.Length) + fraction.Length > column.Precision)
                yield return "type";
        }

        if (column.Kind == ColumnKind.Text)
        {
            var text = value.GetString()!;
            foreach (var part in column.Contains.Where(part => !text.Contains(part, StringComparison.Ordinal)))
                yield return "contains";
            foreach (var part in column.DoesNotContain.Where(part => text.Contains(part, StringComparison.Ordinal)))
                yield return "does_not_contain";
            foreach (var pattern in column.Regex.Where(pattern => !Regex.IsMatch(text, pattern.Replace("$", @"\z", StringComparison.Ordinal), RegexOptions.CultureInvariant)))
                yield return "regex";
        }

        if (column.Length is { } length)
        {
            var measured = column.Kind == ColumnKind.Text
                ? (ulong)value.GetString()!.EnumerateRunes().Count()
                : (ulong)Convert.FromBase64String(value.GetString()!).Length;
            if (measured < length.Min)
                yield return "length";
            if (measured > length.Max)
                yield return "length";
        }

        if (column.Range is { } range)
        {
            if (range.Min is { } min && !(coerced.CompareTo(Bound(column, min)) >= 0 && coerced is not double.NaN))
                yield return "range";
            if (range.Max is { } max && !(coerced.CompareTo(Bound(column, max)) <= 0 && coerced is not double.NaN))
                yield return "range";
        }
    }

    static void Matches(ImmutableSortedDictionary<string, Column> columns, JsonElement json, JsonElement root, string prefix, List<string> broken)
    {
        foreach (var name in Sorted(columns.Keys))
        {
            if (columns[name].MustMatch is not { } target || !json.TryGetProperty(name, out var value))
                continue;
            var other = root;
            var there = true;
            foreach (var step in target.Split('.'))
                there = there && other.ValueKind == JsonValueKind.Object && other.TryGetProperty(step, out other);
            if (!there)
                broken.Add($"{prefix}{name}:must_match");
            else if (Coerced(columns[name], value) is { } left && Coerced(columns[name], other) is { } right && (left.CompareTo(right) != 0 || left is double.NaN))
                broken.Add($"{prefix}{name}:must_match");
        }

        foreach (var name in Sorted(columns.Keys))
        {
            if (columns[name].Kind == ColumnKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object)
                Matches(columns[name].Properties, value, root, $"{prefix}{name}.", broken);
        }
    }

    static IComparable Bound(Column column, string text) => Coerced(column, JsonDocument.Parse($"\"{text.Trim()}\"").RootElement)!;

    // Null: not of the type.
    static IComparable? Coerced(Column column, JsonElement value)
    {
        var isText = value.ValueKind == JsonValueKind.String;
        var text = isText ? value.GetString()! : value.GetRawText();
        var isNumber = value.ValueKind == JsonValueKind.Number;
        switch (column.Kind)
        {
            case ColumnKind.Json:
                return value.GetRawText();
            case ColumnKind.Object:
                return null;
            case ColumnKind.Text:
                return isText ? new Ordinal(text) : null;
            case ColumnKind.Binary:
                return isText && Regex.IsMatch(text, @"\A[A-Za-z0-9+/]*=*\z") && Base64(text) is { } bytes && Convert.ToBase64String(bytes) == text ? new Ordinal(text) : null;
            case ColumnKind.Integer:
                return (isText && Regex.IsMatch(text.Trim(), @"\A[+-]?[0-9]+\z")) || (isNumber && Regex.IsMatch(text, @"\A-?[0-9]+\z") && text != "-0")
                    ? BigInteger.Parse(text.Trim(), CultureInfo.InvariantCulture) is var whole && whole >= long.MinValue && whole <= long.MaxValue ? whole : null
                    : null;
            case ColumnKind.Boolean:
                return (isText ? text.Trim().ToLowerInvariant() : isNumber || value.ValueKind is JsonValueKind.True or JsonValueKind.False ? text : "") switch
                {
                    "true" or "1" => 1,
                    "false" or "0" => 0,
                    _ => null,
                };
            case ColumnKind.Float:
                var real = text.Trim().ToLowerInvariant();
                return real.TrimStart('+', '-') is "inf" && isText ? (real[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity)
                    : real is "nan" && isText ? double.NaN
                    : (isText || isNumber) && Regex.IsMatch(real, @"\A[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?\z") ? double.Parse(real, CultureInfo.InvariantCulture)
                    : null;
            case ColumnKind.Decimal:
                if (!(isText || isNumber) || !Regex.IsMatch(Plain(value), @"\A[+-]?([0-9](_*[0-9])*\.?|(?=\.[0-9]))(?<=[0-9.]|\A[+-]?)(\.?[0-9](_*[0-9])*)?\z"))
                    return null;
                return decimal.TryParse(Plain(value).Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null;
            case ColumnKind.Date:
                return isText && DateOnly.TryParseExact(text, ["yyyy-M-d", "yyyy-MM-dd"], CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date : null;
            case ColumnKind.Timestamp:
                return isText && Regex.IsMatch(text, @"\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.[0-9]{1,7})?([Zz]|[+-]\d\d:\d\d)\z")
                    && DateTimeOffset.TryParse(text.ToUpperInvariant(), CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time.UtcTicks : null;
            default:
                return null;
        }
    }

    // The text a decimal is read from. A number's is canonical: no zeros at the end but one.
    static string Plain(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString()!.Trim();
        var text = value.GetRawText();
        if (text.Contains('e', StringComparison.OrdinalIgnoreCase))
        {
            var real = value.GetDouble();
            return Math.Abs(real) is >= 1e16 or (< 1e-5 and > 0) ? text : real.ToString("0.0###############", CultureInfo.InvariantCulture);
        }

        return text.Contains('.', StringComparison.Ordinal) ? Regex.Replace(text.TrimEnd('0'), @"\.\z", ".0") : text;
    }

    static byte[]? Base64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    static List<string> Sorted(IEnumerable<string> names) => [.. names.OrderBy(name => Convert.ToHexString(Encoding.UTF8.GetBytes(name)), StringComparer.Ordinal)];

    /// <summary>Text by its code units.</summary>
    sealed record Ordinal(string Text) : IComparable
    {
        public int CompareTo(object? other) => string.CompareOrdinal(Text, ((Ordinal)other!).Text);
    }
}
