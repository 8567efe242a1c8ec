using System.Buffers;
using EventDbx.Schemas;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Refusals as HTTP says them: the one table of statuses, and the one shape of an error.</summary>
internal static class RestRefusals
{
    /// <summary>No arm for the rest: a new code does not build until it has a status.</summary>
    public static int StatusOf(RefusalCode code) => code switch
    {
        RefusalCode.InvalidName => StatusCodes.Status400BadRequest,
        RefusalCode.InvalidPayload => StatusCodes.Status400BadRequest,
        RefusalCode.InvalidPatch => StatusCodes.Status400BadRequest,
        RefusalCode.InvalidArgument => StatusCodes.Status400BadRequest,
        RefusalCode.UnknownMember => StatusCodes.Status400BadRequest,
        RefusalCode.LimitExceeded => StatusCodes.Status400BadRequest,
        RefusalCode.InvalidSchema => StatusCodes.Status400BadRequest,
        RefusalCode.SchemaViolation => StatusCodes.Status400BadRequest,
        RefusalCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        RefusalCode.PermissionDenied => StatusCodes.Status403Forbidden,
        RefusalCode.WriteLimitReached => StatusCodes.Status403Forbidden,
        RefusalCode.Archived => StatusCodes.Status403Forbidden,
        RefusalCode.NotFound => StatusCodes.Status404NotFound,
        RefusalCode.MethodNotAllowed => StatusCodes.Status405MethodNotAllowed,
        RefusalCode.RequestTimeout => StatusCodes.Status408RequestTimeout,
        RefusalCode.AlreadyExists => StatusCodes.Status409Conflict,
        RefusalCode.NotEmpty => StatusCodes.Status409Conflict,
        RefusalCode.VersionConflict => StatusCodes.Status409Conflict,
        RefusalCode.IdempotencyConflict => StatusCodes.Status409Conflict,
        RefusalCode.CursorGone => StatusCodes.Status410Gone,
        RefusalCode.ReadOnly => StatusCodes.Status409Conflict,
        RefusalCode.Diverged => StatusCodes.Status409Conflict,
        RefusalCode.RequestTooLarge => StatusCodes.Status413PayloadTooLarge,
        RefusalCode.UnsupportedMediaType => StatusCodes.Status415UnsupportedMediaType,
        RefusalCode.IntegrityViolation => StatusCodes.Status422UnprocessableEntity,
        RefusalCode.TooManyRequests => StatusCodes.Status429TooManyRequests,
        RefusalCode.Internal => StatusCodes.Status500InternalServerError,
        RefusalCode.Overloaded => StatusCodes.Status503ServiceUnavailable,
        RefusalCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
    };

    /// <summary>A refusal for what was thrown; null when it is a fault of ours.</summary>
    /// <param name="thrown">What.</param>
    /// <param name="stopping">Whether the server is on its way down, and the database closed under a request that came late.</param>
    public static Refusal? Of(Exception thrown, bool stopping) => thrown switch
    {
        RefusedException refused => refused.Refusal,
        BadHttpRequestException bad => OfStatus(bad.StatusCode, bad.Message),
        ObjectDisposedException when stopping => new(RefusalCode.Unavailable, "The server is stopping. Try again in a moment."),
        _ => null,
    };

    /// <summary>What the framework refused by itself.</summary>
    public static Refusal OfStatus(int status, string message) => status switch
    {
        StatusCodes.Status408RequestTimeout => new(RefusalCode.RequestTimeout, "The request came too slowly and was given up. Send it again."),
        StatusCodes.Status413PayloadTooLarge => TooLarge(),
        _ => new(RefusalCode.InvalidArgument, $"The request is not valid HTTP: {message}"),
    };

    public static Refusal TooLarge(long? length = null) => new(
        RefusalCode.RequestTooLarge,
        $"The request has {(length is { } bytes ? $"{bytes} bytes" : "too many bytes")}; at most {Limits.RequestBytesMax} are accepted. Send several smaller ones.");

    public static void Write(IBufferWriter<byte> output, in Refusal refusal)
    {
        output.Write("{\"code\":\""u8);
        output.Write(Encoding.UTF8.GetBytes(refusal.Name));
        output.Write("\",\"message\":"u8);
        RecordJson.WriteText(output, refusal.Message);
        output.Write(refusal.Retryable ? ",\"retryable\":true"u8 : ",\"retryable\":false"u8);
        if (refusal.ActualVersion is { } version)
        {
            output.Write(",\"actual_version\":"u8);
            RecordJson.WriteNumber(output, version);
        }

        if (refusal.Operation is { } operation)
        {
            output.Write(",\"operation\":"u8);
            RecordJson.WriteNumber(output, (ulong)operation);
        }

        if (refusal.Violations is { } violations)
            WriteViolations(output, violations);
        output.Write("}"u8);
    }

    static void WriteViolations(IBufferWriter<byte> output, IReadOnlyList<SchemaViolation> violations)
    {
        output.Write(",\"details\":["u8);
        for (var i = 0; i < violations.Count; i++)
        {
            output.Write(i == 0 ? "{\"path\":"u8 : ",{\"path\":"u8);
            RecordJson.WriteText(output, violations[i].Path);
            output.Write(",\"rule\":"u8);
            RecordJson.WriteText(output, SchemaRules.NameOf(violations[i].Rule));
            output.Write(",\"message\":"u8);
            RecordJson.WriteText(output, violations[i].Message);
            output.Write("}"u8);
        }

        output.Write("]"u8);
    }
}
