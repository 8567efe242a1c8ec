using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>What a request says about a plugin.</summary>
/// <param name="Enabled">Null: it says nothing.</param>
/// <param name="Name">The same.</param>
/// <param name="Config">How it is reached.</param>
internal sealed record PluginUpsert(bool? Enabled, string? Name, PluginConfig Config)
{
    /// <summary>It is enabled without being reached: its events wait for it in the log.</summary>
    public bool Unchecked { get; init; }
}

/// <summary>Plugins as JSON: <c>{"enabled":true,"name":"audit","config":{"type":"log","level":"info","template":null}}</c>.</summary>
/// <remarks>The document <c>plugins.json</c> is an array of such. Requests are read strictly; in the document, members we do not know are ignored.</remarks>
internal static class PluginJson
{
    /// <summary>Stands where the value of a header would. Sent back, it means the value that is there.</summary>
    public const string Hidden = "(hidden)";

    static readonly string[] UpsertMembers = ["enabled", "name", "config"];
    static readonly string[] TcpMembers = ["type", "host", "port"];
    static readonly string[] HttpMembers = ["type", "endpoint", "headers", "https"];
    static readonly string[] GrpcMembers = ["type", "endpoint"];
    static readonly string[] LogMembers = ["type", "level", "template"];

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

    /// <summary>The document read; missing, empty or blank: no plugins. Of a name that stands twice the last counts.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it is no array of plugins.</exception>
    public static List<PluginDefinition> ReadAll(byte[]? content)
    {
        List<PluginDefinition> plugins = [];
        if (content is null || content.AsSpan().Trim(" \r\n\t"u8).IsEmpty)
            return plugins;
        try
        {
            using var json = JsonDocument.Parse(content);
            foreach (var item in json.RootElement.EnumerateArray())
            {
                var name = item.Text("name")?.Trim();
                var plugin = new PluginDefinition
                {
                    Enabled = JsonReading.Required(item.Truth("enabled"), "enabled"), Name = string.IsNullOrEmpty(name) ? null : name, Config = ConfigOf(item.GetProperty("config"), strict: false),
                };
                plugins.RemoveAll(earlier => earlier.Name is not null && earlier.Name == plugin.Name);
                plugins.Add(plugin);
            }
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            throw new RefusedException(RefusalCode.IntegrityViolation, $"{PluginBook.DocumentName} is no array of plugins: {broken.Message}");
        }

        return plugins;
    }

    /// <summary>The body of a request that sets a plugin up.</summary>
    /// <param name="body">As it came.</param>
    /// <param name="allowProcess">Whether whoever sends it may say which program is started.</param>
    /// <exception cref="RefusedException">It is not one; a member we do not know is refused.</exception>
    public static PluginUpsert ReadUpsert(ReadOnlyMemory<byte> body, bool allowProcess)
    {
        try
        {
            using var json = JsonDocument.Parse(body, JsonReading.Strict);
            Known(json.RootElement, "a plugin", UpsertMembers);
            if (json.RootElement.Member("config") is not { } config)
                throw new RefusedException(RefusalCode.InvalidArgument, "`config` is missing: {\"type\": \"tcp|http|grpc|log\", …}.");
            return new(json.RootElement.Truth("enabled"), json.RootElement.Text("name"), ConfigOf(config, strict: true));
        }
        catch (JsonException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body is not one JSON object with distinct members: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body holds text that is not valid Unicode: {cause.Message}");
        }
    }

    static PluginConfig ConfigOf(JsonElement json, bool strict)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new RefusedException(RefusalCode.InvalidArgument, "`config` is a JSON object: {\"type\": \"tcp|http|grpc|log\", …}.");
        switch (JsonReading.Required(json.Text("type"), "config.type"))
        {
            case "tcp":
                if (strict)
                    Known(json, "the config of a tcp plugin", TcpMembers);
                return new() { Kind = PluginKind.Tcp, Host = JsonReading.Required(json.Text("host"), "config.host").Trim(), Port = PortOf(json) };
            case "http":
                if (strict)
                    Known(json, "the config of an http plugin", HttpMembers);
                return new()
                {
                    Kind = PluginKind.Http, Endpoint = JsonReading.Required(json.Text("endpoint"), "config.endpoint").Trim(), Headers = HeadersOf(json), Https = json.Truth("https") ?? false,
                };
            case "grpc":
                if (strict)
                    Known(json, "the config of a grpc plugin", GrpcMembers);
                return new() { Kind = PluginKind.Grpc, Endpoint = JsonReading.Required(json.Text("endpoint"), "config.endpoint").Trim() };
            case "log":
                if (strict)
                    Known(json, "the config of a log plugin", LogMembers);
                return new() { Kind = PluginKind.Log, Level = json.Text("level") ?? "info", Template = json.Text("template") };
            case "process" when strict:
                throw new RefusedException(RefusalCode.InvalidArgument, "process plugins must be managed via the CLI.");
            case "process":
                return new() { Kind = PluginKind.Process, Process = Encoding.UTF8.GetBytes(json.GetRawText()) };
            case var other:
                throw new RefusedException(RefusalCode.InvalidArgument, $"`config.type` is tcp, http, grpc or log, not \"{Rest.Shown.Of(other)}\".");
        }
    }

    static int PortOf(JsonElement json) => JsonReading.Required(json.Number("port"), "config.port") is var port and > 0 and <= ushort.MaxValue
        ? (int)port
        : throw new RefusedException(RefusalCode.InvalidArgument, "`config.port` is a number from 1 to 65535.");

    static ImmutableSortedDictionary<string, string> HeadersOf(JsonElement json)
    {
        var headers = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.OrdinalIgnoreCase);
        if (json.Member("headers") is not { } given)
            return headers.ToImmutable();
        if (given.ValueKind != JsonValueKind.Object)
            throw new RefusedException(RefusalCode.InvalidArgument, "`config.headers` is an object of names and values.");
        foreach (var member in given.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.String || !headers.TryAdd(member.Name, member.Value.GetString()!))
                throw new RefusedException(RefusalCode.InvalidArgument, $"`config.headers`: \"{Rest.Shown.Of(member.Name)}\" has one value, a string.");
        }

        return headers.ToImmutable();
    }

    static void Known(JsonElement json, string what, string[] known)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new RefusedException(RefusalCode.InvalidPayload, $"{what} is a JSON object.");
        foreach (var member in json.EnumerateObject())
        {
            if (Array.IndexOf(known, member.Name) < 0)
            {
                throw new RefusedException(RefusalCode.UnknownMember,
                    $"`{Rest.Shown.Of(member.Name)}` is no member of {what}{NearestName.Hint(member.Name, known)}; known are {string.Join(", ", known)}.");
            }
        }
    }

    static void Write(Utf8JsonWriter json, PluginDefinition plugin, bool secrets)
    {
        json.WriteStartObject();
        json.WriteBoolean("enabled"u8, plugin.Enabled);
        json.WriteString("name"u8, plugin.Name);
        json.WritePropertyName("config"u8);
        var config = plugin.Config;
        if (config.Kind == PluginKind.Process)
        {
            WriteProcess(json, config.Process, secrets);
            json.WriteEndObject();
            return;
        }

        json.WriteStartObject();
        json.WriteString("type"u8, NameOf(config.Kind));
        switch (config.Kind)
        {
            case PluginKind.Tcp:
                json.WriteString("host"u8, config.Host);
                json.WriteNumber("port"u8, config.Port);
                break;
            case PluginKind.Http:
                json.WriteString("endpoint"u8, config.Endpoint);
                json.WriteStartObject("headers"u8);
                foreach (var (name, value) in config.Headers)
                    json.WriteString(name, secrets ? value : Hidden);
                json.WriteEndObject();
                json.WriteBoolean("https"u8, config.Https);
                break;
            case PluginKind.Grpc:
                json.WriteString("endpoint"u8, config.Endpoint);
                break;
            default:
                json.WriteString("level"u8, config.Level);
                json.WriteString("template"u8, config.Template);
                break;
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The variables of a program hold its secrets; its arguments may, too.</summary>
    static void WriteProcess(Utf8JsonWriter json, ReadOnlyMemory<byte> config, bool secrets)
    {
        if (secrets)
        {
            json.WriteRawValue(config.Span);
            return;
        }

        using var document = JsonDocument.Parse(config);
        json.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            json.WritePropertyName(member.Name);
            switch (member.Name)
            {
                case "env" when member.Value.ValueKind == JsonValueKind.Object:
                    json.WriteStartObject();
                    foreach (var variable in member.Value.EnumerateObject())
                        json.WriteString(variable.Name, Hidden);
                    json.WriteEndObject();
                    break;
                case "args" when member.Value.ValueKind == JsonValueKind.Array:
                    json.WriteStartArray();
                    for (var i = 0; i < member.Value.GetArrayLength(); i++)
                        json.WriteStringValue(Hidden);
                    json.WriteEndArray();
                    break;
                default:
                    member.Value.WriteTo(json);
                    break;
            }
        }

        json.WriteEndObject();
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
