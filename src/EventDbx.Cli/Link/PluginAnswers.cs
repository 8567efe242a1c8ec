using System.Runtime.InteropServices;
using System.Text.Json;

namespace EventDbx.Cli;

/// <summary>A plugin as lists have it.</summary>
/// <param name="Name">Null in documents of older versions.</param>
/// <param name="Kind">By what it is reached: <c>tcp</c>, <c>http</c>, <c>grpc</c>, <c>log</c>, <c>process</c>.</param>
/// <param name="Enabled">Whether it gets events.</param>
/// <param name="State">What it is doing: <c>disabled</c>, <c>stopped</c>, <c>running</c>, <c>down</c>.</param>
/// <param name="Position">Everything up to here was taken, waits or is dead; null: it never was enabled.</param>
/// <param name="Lag">Entries of the log behind that.</param>
/// <param name="Waiting">Aggregates that wait.</param>
/// <param name="Dead">Events that are given up.</param>
/// <param name="LastError">Why it is down, or what it refused last.</param>
/// <param name="NextAttemptAt">When it is tried again, where it is down.</param>
/// <param name="Json">All of it.</param>
internal sealed record PluginEntry(
    string? Name, string Kind, bool Enabled, string State, ulong? Position, ulong Lag, long Waiting, long Dead, string? LastError, string? NextAttemptAt, ReadOnlyMemory<byte> Json)
{
    /// <summary>As lines name it: <c>http (hook)</c>.</summary>
    public string Label => PluginAnswers.LabelOf(Kind, Name);
}

/// <summary>How one plugin took the sample event.</summary>
/// <param name="Name">Which.</param>
/// <param name="Kind">By what it is reached.</param>
/// <param name="Failure">Null: it took it.</param>
/// <param name="Json">All of it.</param>
internal sealed record PluginTest(string? Name, string Kind, string? Failure, ReadOnlyMemory<byte> Json);

/// <summary>How far a replay is.</summary>
/// <param name="Type">Of the aggregate.</param>
/// <param name="Id">The same.</param>
/// <param name="Version">Up to which it was sent.</param>
/// <param name="Done">Whether that was the last one of it.</param>
internal sealed record ReplayProgress(string Type, string Id, ulong Version, bool Done);

/// <summary>An event that waits or is dead.</summary>
/// <param name="EventId">Which.</param>
/// <param name="Aggregate">Of which aggregate: <c>order::o-1</c>.</param>
/// <param name="EventType">Of which type.</param>
/// <param name="Attempts">How often it was refused.</param>
/// <param name="Plugin">By which plugin.</param>
/// <param name="LastError">What that said last.</param>
/// <param name="NextAttemptAt">When it is tried again; null for one that is dead, or held.</param>
/// <param name="Held">It is given up, and holds its aggregate all the same.</param>
internal sealed record QueueEntry(string EventId, string Aggregate, string EventType, ulong Attempts, string Plugin, string LastError, string? NextAttemptAt, bool Held);

/// <summary>What waits and what is dead.</summary>
/// <param name="Pending">How many wait.</param>
/// <param name="Dead">How many are dead.</param>
/// <param name="PendingEvents">The first of those.</param>
/// <param name="DeadEvents">The same.</param>
/// <param name="Json">All of it.</param>
internal sealed record QueueListing(long Pending, long Dead, IReadOnlyList<QueueEntry> PendingEvents, IReadOnlyList<QueueEntry> DeadEvents, ReadOnlyMemory<byte> Json);

/// <summary>What became of a dead event that was tried again.</summary>
/// <param name="Entry">Which.</param>
/// <param name="Failure">Null: it was taken, or is gone.</param>
/// <param name="Gone">There is no such event any more.</param>
/// <param name="Json">All of it.</param>
internal sealed record RetryOutcome(QueueEntry Entry, string? Failure, bool Gone, ReadOnlyMemory<byte> Json);

/// <summary>Reads what docs/rest.md says of plugins and of the queue.</summary>
internal static class PluginAnswers
{
    /// <summary>As lines name a plugin: <c>http (hook)</c>, or <c>http</c> for one without a name.</summary>
    public static string LabelOf(string kind, string? name) => name is null ? kind : $"{kind} ({name})";

    public static PluginEntry ReadPlugin(JsonElement json) => new(
        json.GetProperty("name").GetString(), KindOf(json), json.GetProperty("enabled").GetBoolean(), json.GetProperty("state").GetString()!,
        json.GetProperty("position") is { ValueKind: JsonValueKind.Number } position ? position.GetUInt64() : null,
        json.GetProperty("lag").GetUInt64(), json.GetProperty("waiting").GetInt64(), json.GetProperty("dead").GetInt64(),
        json.GetProperty("last_error").GetString(), json.GetProperty("next_attempt_at").GetString(), Raw(json));

    public static (ReadOnlyMemory<byte> Json, bool Changed) ReadChanged(JsonElement json) => (Raw(json), json.GetProperty("changed").GetBoolean());

    public static PluginTest ReadTest(JsonElement json) => new(
        json.GetProperty("plugin").GetString(), json.GetProperty("type").GetString()!, json.GetProperty("failure").GetString(), Raw(json));

    public static ReplayProgress ReadReplay(JsonElement json) => new(
        json.GetProperty("aggregate_type").GetString()!, json.GetProperty("aggregate_id").GetString()!, json.GetProperty("version").GetUInt64(), json.GetProperty("done").GetBoolean());

    public static QueueListing ReadQueue(JsonElement json) => new(
        json.GetProperty("pending").GetInt64(), json.GetProperty("dead").GetInt64(),
        [.. json.GetProperty("pending_events").EnumerateArray().Select(ReadEntry)], [.. json.GetProperty("dead_events").EnumerateArray().Select(ReadEntry)], Raw(json));

    public static RetryOutcome ReadRetry(JsonElement json) => new(
        ReadEntry(json), json.GetProperty("failure").GetString(), json.GetProperty("gone").GetBoolean(), Raw(json));

    /// <summary>The text of an answer, to be printed.</summary>
    public static ReadOnlyMemory<byte> Raw(JsonElement json) => JsonMarshal.GetRawUtf8Value(json).ToArray();

    static QueueEntry ReadEntry(JsonElement json) => new(
        json.GetProperty("event_id").GetString()!,
        $"{json.GetProperty("aggregate_type").GetString()}::{json.GetProperty("aggregate_id").GetString()}",
        json.GetProperty("event_type").GetString()!,
        json.GetProperty("attempts").GetUInt64(),
        json.GetProperty("plugin").GetString()!,
        json.GetProperty("last_error").GetString()!,
        json.TryGetProperty("next_attempt_at", out var next) ? next.GetString() : null,
        json.TryGetProperty("held", out var held) && held.GetBoolean());

    static string KindOf(JsonElement json) => json.GetProperty("config").GetProperty("type").GetString()!;
}
