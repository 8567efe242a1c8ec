namespace EventDbx.Encryption;

/// <summary>What a sealed value is for. Each purpose has its own key, so that a value of one never opens as another.</summary>
internal enum Purpose : byte
{
    /// <summary>An aggregate key, wrapped with the data key. No place.</summary>
    Key = 1,

    /// <summary>Salt and payload of one event. Place: the 16 bytes of the event id.</summary>
    Body = 2,

    /// <summary>State: all fields or one. Place: <c>state</c>, a field's tag, or <c>archive</c>.</summary>
    State = 3,

    /// <summary>A snapshot or fold point. Place: the version, u64 big-endian.</summary>
    Snapshot = 4,

    /// <summary>A document beside the log, under the data key itself. Place: its revision, u64 big-endian; its name stands where the id does.</summary>
    Document = 5,

    /// <summary>While the data key is being replaced: the one key under the other. Place: the 16 bytes of the database id.</summary>
    Rotation = 6,

    /// <summary>What a plugin answered when it refused an event. Place: the event's position in the log, u64 big-endian.</summary>
    Delivery = 7,
}

internal static class Purposes
{
    /// <summary>The name as it enters key derivation and associated data: UTF-8.</summary>
    public static ReadOnlySpan<byte> NameOf(Purpose purpose) => purpose switch
    {
        Purpose.Key => "key"u8,
        Purpose.Body => "body"u8,
        Purpose.State => "state"u8,
        Purpose.Snapshot => "snapshot"u8,
        Purpose.Document => "document"u8,
        Purpose.Rotation => "rotation"u8,
        Purpose.Delivery => "delivery"u8,
    };
}
