using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EventDbx.Server.Tests.OpenApi;

/// <summary>JSON Schema as far as our OpenAPI document uses it; a keyword that it does not know fails. Objects whose members are listed have no others, so that an answer cannot have more than is written.</summary>
/// <param name="document">In which <c>$ref</c> is looked up.</param>
internal sealed class JsonShape(JsonElement document)
{
    static readonly string[] s_says = ["description", "default", "example", "contentMediaType"];

    /// <summary>What is wrong with a value; nothing where it fits.</summary>
    public List<string> ProblemsOf(JsonElement schema, JsonElement value)
    {
        var problems = new List<string>();
        Check(schema, value, "$", problems, open: false);
        return problems;
    }

    void Check(JsonElement schema, JsonElement value, string at, List<string> problems, bool open)
    {
        if (schema.ValueKind == JsonValueKind.True)
            return;
        var closed = !open && schema.TryGetProperty("properties", out _) && !schema.TryGetProperty("additionalProperties", out _);
        foreach (var keyword in schema.EnumerateObject())
        {
            if (s_says.Contains(keyword.Name))
                continue;
            switch (keyword.Name)
            {
                case "$ref":
                    Check(Resolve(keyword.Value.GetString()!), value, at, problems, open);
                    break;
                case "type":
                    if (!Types(keyword.Value).Any(type => Is(type, value)))
                        problems.Add($"{at} is {value.ValueKind}, not {keyword.Value}");
                    break;
                case "enum":
                    if (!keyword.Value.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)))
                        problems.Add($"{at} is {value}, not one of {keyword.Value}");
                    break;
                case "const":
                    if (!JsonElement.DeepEquals(keyword.Value, value))
                        problems.Add($"{at} is {value}, not {keyword.Value}");
                    break;
                case "required" when value.ValueKind == JsonValueKind.Object:
                    problems.AddRange(keyword.Value.EnumerateArray().Where(name => !value.TryGetProperty(name.GetString()!, out _)).Select(name => $"{at}.{name} is missing"));
                    break;
                case "properties" when value.ValueKind == JsonValueKind.Object:
                    foreach (var member in value.EnumerateObject())
                    {
                        if (keyword.Value.TryGetProperty(member.Name, out var of))
                            Check(of, member.Value, $"{at}.{member.Name}", problems, open: false);
                        else if (closed)
                            problems.Add($"{at}.{member.Name} is not in the document");
                    }

                    break;
                case "additionalProperties" when value.ValueKind == JsonValueKind.Object && keyword.Value.ValueKind == JsonValueKind.Object:
                    foreach (var member in value.EnumerateObject())
                        Check(keyword.Value, member.Value, $"{at}.{member.Name}", problems, open: false);
                    break;
                case "items" when value.ValueKind == JsonValueKind.Array:
                    foreach (var (item, i) in value.EnumerateArray().Select((item, i) => (item, i)))
                        Check(keyword.Value, item, $"{at}[{i}]", problems, open: false);
                    break;
                case "allOf":
                    foreach (var one in keyword.Value.EnumerateArray())
                        Check(one, value, at, problems, open: true);
                    break;
                case "oneOf":
                    var fits = keyword.Value.EnumerateArray().Select(one => ProblemsOf(one, value)).ToList();
                    if (fits.Count(found => found.Count == 0) != 1)
                        problems.Add($"{at} fits {fits.Count(found => found.Count == 0)} of its forms: {string.Join("; ", fits.SelectMany(found => found))}");
                    break;
                case "pattern" when value.ValueKind == JsonValueKind.String:
                    if (!Regex.IsMatch(value.GetString()!, keyword.Value.GetString()!))
                        problems.Add($"{at} is {value}, which is not of the form {keyword.Value}");
                    break;
                case "format" when value.ValueKind == JsonValueKind.String:
                    var text = value.GetString()!;
                    if (keyword.Value.GetString() switch
                    {
                        "date-time" => !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _),
                        "uuid" => !Guid.TryParseExact(text, "D", out _),
                        var format => throw new NotSupportedException(format),
                    })
                        problems.Add($"{at} is {text}, no {keyword.Value}");
                    break;
                case "minimum" when value.ValueKind == JsonValueKind.Number:
                    if (value.GetDecimal() < keyword.Value.GetDecimal())
                        problems.Add($"{at} is {value}, less than {keyword.Value}");
                    break;
                case "maximum" when value.ValueKind == JsonValueKind.Number:
                    if (value.GetDecimal() > keyword.Value.GetDecimal())
                        problems.Add($"{at} is {value}, more than {keyword.Value}");
                    break;
                case "maxLength" when value.ValueKind == JsonValueKind.String:
                    if (value.GetString()!.Length > keyword.Value.GetInt32())
                        problems.Add($"{at} is too long");
                    break;
                case "maxItems" when value.ValueKind == JsonValueKind.Array:
                    if (value.GetArrayLength() > keyword.Value.GetInt32())
                        problems.Add($"{at} has too many items");
                    break;
                case "required" or "properties" or "additionalProperties" or "items" or "pattern" or "format" or "minimum" or "maximum" or "maxLength" or "maxItems":
                    break; // Of a value of another type.
                case var unknown:
                    throw new NotSupportedException($"The keyword {unknown} is not known to this test.");
            }
        }
    }

    public JsonElement Resolve(string reference) => reference[2..].Split('/').Aggregate(document, (at, name) => at.GetProperty(name));

    static IEnumerable<string> Types(JsonElement types) =>
        types.ValueKind == JsonValueKind.Array ? types.EnumerateArray().Select(one => one.GetString()!) : [types.GetString()!];

    static bool Is(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && decimal.IsInteger(value.GetDecimal()),
        _ => throw new NotSupportedException(type),
    };
}
