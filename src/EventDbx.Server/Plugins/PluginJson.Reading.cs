using System.Collections.Immutable;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

// The document, and the bodies of requests.
internal static partial class PluginJson
{
    static readonly string[] DefinitionMembers = ["enabled", "name", "config", "types", "events", "hold_on_dead", "exact_state"];
    static readonly string[] TcpMembers = ["type", "host", "port"];
    static readonly string[] HttpMembers = ["type", "endpoint", "headers", "https", "signing_secret", "follow_redirects"];
    static readonly string[] GrpcMembers = ["type", "endpoint", "headers"];
    static readonly string[] LogMembers = ["type", "level", "template"];
    static readonly string[] ProcessMembers = ["type", "name", "version", "args", "env", "working_dir"];

    /// <summary>The document read; missing, empty or blank: no plugins. Of a name that stands twice the last counts.</summary>
    /// <remarks>One without a name goes by its kind; where that is taken, it is given a name with a number.</remarks>
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
                    Enabled = JsonReading.Required(item.Truth("enabled"), "enabled"), Name = string.IsNullOrEmpty(name) ? null : name, Config = ConfigOf(item.GetProperty("config"), strict: false, allowProcess: true),
                    Types = [.. item.Texts("types") ?? []], Events = [.. item.Texts("events") ?? []],
                    HoldOnDead = item.Truth("hold_on_dead") ?? false, ExactState = item.Truth("exact_state") ?? false, Unknown = UnknownOf(item, DefinitionMembers),
                };
                plugins.RemoveAll(earlier => earlier.Name is not null && earlier.Name == plugin.Name);
                plugins.Add(plugin);
            }
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            throw new RefusedException(RefusalCode.IntegrityViolation, $"{PluginBook.DocumentName} is no array of plugins: {broken.Message}");
        }

        Distinguish(plugins);
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
            Known(json.RootElement, "a plugin", DefinitionMembers);
            if (json.RootElement.Member("config") is not { } config)
                throw Refused($"`config` is missing: {{\"type\": \"{Kinds(allowProcess)}\", …}}.");
            return new(json.RootElement.Truth("enabled"), json.RootElement.Text("name"), ConfigOf(config, strict: true, allowProcess))
            {
                Types = json.RootElement.Texts("types"), Events = json.RootElement.Texts("events"),
                HoldOnDead = json.RootElement.Truth("hold_on_dead"), ExactState = json.RootElement.Truth("exact_state"),
            };
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

    /// <summary>Every one has a label of its own: places and dead letters are kept under it.</summary>
    static void Distinguish(List<PluginDefinition> plugins)
    {
        HashSet<string> taken = [.. plugins.Where(plugin => plugin.Name is not null).Select(plugin => plugin.Name!)];
        for (var i = 0; i < plugins.Count; i++)
        {
            if (plugins[i].Name is not null || taken.Add(plugins[i].Label))
                continue;
            var number = 2;
            while (!taken.Add(FormattableString.Invariant($"{plugins[i].Label}-{number}")))
                number++;
            plugins[i] = plugins[i] with { Name = FormattableString.Invariant($"{plugins[i].Label}-{number}") };
        }
    }

    static string Kinds(bool withProcess) => withProcess ? "tcp|http|grpc|log|process" : "tcp|http|grpc|log";

    static PluginConfig ConfigOf(JsonElement json, bool strict, bool allowProcess)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw Refused($"`config` is a JSON object: {{\"type\": \"{Kinds(allowProcess)}\", …}}.");
        return JsonReading.Required(json.Text("type"), "config.type") switch
        {
            "tcp" => Held("a tcp plugin", TcpMembers) with
            {
                Kind = PluginKind.Tcp, Host = JsonReading.Required(json.Text("host"), "config.host").Trim(), Port = PortOf(json),
            },
            "http" => Held("an http plugin", HttpMembers) with
            {
                Kind = PluginKind.Http, Endpoint = JsonReading.Required(json.Text("endpoint"), "config.endpoint").Trim(), Https = json.Truth("https") ?? false,
                Headers = ValuesOf(json, "headers", StringComparer.OrdinalIgnoreCase), SigningSecret = json.Text("signing_secret"), FollowRedirects = json.Truth("follow_redirects") ?? false,
            },
            "grpc" => Held("a grpc plugin", GrpcMembers) with
            {
                Kind = PluginKind.Grpc, Endpoint = JsonReading.Required(json.Text("endpoint"), "config.endpoint").Trim(), Headers = ValuesOf(json, "headers", StringComparer.OrdinalIgnoreCase),
            },
            "log" => Held("a log plugin", LogMembers) with { Kind = PluginKind.Log, Level = json.Text("level") ?? "info", Template = json.Text("template") },
            "process" when allowProcess => Held("a process plugin", ProcessMembers) with
            {
                Kind = PluginKind.Process,
                Program = new()
                {
                    Plugin = JsonReading.Required(json.Text("name"), "config.name").Trim(), Version = JsonReading.Required(json.Text("version"), "config.version").Trim(),
                    Args = [.. json.Texts("args") ?? []], Env = ValuesOf(json, "env", StringComparer.Ordinal), WorkingDir = json.Text("working_dir"),
                },
            },
            "process" => throw Refused("process plugins must be managed via the CLI."),
            var other => throw Refused($"`config.type` is {Kinds(allowProcess).Replace("|", ", ", StringComparison.Ordinal)}, not \"{Rest.Shown.Of(other)}\"."),
        };

        PluginConfig Held(string what, string[] members)
        {
            if (strict)
                Known(json, "the config of " + what, members);
            return new() { Kind = PluginKind.Tcp, Unknown = UnknownOf(json, members) };
        }
    }

    static int PortOf(JsonElement json) => JsonReading.Required(json.Number("port"), "config.port") is var port and > 0 and <= ushort.MaxValue
        ? (int)port
        : throw Refused("`config.port` is a number from 1 to 65535.");

    static ImmutableSortedDictionary<string, string> ValuesOf(JsonElement json, string name, StringComparer comparer)
    {
        var values = ImmutableSortedDictionary.CreateBuilder<string, string>(comparer);
        if (json.Member(name) is not { } given)
            return values.ToImmutable();
        if (given.ValueKind != JsonValueKind.Object)
            throw Refused($"`config.{name}` is an object of names and values.");
        foreach (var member in given.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.String || !values.TryAdd(member.Name, member.Value.GetString()!))
                throw Refused($"`config.{name}`: \"{Rest.Shown.Of(member.Name)}\" has one value, a string.");
        }

        return values.ToImmutable();
    }

    static UnknownMembers UnknownOf(JsonElement json, string[] known)
    {
        List<(string, string)> unknown = [];
        foreach (var member in json.EnumerateObject())
        {
            if (Array.IndexOf(known, member.Name) < 0)
                unknown.Add((member.Name, member.Value.GetRawText()));
        }

        return unknown.Count == 0 ? UnknownMembers.None : new([.. unknown]);
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

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}
