using System.Buffers;
using System.Globalization;
using EventDbx.Verification;

namespace EventDbx.Server.Rest;

/// <summary>What trusts nothing: one aggregate, or everything.</summary>
internal static class VerifyRoutes
{
    public static async Task OneAsync(RestCall call)
    {
        var level = call.Query.Text("level") switch
        {
            null or "full" => VerifyLevel.Full,
            "quick" => VerifyLevel.Quick,
            var text => throw QueryParameters.Refused("level", text, "full or quick"),
        };
        call.WatchToken();
        var result = await call.Session.VerifyAsync(call.Aggregate, level, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, result, WriteOne).ConfigureAwait(false);
    }

    /// <summary>Lines of progress while it goes on, then one line with its end. Begins to answer at once, so its status says nothing of what it finds.</summary>
    public static async Task AllAsync(RestCall call)
    {
        var progress = new Latest();
        call.WatchToken();
        var verifying = call.Session.VerifyAllAsync(progress, call.Cancellation, call.Query.Truth("resume") ?? false);
        if (verifying.IsFaulted)
            await verifying.ConfigureAwait(false); // Not allowed: that is an answer of its own.
        using var answer = new Answer(call.Http) { ContentType = Answer.JsonLines, Cancellation = call.Cancellation };
        await answer.SendAsync().ConfigureAwait(false);
        using var timer = new PeriodicTimer(ServerLimits.ProgressInterval, call.Clock);
        try
        {
            while (!verifying.IsCompleted)
            {
                var tick = timer.WaitForNextTickAsync(call.Cancellation).AsTask();
                await Task.WhenAny(verifying, tick).ConfigureAwait(false);
                if (progress.Take() is { } now)
                    WriteProgress(answer.Output, now);
                await answer.SendAsync().ConfigureAwait(false);
                if (!verifying.IsCompleted)
                    await tick.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (call.Withdrawn is not null)
        {
            // The verification ends for the same reason, and the last line says so.
        }
        finally
        {
            // It reads a view of the store: nobody leaves before it has ended.
            await ((Task)verifying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        answer.Cancellation = call.Http.RequestAborted;
        if (call.Withdrawn is { } withdrawn)
            WriteError(answer, withdrawn);
        else
            await WriteEndAsync(answer, verifying).ConfigureAwait(false);
        await answer.EndAsync().ConfigureAwait(false);
    }

    static async Task WriteEndAsync(Answer answer, Task<VerifyAllResult> verified)
    {
        try
        {
            WriteAll(answer.Output, await verified.ConfigureAwait(false));
        }
        catch (RefusedException refused)
        {
            WriteError(answer, refused);
        }
    }

    static void WriteError(Answer answer, RefusedException refused)
    {
        answer.Output.Write("{\"error\":"u8);
        RestRefusals.Write(answer.Output, refused.Refusal);
        answer.Output.Write("}\n"u8);
    }

    static void WriteOne(IBufferWriter<byte> output, VerifyResult result)
    {
        output.Write("{\"merkle_root\":\""u8);
        output.Write(Encoding.ASCII.GetBytes(result.MerkleRoot.ToString()));
        output.Write("\",\"version\":"u8);
        RecordJson.WriteNumber(output, result.Version);
        output.Write(result.Archived ? ",\"archived\":true"u8 : ",\"archived\":false"u8);
        output.Write(",\"events_checked\":"u8);
        RecordJson.WriteNumber(output, result.EventsChecked);
        output.Write("}"u8);
    }

    static void WriteProgress(IBufferWriter<byte> output, VerifyProgress progress)
    {
        output.Write(progress.Phase switch
        {
            VerifyPhase.Files => "{\"phase\":\"files\",\"done\":"u8,
            VerifyPhase.Log => "{\"phase\":\"log\",\"done\":"u8,
            VerifyPhase.Aggregates => "{\"phase\":\"aggregates\",\"done\":"u8,
        });
        RecordJson.WriteNumber(output, progress.Done);
        output.Write(",\"total\":"u8);
        RecordJson.WriteNumber(output, progress.Total);
        if (progress.Interrupted is { } earlier)
            WriteEarlier(output, ",\"interrupted\":"u8, earlier);
        output.Write("}\n"u8);
    }

    /// <summary>The members of <c>dbx verify --all --json</c>, on one line.</summary>
    static void WriteAll(IBufferWriter<byte> output, VerifyAllResult result)
    {
        output.Write("{\"result\":{\"log_size\":"u8);
        RecordJson.WriteNumber(output, result.LogSize);
        output.Write(",\"log_root\":\""u8);
        output.Write(Encoding.ASCII.GetBytes(result.LogRoot.ToString()));
        output.Write("\""u8);
        Member(output, ",\"events\":"u8, result.Events);
        Member(output, ",\"control_entries\":"u8, result.ControlEntries);
        Member(output, ",\"aggregates\":"u8, result.Aggregates);
        Member(output, ",\"archived\":"u8, result.Archived);
        Member(output, ",\"client_ids\":"u8, result.ClientIds);
        Member(output, ",\"fold_points\":"u8, result.FoldPoints);
        Member(output, ",\"snapshots\":"u8, result.Snapshots);
        Member(output, ",\"tiles\":"u8, result.Tiles);
        output.Write(result.PayloadsChecked ? ",\"payloads_checked\":true"u8 : ",\"payloads_checked\":false"u8);
        Member(output, ",\"checkpoints\":"u8, result.Checkpoints);
        Member(output, ",\"checkpoints_of_lost_entries\":"u8, result.CheckpointsOfLostEntries);
        output.Write(result.CheckpointSignaturesChecked ? ",\"checkpoint_signatures_checked\":true"u8 : ",\"checkpoint_signatures_checked\":false"u8);
        if (result.NewestCheckpoint is { } newest)
        {
            output.Write(",\"newest_checkpoint\":{\"origin\":"u8);
            RecordJson.WriteText(output, newest.Origin);
            Member(output, ",\"size\":"u8, newest.Size);
            output.Write(",\"root\":"u8);
            RecordJson.WriteText(output, newest.Root.ToString());
            output.Write("}"u8);
        }

        if (result.WatermarkSize is { } size)
            Member(output, ",\"watermark_size\":"u8, size);
        if (result.Resumed is { } earlier)
            WriteEarlier(output, ",\"resumed\":"u8, earlier);
        output.Write(",\"seconds\":"u8);
        output.Write(Encoding.ASCII.GetBytes(Math.Round(result.Elapsed.TotalSeconds, 3).ToString("R", CultureInfo.InvariantCulture)));
        output.Write("}}\n"u8);
    }

    static void WriteEarlier(IBufferWriter<byte> output, ReadOnlySpan<byte> name, EarlierVerify earlier)
    {
        output.Write(name);
        output.Write("{\"started_at\":"u8);
        RecordJson.WriteText(output, earlier.StartedAt.ToString());
        output.Write(",\"saved_at\":"u8);
        RecordJson.WriteText(output, earlier.SavedAt.ToString());
        Member(output, ",\"log_size\":"u8, earlier.LogSize);
        output.Write(",\"log_root\":"u8);
        RecordJson.WriteText(output, earlier.LogRoot.ToString());
        output.Write(",\"aggregate_type\":"u8);
        RecordJson.WriteText(output, earlier.Last.Type);
        output.Write(",\"aggregate_id\":"u8);
        RecordJson.WriteText(output, earlier.Last.Id);
        Member(output, ",\"aggregates\":"u8, earlier.Aggregates);
        Member(output, ",\"events\":"u8, earlier.Events);
        output.Write("}"u8);
    }

    static void Member(IBufferWriter<byte> output, ReadOnlySpan<byte> name, ulong number)
    {
        output.Write(name);
        RecordJson.WriteNumber(output, number);
    }

    /// <summary>The newest progress; what nobody took in time is not told.</summary>
    sealed class Latest : IProgress<VerifyProgress>
    {
        readonly Lock _lock = new();
        VerifyProgress? _latest;

        public void Report(VerifyProgress value)
        {
            lock (_lock)
                _latest = value;
        }

        public VerifyProgress? Take()
        {
            lock (_lock)
            {
                var taken = _latest;
                _latest = null;
                return taken;
            }
        }
    }
}
