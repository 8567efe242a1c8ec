using System.Globalization;
using EventDbx.Schemas;
using EventDbx.Server.Rest;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>Refusals as gRPC says them: the one table of statuses, and the details that machines read.</summary>
/// <remarks>Source: google/rpc/code.proto for the choice of codes, google/rpc/error_details.proto for the details; docs/grpc.md.</remarks>
internal static class GrpcRefusals
{
    /// <summary>The trailer with a serialized google.rpc.Status.</summary>
    public const string DetailsTrailer = "grpc-status-details-bin";

    /// <summary>Of the reasons in ErrorInfo.</summary>
    public const string Domain = "eventdbx";

    static readonly Duration RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(1));

    /// <summary>No arm for the rest: a new code does not build until it has a status.</summary>
    public static StatusCode StatusOf(RefusalCode code) => code switch
    {
        RefusalCode.InvalidName => StatusCode.InvalidArgument,
        RefusalCode.InvalidPayload => StatusCode.InvalidArgument,
        RefusalCode.InvalidPatch => StatusCode.InvalidArgument,
        RefusalCode.InvalidArgument => StatusCode.InvalidArgument,
        RefusalCode.UnknownMember => StatusCode.InvalidArgument,
        RefusalCode.LimitExceeded => StatusCode.InvalidArgument,
        RefusalCode.InvalidSchema => StatusCode.InvalidArgument,
        RefusalCode.SchemaViolation => StatusCode.InvalidArgument,
        RefusalCode.UnsupportedMediaType => StatusCode.InvalidArgument,
        RefusalCode.Unauthenticated => StatusCode.Unauthenticated,
        RefusalCode.PermissionDenied => StatusCode.PermissionDenied,
        RefusalCode.WriteLimitReached => StatusCode.PermissionDenied,
        RefusalCode.Archived => StatusCode.FailedPrecondition,
        RefusalCode.NotEmpty => StatusCode.FailedPrecondition,
        RefusalCode.NotFound => StatusCode.NotFound,
        RefusalCode.MethodNotAllowed => StatusCode.Unimplemented,
        RefusalCode.AlreadyExists => StatusCode.AlreadyExists,
        RefusalCode.IdempotencyConflict => StatusCode.AlreadyExists,
        // A test-and-set that failed: the caller reads again and begins anew, which is what ABORTED says.
        RefusalCode.VersionConflict => StatusCode.Aborted,
        RefusalCode.CursorGone => StatusCode.OutOfRange,
        RefusalCode.ReadOnly => StatusCode.FailedPrecondition,
        RefusalCode.Diverged => StatusCode.FailedPrecondition,
        RefusalCode.RequestTooLarge => StatusCode.ResourceExhausted,
        RefusalCode.TooManyRequests => StatusCode.ResourceExhausted,
        RefusalCode.IntegrityViolation => StatusCode.DataLoss,
        RefusalCode.Internal => StatusCode.Internal,
        // What clients may send again as it is, and their libraries do by themselves.
        RefusalCode.Overloaded => StatusCode.Unavailable,
        RefusalCode.Unavailable => StatusCode.Unavailable,
        RefusalCode.RequestTimeout => StatusCode.Unavailable,
    };

    /// <summary>As an exception that ends a call with it.</summary>
    /// <param name="refusal">Which.</param>
    /// <param name="status">Another status than the table's.</param>
    public static RpcException Exception(in Refusal refusal, StatusCode? status = null)
    {
        var code = status ?? StatusOf(refusal.Code);
        return new(new(code, Text.Cut(refusal.Message, ServerLimits.GrpcMessageBytesMax)), new Metadata { { DetailsTrailer, Details(refusal, code).ToByteArray() } });
    }

    /// <summary>A google.rpc.Status with what there is to say. Bounded: all metadata of an answer has 8 KiB with some clients.</summary>
    public static Google.Rpc.Status Details(in Refusal refusal, StatusCode code)
    {
        var info = new ErrorInfo
        {
            Reason = refusal.Name, Domain = Domain,
            Metadata = { ["retryable"] = refusal.Retryable ? "true" : "false" },
        };
        if (refusal.ActualVersion is { } version)
            info.Metadata["actual_version"] = version.ToString(CultureInfo.InvariantCulture);
        if (refusal.Operation is { } operation)
            info.Metadata["operation"] = operation.ToString(CultureInfo.InvariantCulture);
        var status = new Google.Rpc.Status { Code = (int)code, Message = Text.Cut(refusal.Message, ServerLimits.GrpcMessageBytesMax), Details = { Any.Pack(info) } };
        if (refusal.Violations is { } violations)
            status.Details.Add(Any.Pack(BadRequestOf(violations)));
        if (refusal.Retryable)
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = RetryDelay }));
        return status;
    }

    /// <summary>The code that details say, as they stand in their trailer.</summary>
    public static RefusalCode? CodeIn(string details)
    {
        if (details.Length == 0)
            return null;
        foreach (var detail in Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(details)).Details)
        {
            if (detail.TryUnpack(out ErrorInfo info))
                return Refusal.CodeOf(info.Reason);
        }

        return null;
    }

    /// <summary>A refusal inside a stream.</summary>
    public static Protocol.Error Error(in Refusal refusal)
    {
        var error = new Protocol.Error { Code = refusal.Name, Message = refusal.Message, Retryable = refusal.Retryable, Status = (int)StatusOf(refusal.Code) };
        if (refusal.ActualVersion is { } version)
            error.ActualVersion = version;
        foreach (var violation in refusal.Violations ?? [])
            error.Violations.Add(new Protocol.Violation { Path = violation.Path, Rule = SchemaRules.NameOf(violation.Rule), Message = violation.Message });
        return error;
    }

    /// <summary>A refusal for what the framework said by itself: a message too large, cut short, compressed in a way that is not known.</summary>
    /// <param name="status">The framework's.</param>
    /// <param name="message">The framework's.</param>
    public static Refusal OfFramework(StatusCode status, string message) => status switch
    {
        StatusCode.ResourceExhausted => RestRefusals.TooLarge(),
        StatusCode.Unimplemented => new(RefusalCode.UnsupportedMediaType, message),
        StatusCode.Internal => new(RefusalCode.InvalidArgument, $"The request is not valid gRPC: {message}"),
        StatusCode.DeadlineExceeded or StatusCode.Cancelled => new(RefusalCode.RequestTimeout, "The call was given up before its end. Nothing is known about whether it took effect: send it again with the same event id."),
        _ => new(RefusalCode.Internal, "The server failed at this request. Nothing is known about whether it took effect."),
    };

    static BadRequest BadRequestOf(IReadOnlyList<SchemaViolation> violations)
    {
        var bad = new BadRequest();
        var left = ServerLimits.GrpcViolationsBytesMax;
        foreach (var violation in violations)
        {
            var field = new BadRequest.Types.FieldViolation { Field = violation.Path, Reason = SchemaRules.NameOf(violation.Rule), Description = violation.Message };
            left -= field.CalculateSize() + 4;
            if (left < 0)
                break;
            bad.FieldViolations.Add(field);
        }

        return bad;
    }
}
