using System.Text;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Messages for tests.</summary>
internal static class Frames
{
    /// <summary>The vector of the specification: an event.</summary>
    public static readonly byte[] EventVector = Bytes("""
        00 00 00 00 22 00 00 00 00 00 00 00 01 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 05 00 0b 00
        00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 40 1e 18 24 0a 06 00 01 00 00 00 00 00 00 00
        01 00 00 00 00 00 00 00 29 00 00 00 32 00 00 00 29 00 00 00 22 00 00 00 29 00 00 00 2a 00 00 00
        29 00 00 00 12 00 00 00 29 00 00 00 42 00 00 00 29 00 00 00 1a 00 00 00 29 00 00 00 12 00 00 00
        29 00 00 00 12 00 00 00 29 00 00 00 12 00 00 00 29 00 00 00 17 00 00 00 39 00 00 00 0a 00 00 00
        6f 72 64 65 72 00 00 00 6f 2d 31 00 00 00 00 00 6d 61 64 65 00 00 00 00 65 00 00 00 00 00 00 00
        7b 22 61 22 3a 31 7d 00 7b 7d 00 00 00 00 00 00 68 00 00 00 00 00 00 00 72 00 00 00 00 00 00 00
        72 00 00 00 00 00 00 00 04 00 00 00 00 00 02 00 05 00 00 00 12 00 00 00 05 00 00 00 12 00 00 00
        61 00 00 00 00 00 00 00 31 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        """);

    /// <summary>The vector of the specification: init.</summary>
    public static readonly byte[] InitVector = Bytes("""
        00 00 00 00 0a 00 00 00 00 00 00 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 03 00
        09 00 00 00 2a 00 00 00 09 00 00 00 32 00 00 00 09 00 00 00 6a 00 00 00 66 69 6e 64 00 00 00 00
        31 2e 30 2e 30 00 00 00 6c 69 6e 75 78 2d 78 38 36 5f 36 34 00 00 00 00
        """);

    /// <summary>What that event says.</summary>
    public static readonly PluginEvent Event = new()
    {
        Sequence = 0, AggregateType = "order", AggregateId = "o-1", EventType = "made", EventVersion = 1, EventId = "e", CreatedAtEpochMicros = 1_700_000_000_000_001,
        PayloadJson = Utf8("{\"a\":1}"), MetadataJson = Utf8("{}"), Hash = "h", MerkleRoot = "r",
        StateVersion = 1, StateArchived = true, StateMerkleRoot = "r", StateEntries = [(Utf8("a"), Utf8("1"))], SchemaJson = Utf8(""),
    };

    public static byte[] Bytes(string hex) => Convert.FromHexString(string.Concat(hex.Where(char.IsAsciiHexDigit)));

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A message of segments of words.</summary>
    public static byte[] Of(params ulong[][] segments)
    {
        using MemoryStream frame = new();
        using BinaryWriter writer = new(frame);
        writer.Write(segments.Length - 1);
        foreach (var segment in segments)
            writer.Write(segment.Length);
        if (segments.Length % 2 == 0)
            writer.Write(0);
        foreach (var word in segments.SelectMany(segment => segment))
            writer.Write(word);
        return frame.ToArray();
    }

    public static PluginMessage Read(ReadOnlyMemory<byte> frame) => PluginFrames.Read(MessageReader.Read(frame));

    /// <summary>Both say the same.</summary>
    public static void AssertSame(PluginEvent expected, PluginEvent actual)
    {
        Assert.Equal(expected with { PayloadJson = default, MetadataJson = default, SchemaJson = default, StateEntries = [] }, actual with { PayloadJson = default, MetadataJson = default, SchemaJson = default, StateEntries = [] });
        Assert.Equal(expected.PayloadJson.ToArray(), actual.PayloadJson.ToArray());
        Assert.Equal(expected.MetadataJson.ToArray(), actual.MetadataJson.ToArray());
        Assert.Equal(expected.SchemaJson.ToArray(), actual.SchemaJson.ToArray());
        Assert.Equal(Texts(expected), Texts(actual));
    }

    static string[] Texts(PluginEvent e) => [.. e.StateEntries.Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Span)}={Encoding.UTF8.GetString(entry.Value.Span)}")];
}
