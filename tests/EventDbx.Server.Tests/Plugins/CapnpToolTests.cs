using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Cap'n Proto's own tool reads what we write, and we read what it writes.</summary>
public sealed class CapnpToolTests
{
    static readonly string Schema = Path.Combine(Checkout.Root, "src", "EventDbx.Protocol", "proto", "plugin.capnp");

    [Fact]
    public async Task Its_tool_decodes_our_frames()
    {
        await Prerequisite.RequireAsync("capnp");
        MessageWriter message = new();

        var init = await DecodeAsync(PluginFrames.WriteInit(message, new("find", "1.0.0", "linux-x86_64")));
        var e = await DecodeAsync(PluginFrames.WriteEvent(message, Frames.Event with { Sequence = 3, SchemaJson = Frames.Utf8("{\"ü\":1}") }));
        var ack = await DecodeAsync(PluginFrames.WriteAck(message, 12));
        var error = await DecodeAsync(PluginFrames.WriteError(message, 13, "no"));

        Same("""{"message":{"init":{"pluginName":"find","version":"1.0.0","target":"linux-x86_64"}}}""", init);
        Same("""
            {"message":{"event":{"sequence":"3","aggregateType":"order","aggregateId":"o-1","eventType":"made","eventVersion":"1","eventId":"e","createdAtEpochMicros":"1700000000000001",
            "payloadJson":"{\"a\":1}","metadataJson":"{}","hash":"h","merkleRoot":"r","stateVersion":"1","stateArchived":true,"stateMerkleRoot":"r","stateEntries":[{"key":"a","value":"1"}],"schemaJson":"{\"ü\":1}"}}}
            """, e);
        Same("""{"message":{"ack":{"sequence":"12"}}}""", ack);
        Same("""{"message":{"error":{"sequence":"13","message":"no"}}}""", error);
    }

    [Fact]
    public async Task We_read_what_its_tool_encodes_in_one_segment_and_in_many()
    {
        await Prerequisite.RequireAsync("capnp");
        var large = new string('x', 40_000);
        var entries = string.Join(',', Enumerable.Range(0, 500).Select(i => $$"""{"key":"k{{i}}","value":"{{i}}"}"""));

        var small = await EncodeAsync("""{"message":{"init":{"pluginName":"find","version":"2","target":"t","transport":"later"}}}""");
        var segments = await EncodeAsync($$$$"""{"message":{"event":{"sequence":"9","aggregateType":"order","payloadJson":"{{{{large}}}}","stateArchived":true,"stateEntries":[{{{{entries}}}}],"schemaJson":"s","extensionsJson":"later"}}}""");

        Assert.Equal(new("find", "2", "t"), Frames.Read(small).Init);
        Assert.True(BitConverter.ToUInt32(segments) > 0, "it has one segment");
        var e = Frames.Read(segments).Event!;
        Assert.Equal((9UL, "order", large, true, "s", 500), (e.Sequence, e.AggregateType, Encoding.UTF8.GetString(e.PayloadJson.Span), e.StateArchived, Encoding.UTF8.GetString(e.SchemaJson.Span), e.StateEntries.Count));
        Assert.Equal("k499", Encoding.UTF8.GetString(e.StateEntries[499].Key.Span));
    }

    [Fact]
    public async Task The_schema_has_the_ids_that_others_have()
    {
        await Prerequisite.RequireAsync("capnp");

        var compiled = Encoding.UTF8.GetString(await Prerequisite.RunAsync("capnp", default, "compile", "-ocapnp", Schema));

        foreach (var id in new[] { "@0xd4b23bfa4df1bcd9", "struct PluginEnvelope @0xe27d08f7f524d030", "struct PluginEvent @0x9516a9911c36711c" })
            Assert.Contains(id, compiled, StringComparison.Ordinal);
        Assert.Contains("40 bytes, 12 ptrs", compiled, StringComparison.Ordinal);
    }

    static async Task<string> DecodeAsync(ReadOnlyMemory<byte> frame) => Encoding.UTF8.GetString(await Prerequisite.RunAsync("capnp", frame, "convert", "binary:json", Schema, "PluginEnvelope"));

    static Task<byte[]> EncodeAsync(string json) => Prerequisite.RunAsync("capnp", Encoding.UTF8.GetBytes(json), "convert", "json:binary", Schema, "PluginEnvelope");

    static void Same(string expected, string actual) => Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonNode.Parse(actual)), actual);
}
