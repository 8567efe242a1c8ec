using EventDbx.Schemas;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tls;

namespace EventDbx.Cli.Output;

/// <summary>From an exception to an exit code and the lines that explain it.</summary>
internal static class Failures
{
    /// <summary>No default arm: the compiler stops the build when a code has no exit code.</summary>
    public static ExitCode CodeOf(RefusalCode code) => code switch
    {
        RefusalCode.InvalidName => ExitCode.Failed,
        RefusalCode.InvalidPayload => ExitCode.Failed,
        RefusalCode.InvalidPatch => ExitCode.Failed,
        RefusalCode.InvalidArgument => ExitCode.Failed,
        RefusalCode.UnknownMember => ExitCode.Failed,
        RefusalCode.LimitExceeded => ExitCode.Failed,
        RefusalCode.NotFound => ExitCode.Failed,
        RefusalCode.AlreadyExists => ExitCode.Failed,
        RefusalCode.Archived => ExitCode.Failed,
        RefusalCode.NotEmpty => ExitCode.Failed,
        RefusalCode.VersionConflict => ExitCode.Failed,
        RefusalCode.IdempotencyConflict => ExitCode.Failed,
        RefusalCode.Overloaded => ExitCode.Failed,
        RefusalCode.Unavailable => ExitCode.Failed,
        RefusalCode.IntegrityViolation => ExitCode.Difference,
        RefusalCode.Unauthenticated => ExitCode.Failed,
        RefusalCode.PermissionDenied => ExitCode.Failed,
        RefusalCode.WriteLimitReached => ExitCode.Failed,
        RefusalCode.InvalidSchema => ExitCode.Failed,
        RefusalCode.SchemaViolation => ExitCode.Failed,
        RefusalCode.CursorGone => ExitCode.Failed,
        RefusalCode.ReadOnly => ExitCode.Failed,
        RefusalCode.Diverged => ExitCode.Failed,
        RefusalCode.RequestTooLarge => ExitCode.Failed,
        RefusalCode.RequestTimeout => ExitCode.Failed,
        RefusalCode.MethodNotAllowed => ExitCode.Failed,
        RefusalCode.UnsupportedMediaType => ExitCode.Failed,
        RefusalCode.TooManyRequests => ExitCode.Failed,
        RefusalCode.Internal => ExitCode.Failed,
    };

    /// <summary>Writes what went wrong to standard error and returns the exit code.</summary>
    public static async Task<ExitCode> ReportAsync(Exception failure, ParseResult parse, Shell shell)
    {
        var (exit, code, retryable) = Classify(failure);
        if (parse.GetValue(GlobalOptions.Json))
        {
            var json = new JsonText(pretty: false);
            json.BeginObject().Member("code", code).Member("message", failure is OperationCanceledException ? "The command was interrupted." : failure.Message).Member("retryable", retryable);
            if (failure is RefusedException { Refusal: var refusal })
            {
                if (refusal.ActualVersion is { } actual)
                    json.Member("actual_version", actual);
                if (refusal.Operation is { } operation)
                    json.Member("operation", operation);
                if (refusal.Violations is { } violations)
                    Details(json, violations);
            }

            await shell.Error.WriteAsync(json.EndObject().ToString()).ConfigureAwait(false);
        }
        else if (exit == ExitCode.Usage)
        {
            await shell.Error.WriteAsync($"error: {PlainText.Of(failure.Message)}\n\n{Help.UsageOf(parse.CommandResult.Command)}").ConfigureAwait(false);
        }
        else
        {
            await shell.Error.WriteAsync(Lines(failure, code)).ConfigureAwait(false);
        }

        return exit;
    }

    static (ExitCode Exit, string Code, bool Retryable) Classify(Exception failure) => failure switch
    {
        UsageException => (ExitCode.Usage, "usage", false),
        RefusedException refused => (CodeOf(refused.Refusal.Code), refused.Refusal.Name, refused.Refusal.Retryable),
        StoreRefusedException refused => (ExitCode.Refused, "store_refused", refused.InUse),
        ServerLostException => (ExitCode.Failed, "connection_lost", true),
        ServerUnreachableException unreachable => (ExitCode.Failed, "unreachable", unreachable.Again),
        ConfigException or TlsException => (ExitCode.Failed, "configuration", false),
        DaemonException => (ExitCode.Failed, "server", false),
        OperationCanceledException => (ExitCode.Failed, "interrupted", true),
        IOException or UnauthorizedAccessException => (ExitCode.Failed, "io", false),
        _ => (ExitCode.Failed, "internal", false),
    };

    static void Details(JsonText json, IReadOnlyList<SchemaViolation> violations)
    {
        json.Name("details").BeginArray();
        foreach (var violation in violations)
        {
            json.BeginObject()
                .Member("path", violation.Path).Member("rule", SchemaRules.NameOf(violation.Rule)).Member("message", violation.Message)
                .EndObject();
        }

        json.EndArray();
    }

    static string Lines(Exception failure, string code)
    {
        if (code == "internal")
            return $"Error: {failure.Message}\n\nThis is a fault of EventDBX; please report it with these lines:\n{failure}\n";
        if (code == "interrupted")
            return "Error: interrupted\n";

        List<string> causes = [];
        for (var cause = failure.InnerException; cause is not null; cause = cause.InnerException)
            causes.Add(Shown(cause.Message));
        // The first stands in the message.
        var further = failure is RefusedException { Refusal.Violations: { } violations }
            ? string.Concat(violations.Skip(1).Select(violation => PlainText.Line($"  {(violation.Path.Length == 0 ? "" : $"{violation.Path}: ")}{violation.Message}")))
            : "";
        return $"Error: {Shown(failure.Message)}\n{further}" + causes.Count switch
        {
            0 => "",
            1 => $"\nCaused by:\n    {causes[0]}\n",
            _ => $"\nCaused by:\n{string.Concat(causes.Select((cause, i) => $"    {i}: {cause}\n"))}",
        };

        // Lines of ours stay lines.
        static string Shown(string message) => string.Join('\n', message.Split('\n').Select(PlainText.Of));
    }
}
