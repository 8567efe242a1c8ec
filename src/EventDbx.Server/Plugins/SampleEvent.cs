using EventDbx.Integrity;

namespace EventDbx.Server.Plugins;

/// <summary>The event that <c>plugin test</c> sends: the published one, of an aggregate that need not exist.</summary>
internal static class SampleEvent
{
    static readonly byte[] s_payload = """{"status":"inactive","comment":"Archived via API"}"""u8.ToArray();

    /// <summary>The published text shortens its hashes to <c>cafe…</c> and <c>deadbeef…</c>; these are as long as a hash is. Its position is 0, which no event of the log has.</summary>
    public static EventRecord Record { get; } = new()
    {
        Aggregate = AggregateKey.Create("patient", "p-001"), EventType = "patient-updated", Payload = s_payload,
        EventId = new("45c3013e-9b95-4ed0-9af9-1a465f81d3cf"), CreatedAt = Timestamp.From(new DateTimeOffset(2024, 12, 1, 17, 22, 43, 512, 345, TimeSpan.Zero)),
        Actor = new("admin", "jane"), Version = 5, Position = 0, Hash = Repeated(0xCAFE_CAFE), MerkleRoot = Repeated(0xDEAD_BEEF),
    };

    static AggregateState State { get; } = new AggregateState
    {
        Aggregate = Record.Aggregate, Version = Record.Version, MerkleRoot = Record.MerkleRoot, Archived = false, CreatedAt = Record.CreatedAt, UpdatedAt = Record.CreatedAt,
    }.With(s_payload);

    public static Delivery Prepare() => new(Record, static () => State, static () => default);

    static Hash32 Repeated(uint word)
    {
        var quarter = ((ulong)word << 32) | word;
        return new(new(quarter, quarter), new(quarter, quarter));
    }
}
