using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

/// <summary>The audit.</summary>
internal sealed partial class ServerStore
{
    public Task<AuditPage> ReadAuditAsync(ulong after, int take, AuditFilter filter, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Get,
        new Query("/admin/audit")
            .With("after", after).With("take", (ulong)take)
            .With("kind", filter.Kinds.Count == 0 ? null : string.Join(',', filter.Kinds))
            .With("subject", filter.Subject).With("group", filter.Group).With("user", filter.User)
            .With("since", filter.Since?.ToString()).With("until", filter.Until?.ToString())
            .ToString(),
        null, again: true,
        (json, _) => new AuditPage(
            [.. json.GetProperty("items").EnumerateArray().Select(Wire.ReadAudit)], json.GetProperty("after").GetUInt64(), json.GetProperty("end").GetBoolean()),
        cancellation);
}
