using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>What a scenario saw, in a form in which two runs can be compared.</summary>
/// <remarks>
/// Members are sorted. Hashes and times differ between runs, for salts and clocks do; each is named by the order in which it
/// appears, so that two runs agree when the same hash appears in the same places. Positions count from the scenario's first entry.
/// </remarks>
internal sealed class Transcript(ulong entriesBefore)
{
    static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 200 };

    readonly Dictionary<string, string> _names = [];

    /// <summary>A line for each step; null where the verb is not offered.</summary>
    public List<string?> Lines { get; } = [];

    /// <summary>The steps whose verb is not offered.</summary>
    public List<string> LeftOut { get; } = [];

    public JsonNode? Note(string step, JsonNode? answer)
    {
        if (answer is null)
            LeftOut.Add(step);
        Lines.Add(answer is null ? null : $"{step}: {Normal(answer, "")!.ToJsonString(Plain)}");
        return answer;
    }

    JsonNode? Normal(JsonNode? node, string member) => node switch
    {
        JsonObject members => new JsonObject(members.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Key, Normal(m.Value, m.Key)))),
        JsonArray items => new JsonArray([.. items.Select(item => Normal(item, member))]),
        _ when member is "hash" or "merkle_root" or "root" or "prev_root" or "created_at" => Named(member is "created_at" ? "time" : "hash", node!.GetValue<string>()),
        _ when member is "cursor" => node is null ? null : "more",
        _ when member is "position" => node!.GetValue<ulong>() - entriesBefore,
        _ => node?.DeepClone(),
    };

    string Named(string kind, string text)
    {
        if (!_names.TryGetValue(text, out var name))
            _names[text] = name = $"{kind} {_names.Count}";
        return name;
    }
}
