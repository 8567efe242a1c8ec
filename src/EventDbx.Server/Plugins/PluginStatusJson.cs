using System.Buffers;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>What there is to say of plugins, on the wire and in <c>--json</c>: the definition as it is kept, secrets hidden, and further members behind it.</summary>
internal static class PluginStatusJson
{
    /// <summary>A plugin and how far it is: <c>position</c>, <c>lag</c>, <c>state</c>, <c>waiting</c>, <c>dead</c>, <c>last_error</c>, <c>next_attempt_at</c> behind what is kept of it.</summary>
    public static void Write(IBufferWriter<byte> output, PluginStatus status)
    {
        Begin(output, status.Definition);
        if (status.Position is { } position)
            Number(output, ",\"position\":"u8, position);
        else
            output.Write(",\"position\":null"u8);
        Number(output, ",\"lag\":"u8, status.Lag);
        Text(output, ",\"state\":"u8, NameOf(status.State));
        Number(output, ",\"waiting\":"u8, (ulong)status.Counts.Waiting);
        Number(output, ",\"dead\":"u8, (ulong)status.Counts.Dead);
        Text(output, ",\"last_error\":"u8, status.LastError);
        Text(output, ",\"next_attempt_at\":"u8, status.NextAttemptAt?.ToString());
        output.Write("}"u8);
    }

    /// <summary>A plugin, and whether the request has changed it.</summary>
    public static void WriteChanged(IBufferWriter<byte> output, (PluginDefinition Plugin, bool Changed) answer)
    {
        Begin(output, answer.Plugin);
        output.Write(answer.Changed ? ",\"changed\":true}"u8 : ",\"changed\":false}"u8);
    }

    /// <summary>How one took the sample event: <c>{"plugin":"audit","type":"log","failure":null}</c>.</summary>
    public static void WriteTest(IBufferWriter<byte> output, PluginTestResult result)
    {
        var members = new JsonMembers(output);
        members.TextOrNull("plugin"u8, result.Plugin.Name);
        members.Text("type"u8, PluginJson.NameOf(result.Plugin.Config.Kind));
        members.TextOrNull("failure"u8, result.Failure);
        members.End();
    }

    /// <summary>How far a replay is: <c>{"aggregate_type":…,"aggregate_id":…,"version":3,"done":true}</c>.</summary>
    public static void WriteReplay(IBufferWriter<byte> output, ReplayStep step)
    {
        var members = new JsonMembers(output);
        members.Text("aggregate_type"u8, step.Aggregate.Type);
        members.Text("aggregate_id"u8, step.Aggregate.Id);
        members.Number("version"u8, step.Version);
        members.Truth("done"u8, step.Done);
        members.End();
    }

    public static string NameOf(PluginState state) => state switch
    {
        PluginState.Disabled => "disabled",
        PluginState.Stopped => "stopped",
        PluginState.Running => "running",
        PluginState.Down => "down",
    };

    /// <summary>The definition without its closing brace.</summary>
    static void Begin(IBufferWriter<byte> output, PluginDefinition plugin)
    {
        var definition = new ArrayBufferWriter<byte>();
        PluginJson.Write(definition, plugin, secrets: false);
        output.Write(definition.WrittenSpan[..^1]);
    }

    static void Number(IBufferWriter<byte> output, ReadOnlySpan<byte> before, ulong number)
    {
        output.Write(before);
        RecordJson.WriteNumber(output, number);
    }

    static void Text(IBufferWriter<byte> output, ReadOnlySpan<byte> before, string? text)
    {
        output.Write(before);
        if (text is null)
            output.Write("null"u8);
        else
            RecordJson.WriteText(output, text);
    }
}
