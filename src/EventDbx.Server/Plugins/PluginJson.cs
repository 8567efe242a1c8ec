using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>What a request says about a plugin. A member that is null says nothing: what is there stays, or a new plugin has the default.</summary>
/// <param name="Enabled">Whether it is to get events.</param>
/// <param name="Name">Once more.</param>
/// <param name="Config">How it is reached, in full: it replaces the one that is there.</param>
internal sealed record PluginUpsert(bool? Enabled, string? Name, PluginConfig Config)
{
    /// <summary>As in <see cref="PluginDefinition.Types"/>; an empty list takes them away.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>As in <see cref="PluginDefinition.Events"/>; an empty list takes them away.</summary>
    public IReadOnlyList<string>? Events { get; init; }

    public bool? HoldOnDead { get; init; }

    public bool? ExactState { get; init; }

    /// <summary>It is enabled without being reached: its events wait for it in the log.</summary>
    public bool Unchecked { get; init; }
}

/// <summary>Plugins as JSON: <c>{"enabled":true,"name":"audit","config":{"type":"log","level":"info","template":null}}</c>.</summary>
/// <remarks>
/// The document <c>plugins.json</c> is an array of such. Requests are read strictly; in the document, members we do not know are kept as they are. Members that the reference does not have
/// are written only where they say something: <c>types</c>, <c>events</c>, <c>hold_on_dead</c>, <c>exact_state</c>; of http <c>signing_secret</c>, <c>follow_redirects</c>; of grpc <c>headers</c>.
/// </remarks>
internal static partial class PluginJson
{
    /// <summary>Stands where the value of a secret would. Sent back, it means the value that is there.</summary>
    public const string Hidden = "(hidden)";

    /// <summary>As lists and answers show it, secrets left out; or as the document keeps it.</summary>
    public static void Write(IBufferWriter<byte> output, PluginDefinition plugin, bool secrets)
    {
        using var json = new Utf8JsonWriter(output, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        Write(json, plugin, secrets);
    }

    /// <summary>The document.</summary>
    public static byte[] WriteAll(IReadOnlyList<PluginDefinition> plugins)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartArray();
            foreach (var plugin in plugins)
                Write(json, plugin, secrets: true);
            json.WriteEndArray();
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>Of what it is made, secrets included: two that are equal are the same plugin, set up the same.</summary>
    public static string Identity(PluginDefinition plugin)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(output, plugin, secrets: true);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    static void Write(Utf8JsonWriter json, PluginDefinition plugin, bool secrets)
    {
        json.WriteStartObject();
        json.WriteBoolean("enabled"u8, plugin.Enabled);
        json.WriteString("name"u8, plugin.Name);
        json.WriteStartObject("config"u8);
        Write(json, plugin.Config, secrets);
        json.WriteEndObject();
        if (!plugin.Types.IsEmpty)
            WriteTexts(json, "types", plugin.Types, shown: true);
        if (!plugin.Events.IsEmpty)
            WriteTexts(json, "events", plugin.Events, shown: true);
        if (plugin.HoldOnDead)
            json.WriteBoolean("hold_on_dead"u8, true);
        if (plugin.ExactState)
            json.WriteBoolean("exact_state"u8, true);
        Write(json, plugin.Unknown, secrets);
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, PluginConfig config, bool secrets)
    {
        json.WriteString("type"u8, NameOf(config.Kind));
        switch (config.Kind)
        {
            case PluginKind.Tcp:
                json.WriteString("host"u8, config.Host);
                json.WriteNumber("port"u8, config.Port);
                break;
            case PluginKind.Http:
                json.WriteString("endpoint"u8, config.Endpoint);
                WriteSecrets(json, "headers", config.Headers, secrets);
                json.WriteBoolean("https"u8, config.Https);
                if (config.SigningSecret is { } secret)
                    json.WriteString("signing_secret"u8, secrets ? secret : Hidden);
                if (config.FollowRedirects)
                    json.WriteBoolean("follow_redirects"u8, true);
                break;
            case PluginKind.Grpc:
                json.WriteString("endpoint"u8, config.Endpoint);
                if (!config.Headers.IsEmpty)
                    WriteSecrets(json, "headers", config.Headers, secrets);
                break;
            case PluginKind.Log:
                json.WriteString("level"u8, config.Level);
                json.WriteString("template"u8, config.Template);
                break;
            case PluginKind.Process:
                var program = config.Program!;
                json.WriteString("name"u8, program.Plugin);
                json.WriteString("version"u8, program.Version);
                WriteTexts(json, "args", program.Args, secrets);
                WriteSecrets(json, "env", program.Env, secrets);
                json.WriteString("working_dir"u8, program.WorkingDir);
                break;
        }

        Write(json, config.Unknown, secrets);
    }

    static void WriteSecrets(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, string>> values, bool secrets)
    {
        json.WriteStartObject(name);
        foreach (var (of, value) in values)
            json.WriteString(of, secrets ? value : Hidden);
        json.WriteEndObject();
    }

    static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts, bool shown)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(shown ? text : Hidden);
        json.WriteEndArray();
    }

    /// <summary>What nobody knows may be a secret, and is in no list.</summary>
    static void Write(Utf8JsonWriter json, UnknownMembers unknown, bool secrets)
    {
        if (!secrets)
            return;
        foreach (var (name, value) in unknown.Members)
        {
            json.WritePropertyName(name);
            json.WriteRawValue(value);
        }
    }

    public static string NameOf(PluginKind kind) => kind switch
    {
        PluginKind.Tcp => "tcp",
        PluginKind.Http => "http",
        PluginKind.Grpc => "grpc",
        PluginKind.Log => "log",
        PluginKind.Process => "process",
    };
}
