using System.Buffers;
using EventDbx.Server.Rest;
using GraphQL;
using GraphQL.Execution;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.GraphQL;

/// <summary>What went wrong, in the form of GraphQL: <c>message</c>, <c>locations</c>, <c>path</c>, and under <c>extensions</c> what REST says of the same.</summary>
internal static class GraphQLErrors
{
    /// <summary>A list of errors, each as an object.</summary>
    public static void WriteAll(IBufferWriter<byte> output, ExecutionErrors errors, GraphQLCall? call, Action<LogLevel, string, Exception> log)
    {
        output.Write("["u8);
        for (var i = 0; i < errors.Count && i < ServerLimits.GraphQLErrorsMax; i++)
        {
            if (i > 0)
                output.Write(","u8);
            Write(output, errors[i], RefusalOf(errors[i], call, log));
        }

        output.Write("]"u8);
    }

    /// <summary>A list of one that stands nowhere in the document.</summary>
    public static void WriteOne(IBufferWriter<byte> output, in Refusal refusal)
    {
        output.Write("["u8);
        Write(output, null, refusal);
        output.Write("]"u8);
    }

    static Refusal RefusalOf(ExecutionError error, GraphQLCall? call, Action<LogLevel, string, Exception> log)
    {
        switch (error.InnerException)
        {
            case RefusedException refused:
                return refused.Refusal;
            case OperationCanceledException when call?.Withdrawn is { } withdrawn:
                return withdrawn.Refusal;
            case { } cause when error is UnhandledError or { InnerException: not FormatException, Path: not null }:
                log(LogLevel.Error, $"A GraphQL field failed: {cause.GetType().Name}: {cause.Message}", cause);
                return new(RefusalCode.Internal, "The server failed at this field, and has written down why. Nothing is known about whether it took effect.");
            default:
                // Of the document or its variables, in the words of the library.
                return new(RefusalCode.InvalidArgument, error.Message);
        }
    }

    static void Write(IBufferWriter<byte> output, ExecutionError? at, in Refusal refusal)
    {
        output.Write("{\"message\":"u8);
        RecordJson.WriteText(output, refusal.Message);
        if (at?.Locations is { Count: > 0 } locations)
        {
            output.Write(",\"locations\":["u8);
            for (var i = 0; i < locations.Count; i++)
            {
                output.Write(i == 0 ? "{\"line\":"u8 : ",{\"line\":"u8);
                RecordJson.WriteNumber(output, (ulong)locations[i].Line);
                output.Write(",\"column\":"u8);
                RecordJson.WriteNumber(output, (ulong)locations[i].Column);
                output.Write("}"u8);
            }

            output.Write("]"u8);
        }

        if (at?.Path is { } path)
            WritePath(output, path);
        output.Write(",\"extensions\":"u8);
        RestRefusals.Write(output, refusal);
        output.Write("}"u8);
    }

    static void WritePath(IBufferWriter<byte> output, IEnumerable<object> path)
    {
        output.Write(",\"path\":["u8);
        var first = true;
        foreach (var step in path)
        {
            if (!first)
                output.Write(","u8);
            first = false;
            if (step is int place)
                RecordJson.WriteNumber(output, (ulong)place);
            else
                RecordJson.WriteText(output, step.ToString() ?? "");
        }

        output.Write("]"u8);
    }
}
