using System.Text.Json;
using EventDbx.Verification;

namespace EventDbx.Cli;

/// <summary>Verify of everything, by the server.</summary>
internal sealed partial class ServerStore
{
    public async Task<VerifyAllResult> VerifyAllAsync(bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        await foreach (var line in server.LinesAsync(HttpMethod.Post, resume ? "/v1/verify?resume=true" : "/v1/verify", cancellation).ConfigureAwait(false))
        {
            using (line)
            {
                var json = line.RootElement;
                if (json.TryGetProperty("error", out var error))
                    throw ServerConnection.Refused(error);
                if (json.TryGetProperty("result", out var result))
                    return VerifyAll(result);
                if (Phase(json.GetProperty("phase").GetString()) is { } phase)
                    progress?.Report(new(phase, json.GetProperty("done").GetUInt64(), json.GetProperty("total").GetUInt64()) { Interrupted = Earlier(json, "interrupted") });
            }
        }

        throw new ServerLostException("The server went away before the verification ended.", new EndOfStreamException("The answer ends without a result."));
    }

    static VerifyPhase? Phase(string? name) => name switch
    {
        "files" => VerifyPhase.Files,
        "log" => VerifyPhase.Log,
        "aggregates" => VerifyPhase.Aggregates,
        _ => null,
    };

    static VerifyAllResult VerifyAll(JsonElement json)
    {
        return new()
        {
            LogSize = Number("log_size"),
            LogRoot = Hash(json, "log_root"),
            Events = Number("events"),
            ControlEntries = Number("control_entries"),
            Aggregates = Number("aggregates"),
            Archived = Number("archived"),
            ClientIds = Number("client_ids"),
            FoldPoints = Number("fold_points"),
            Snapshots = Number("snapshots"),
            Tiles = Number("tiles"),
            WatermarkSize = json.TryGetProperty("watermark_size", out var size) && size.ValueKind == JsonValueKind.Number ? size.GetUInt64() : null,
            PayloadsChecked = json.GetProperty("payloads_checked").GetBoolean(),
            Checkpoints = Number("checkpoints"),
            // A server of an older version has none.
            CheckpointsOfLostEntries = json.TryGetProperty("checkpoints_of_lost_entries", out var lost) ? lost.GetUInt64() : 0,
            CheckpointSignaturesChecked = json.GetProperty("checkpoint_signatures_checked").GetBoolean(),
            NewestCheckpoint = !json.TryGetProperty("newest_checkpoint", out var newest) ? null
                : new(newest.GetProperty("origin").GetString()!, newest.GetProperty("size").GetUInt64(), Hash(newest, "root")),
            Resumed = Earlier(json, "resumed"),
            Elapsed = TimeSpan.FromSeconds(json.GetProperty("seconds").GetDouble()),
        };

        ulong Number(string name) => json.GetProperty(name).GetUInt64();
    }

    static EarlierVerify? Earlier(JsonElement json, string name) => !json.TryGetProperty(name, out var earlier) ? null : new()
    {
        StartedAt = Time(earlier, "started_at"),
        SavedAt = Time(earlier, "saved_at"),
        LogSize = earlier.GetProperty("log_size").GetUInt64(),
        LogRoot = Hash(earlier, "log_root"),
        Last = AggregateKey.Create(earlier.GetProperty("aggregate_type").GetString()!, earlier.GetProperty("aggregate_id").GetString()!),
        Aggregates = earlier.GetProperty("aggregates").GetUInt64(),
        Events = earlier.GetProperty("events").GetUInt64(),
    };

    static Timestamp Time(JsonElement json, string name) => Timestamp.TryParse(json.GetProperty(name).GetString()!, out var time, out _)
        ? time : throw new FormatException($"`{name}` is no time.");
}
