using System.Globalization;

namespace EventDbx.Tests.Engine;

/// <summary>What a call answered, as something that can be compared: payloads and salts by their bytes.</summary>
internal static class Answers
{
    /// <summary>Every member of a record, as text.</summary>
    public static string Text(this EventRecord record) => string.Create(CultureInfo.InvariantCulture,
        $"{record.Aggregate} v{record.Version} @{record.Position} {record.EventType} {record.EventId} {record.CreatedAt} "
        + $"{record.Actor?.Group}:{record.Actor?.User} note={record.Note ?? "∅"} {Encoding.UTF8.GetString(record.Payload.Span)} "
        + $"hash={record.Hash} root={record.MerkleRoot} salt={Convert.ToHexString(record.Salt.Span)}");

    /// <summary>The refusal a call ends with.</summary>
    public static async Task<Refusal> RefusalOf(Task call) =>
        (await Assert.ThrowsAsync<RefusedException>(() => call.WaitAsync(TimeSpan.FromSeconds(60)))).Refusal;

    /// <summary>The refusal a call ends with.</summary>
    public static Refusal RefusalOf(Action call) => Assert.Throws<RefusedException>(call).Refusal;
}
