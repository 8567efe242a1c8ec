using System.Buffers;
using System.Net;
using System.Text.Json;
using EventDbx.Encryption;

namespace EventDbx.Server.Rest;

/// <summary>The data key: replaced while the server runs.</summary>
internal static class KeyRoutes
{
    static readonly string[] Members = ["new_key"];

    /// <summary>What tells the data key from another one, and which configuration this server was started with: so that a rotation replaces the key of this store, where it is kept.</summary>
    public static Task IdentityAsync(RestCall call) =>
        Answer.OneAsync(call.Http, (Key: call.Session.FindKeyIdentity(), call.Host.Admin.Settings.File), static (output, found) =>
        {
            output.Write("{\"database_id\":"u8);
            RecordJson.WriteText(output, found.Key.DatabaseId.ToString());
            output.Write(",\"key_check\":"u8);
            RecordJson.WriteText(output, Convert.ToHexStringLower(found.Key.KeyCheck.Span));
            output.Write(",\"next_key_check\":"u8);
            RecordJson.WriteText(output, Convert.ToHexStringLower(found.Key.NextCheck.Span));
            output.Write(",\"config_file\":"u8);
            if (found.File is { } file)
                RecordJson.WriteText(output, file.Path);
            else
                output.Write("null"u8);
            output.Write("}"u8);
        });

    /// <summary>Lines of progress while it goes on, then one line with its end, as with <c>POST /v1/verify</c>.</summary>
    public static async Task RotateAsync(RestCall call)
    {
        DemandPrivacy(call);
        using var next = RequestJson.Read(call.Body, ReadKey);
        var progress = new Latest();
        call.WatchToken();
        var rotating = call.Session.RotateKeyAsync(next, progress, call.Cancellation);
        if (rotating.IsFaulted)
            await rotating.ConfigureAwait(false); // Not allowed: that is an answer of its own.
        using var answer = new Answer(call.Http) { ContentType = Answer.JsonLines, Cancellation = call.Cancellation };
        await answer.SendAsync().ConfigureAwait(false);
        using var timer = new PeriodicTimer(ServerLimits.ProgressInterval, call.Clock);
        try
        {
            while (!rotating.IsCompleted)
            {
                var tick = timer.WaitForNextTickAsync(call.Cancellation).AsTask();
                await Task.WhenAny(rotating, tick).ConfigureAwait(false);
                if (progress.Take() is { } now)
                    WriteProgress(answer.Output, now);
                await answer.SendAsync().ConfigureAwait(false);
                if (!rotating.IsCompleted)
                    await tick.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (call.Withdrawn is not null)
        {
            // The rotation stops for the same reason, between two batches; the last line says so.
        }
        finally
        {
            // It writes to the store: nobody leaves before it has ended.
            await ((Task)rotating).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        answer.Cancellation = call.Http.RequestAborted;
        // What has come to its end in spite of it is told as it is.
        if (call.Withdrawn is { } withdrawn && !rotating.IsCompletedSuccessfully)
            WriteError(answer.Output, withdrawn.Refusal);
        else
            await WriteEndAsync(answer, rotating).ConfigureAwait(false);
        await answer.EndAsync().ConfigureAwait(false);
    }

    /// <summary>The key of everything does not travel where others could read along.</summary>
    static void DemandPrivacy(RestCall call)
    {
        var connection = call.Http.Connection;
        if (call.Http.Features.Get<Arrival>()?.OwnerOnly == true || call.Http.Request.IsHttps || (connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)))
            return;
        throw new RefusedException(RefusalCode.PermissionDenied, "A data key is taken over TLS, from this machine, or over the owner's socket; not in the clear.");
    }

    static DataKey ReadKey(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        const string what = "A request for a rotation";
        RequestJson.BeginObject(ref json, what);
        string? text = null;
        for (var seen = 0; RequestJson.NextMember(ref json, what, Members, ref seen, out _);)
            text = RequestJson.Text(ref json, Members[0]);
        return DataKey.TryParse(text, out var key, out var why) ? key : throw new RefusedException(RefusalCode.InvalidArgument, $"`new_key`: {why}");
    }

    static async Task WriteEndAsync(Answer answer, Task<KeyRotationResult> rotated)
    {
        try
        {
            var result = await rotated.ConfigureAwait(false);
            answer.Output.Write("{\"result\":{\"generation\":"u8);
            RecordJson.WriteNumber(answer.Output, result.Generation);
            answer.Output.Write(",\"keys\":"u8);
            RecordJson.WriteNumber(answer.Output, result.Keys);
            answer.Output.Write(",\"documents\":"u8);
            RecordJson.WriteNumber(answer.Output, (ulong)result.Documents);
            answer.Output.Write(result.Resumed ? ",\"resumed\":true"u8 : ",\"resumed\":false"u8);
            answer.Output.Write(result.WasDone ? ",\"was_done\":true,\"documents_left\":["u8 : ",\"was_done\":false,\"documents_left\":["u8);
            for (var i = 0; i < result.DocumentsLeft.Count; i++)
            {
                if (i > 0)
                    answer.Output.Write(","u8);
                RecordJson.WriteText(answer.Output, result.DocumentsLeft[i]);
            }

            answer.Output.Write("]}}\n"u8);
        }
        catch (RefusedException refused)
        {
            WriteError(answer.Output, refused.Refusal);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            WriteError(answer.Output, new(RefusalCode.Unavailable, $"A file of the store could not be read or written: {cause.Message} Put that right and ask again, and it goes on."));
        }
    }

    static void WriteError(IBufferWriter<byte> output, Refusal refusal)
    {
        output.Write("{\"error\":"u8);
        RestRefusals.Write(output, refusal);
        output.Write("}\n"u8);
    }

    static void WriteProgress(IBufferWriter<byte> output, KeyRotationProgress progress)
    {
        output.Write(progress.Compacting ? "{\"phase\":\"compact\",\"done\":"u8 : "{\"phase\":\"wrap\",\"done\":"u8);
        RecordJson.WriteNumber(output, progress.Done);
        output.Write(",\"total\":"u8);
        RecordJson.WriteNumber(output, progress.Total);
        output.Write("}\n"u8);
    }

    /// <summary>The newest progress; what nobody took in time is not told.</summary>
    sealed class Latest : IProgress<KeyRotationProgress>
    {
        readonly Lock _lock = new();
        KeyRotationProgress? _latest;

        public void Report(KeyRotationProgress value)
        {
            lock (_lock)
                _latest = value;
        }

        public KeyRotationProgress? Take()
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
