using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>One way in, as the scenario drives it. A new surface is one more of these.</summary>
/// <remarks>
/// Every verb answers with JSON in the published shape, or with <c>{"refused":{"code","message","retryable",…}}</c>; null where
/// this way in does not offer the verb.
/// </remarks>
internal interface IDriver : IAsyncDisposable
{
    /// <summary>Entries that stand in its log before the scenario begins.</summary>
    ulong EntriesBefore { get; }

    /// <summary>Declares schemas, whichever way this way in has for that; each is an entry of the log.</summary>
    /// <param name="schemas">As `dbx schema apply` reads them: schemas by aggregate type.</param>
    Task ApplySchemasAsync(string schemas);

    /// <summary>The record.</summary>
    Task<JsonNode?> AppendAsync(Append append);

    /// <summary>The aggregate without its state.</summary>
    Task<JsonNode?> CreateAsync(string type, string id, string? comment);

    /// <summary>An empty object.</summary>
    Task<JsonNode?> RemoveAsync(string type, string id);

    /// <summary><c>aggregate_type</c>, <c>aggregate_id</c>, <c>archived</c>.</summary>
    Task<JsonNode?> ArchiveAsync(string type, string id, string? comment);

    /// <summary>As <see cref="ArchiveAsync"/>.</summary>
    Task<JsonNode?> RestoreAsync(string type, string id, string? comment);

    /// <summary>The aggregate.</summary>
    Task<JsonNode?> GetAsync(string type, string id, ulong? version = null, string? at = null, string? fields = null, bool typed = false);

    /// <summary>The record.</summary>
    Task<JsonNode?> GetEventAsync(string type, string id, ulong version);

    /// <summary>An array of records.</summary>
    Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take);

    /// <summary><c>items</c>, an array of aggregates, and <c>cursor</c>, where there is more.</summary>
    Task<JsonNode?> ListAsync(Listed listed);

    /// <summary><c>merkle_root</c>.</summary>
    Task<JsonNode?> VerifyAsync(string type, string id, bool quick);

    /// <summary><c>events</c>, <c>aggregates</c>, <c>archived</c>.</summary>
    Task<JsonNode?> VerifyAllAsync();

    /// <summary>A receipt, see <see cref="Proven.Receipt"/>.</summary>
    Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size = null);

    /// <summary>A proof between two versions, see <see cref="Proven.Consistency"/>.</summary>
    Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to = null);

    /// <summary>A bundle of these, of one type, see <see cref="Proven.Bundle"/>.</summary>
    Task<JsonNode?> EvidenceAsync(string type, params string[] ids);

    /// <summary><c>lines</c>, <c>appended</c>, <c>known</c>; a refusal has its code only.</summary>
    Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines);
}

internal sealed record Append(string Type, string Id, string Event, string Payload)
{
    /// <summary>Instead of the payload: JSON.</summary>
    public string? Patch { get; init; }

    public string? Note { get; init; }

    public Guid? EventId { get; init; }

    public ulong? ExpectedVersion { get; init; }
}

internal sealed record Listed
{
    public long? Skip { get; init; }

    public int Take { get; init; } = 100;

    public string? Cursor { get; init; }

    public string? Type { get; init; }

    public string? IdPrefix { get; init; }

    public bool? Archived { get; init; }
}
