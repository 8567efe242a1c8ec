using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>Proofs as every way in must give them: without what depends on the length of the log and on keys, which differ.</summary>
internal static class Proven
{
    /// <summary><c>record</c>, <c>prev_root</c>, and <c>size</c> and <c>root</c> of its tree.</summary>
    public static void Receipt(JsonNode answer)
    {
        var receipt = (JsonObject)answer;
        Assert.Equal("eventdbx-receipt/1", receipt["format"]!.GetValue<string>());
        Assert.StartsWith("c2sp.org/tlog-proof@v1\nindex ", receipt["log_proof"]!.GetValue<string>(), StringComparison.Ordinal);
        receipt.Remove("log_proof");
        Record(receipt["record"]!);
        ((JsonObject)receipt["aggregate_proof"]!).Remove("path");
    }

    /// <summary>Names, and both versions with their roots.</summary>
    public static void Consistency(JsonNode answer)
    {
        Assert.Equal("eventdbx-aggregate-consistency/1", answer["format"]!.GetValue<string>());
        ((JsonObject)answer).Remove("path");
    }

    /// <summary>An array of its lines, of the first one only its scope.</summary>
    public static JsonArray Bundle(string ndjson)
    {
        var lines = ndjson.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => (JsonObject)JsonNode.Parse(line)!).ToList();
        Assert.Equal("eventdbx-evidence/1", lines[0]["format"]!.GetValue<string>());
        foreach (var member in (string[])["key", "checkpoint"])
            Assert.True(lines[0].Remove(member), ndjson);
        foreach (var line in lines.Where(line => line["record"] is not null))
        {
            Assert.True(line.Remove("path"));
            Record(line["record"]!);
        }

        return [.. lines];
    }

    static void Record(JsonNode record) => Assert.True(((JsonObject)record["metadata"]!).Remove("salt"), record.ToJsonString());
}
