namespace EventDbx.Server.GraphQL;

/// <summary>JSON as it was sent, or as it goes out: bytes that nobody reads again on the way, so <c>1.50</c> and thirty digits stay what they are.</summary>
/// <param name="Text">One value, UTF-8.</param>
internal sealed record RawJson(ReadOnlyMemory<byte> Text)
{
    public static RawJson Null { get; } = new("null"u8.ToArray());
}
