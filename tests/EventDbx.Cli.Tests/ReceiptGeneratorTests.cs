using System.Security.Cryptography;
using System.Text.Json;

namespace EventDbx.Cli.Tests;

public sealed class ReceiptGeneratorTests
{
    [Fact]
    public void The_same_seed_makes_the_same_bytes()
    {
        Assert.Equal(Made(7, 50, 300), Made(7, 50, 300));
        Assert.NotEqual(Made(7, 50, 300), Made(8, 50, 300));

        // Kept, so that runs on different machines and days can be compared.
        Assert.StartsWith("0201679d88df08e1695ef06c5e0033da901def39bc3b07c27b", Convert.ToHexStringLower(SHA256.HashData(Made(1, 1434, 8577))), StringComparison.Ordinal);
    }

    [Theory, InlineData(1, 1), InlineData(1, 40), InlineData(30, 30), InlineData(200, 1200)]
    public void There_are_as_many_events_and_cases_as_asked_for_and_each_begins_with_its_receipt(int aggregates, int events)
    {
        var requests = Lines(Made(3, aggregates, events));
        HashSet<string> seen = [];

        Assert.Equal(events, requests.Count);
        foreach (var request in requests)
        {
            var payload = request.GetProperty("payload");
            var first = seen.Add(request.GetProperty("aggregate_id").GetString()!);
            Assert.Equal(first, payload.TryGetProperty("channel", out _));
            Assert.Equal(JsonValueKind.Object, payload.GetProperty("activity").ValueKind);
            Assert.Equal("permit", request.GetProperty("aggregate_type").GetString());
        }

        Assert.Equal(aggregates, seen.Count);
    }

    [Fact]
    public void Requests_have_the_members_of_real_receipts()
    {
        var real = Checkout.SharedData("receipt/events.ndjson");
        Assert.SkipWhen(real is null, "receipt/events.ndjson is not beside the checkout.");

        Assert.Equal(Shapes(File.ReadAllBytes(real!)), Shapes(Made(1, 1434, 8577)));
    }

    static SortedSet<string> Shapes(byte[] ndjson) =>
        [.. Lines(ndjson).Select(request => string.Join(' ', request.EnumerateObject().Select(m => m.Name)) + " | "
            + string.Join(' ', request.GetProperty("payload").EnumerateObject().Select(m => $"{m.Name}:{m.Value.ValueKind}")))];

    static List<JsonElement> Lines(byte[] ndjson) =>
        [.. System.Text.Encoding.UTF8.GetString(ndjson).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    static byte[] Made(int seed, int aggregates, int events)
    {
        using var target = new MemoryStream();
        new ReceiptGenerator(seed, aggregates, events).Write(target);
        return target.ToArray();
    }
}
