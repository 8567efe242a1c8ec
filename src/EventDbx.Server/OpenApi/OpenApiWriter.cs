using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using EventDbx.Server.Rest;
using Microsoft.AspNetCore.WebUtilities;

namespace EventDbx.Server.OpenApi;

/// <summary>The OpenAPI document: what <see cref="RestRoutes"/> knows, and the words and shapes that stand in the parts beside this file.</summary>
/// <remarks>
/// From the table come paths, methods, parameters, who may, whether there is a body, and the refusals that every such route has. A part
/// adds, under <c>METHOD /path</c>:
/// <code>
/// tag, id, is, more                  group, operationId, summary, description
/// headers, query                     names of header parameters; which component a parameter is, where its name alone does not say
/// request {schema, example}
/// answers {status: {is, schema, media, example, headers, also}}
/// refuses                            codes besides those of every route of its kind
/// schema: "Name", "[Name]" for an array of them, or a schema
/// </code>
/// <c>components.json</c> has parameters, headers, schemas, and a message for each code. Source: OpenAPI 3.1.1, JSON Schema 2020-12.
/// </remarks>
internal sealed class OpenApiWriter : IDisposable
{
    static readonly string[] Parts = ["server", "data", "graphql", "log", "admin"];

    readonly List<JsonDocument> _parts = [];
    readonly Dictionary<string, JsonElement> _operations = [];
    readonly JsonElement _components;
    readonly MemoryStream _output = new();
    readonly Utf8JsonWriter _json;

    OpenApiWriter()
    {
        _json = new(_output, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        _components = Open("components");
        foreach (var part in Parts)
        {
            foreach (var operation in Open(part).EnumerateObject())
                _operations.Add(operation.Name, operation.Value);
        }
    }

    /// <summary>The document.</summary>
    /// <param name="version">Of the server.</param>
    public static byte[] Write(string version)
    {
        using var writer = new OpenApiWriter();
        return writer.WriteDocument(version);
    }

    /// <summary><c>METHOD /path</c> of everything that a part describes, in the order of the parts.</summary>
    internal static IReadOnlyList<string> Described()
    {
        using var writer = new OpenApiWriter();
        return [.. writer._operations.Keys];
    }

    public void Dispose()
    {
        _json.Dispose();
        _output.Dispose();
        foreach (var part in _parts)
            part.Dispose();
    }

    JsonElement Open(string part)
    {
        _parts.Add(JsonDocument.Parse(Resources.Read($"openapi/{part}.json")));
        return _parts[^1].RootElement;
    }

    byte[] WriteDocument(string version)
    {
        _json.WriteStartObject();
        _json.WriteString("openapi"u8, "3.1.1"u8);
        _json.WriteStartObject("info"u8);
        _json.WriteString("title"u8, "EventDBX"u8);
        _json.WriteString("version"u8, version);
        _json.WriteString("summary"u8, "An event-sourced, key-value, write-side database."u8);
        _json.WriteString(
            "description"u8,
            "Bodies are JSON in UTF-8. Members and parameters that are not known are refused. `HEAD` works where `GET` does. Where a path has other methods, another one is `method_not_allowed` (405)."u8);
        _json.WriteStartObject("license"u8);
        _json.WriteString("name"u8, "MIT"u8);
        _json.WriteString("identifier"u8, "MIT"u8);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteStartArray("servers"u8);
        _json.WriteStartObject();
        _json.WriteString("url"u8, "/"u8);
        _json.WriteEndObject();
        _json.WriteEndArray();
        WriteTags();
        _json.WriteStartObject("paths"u8);
        foreach (var path in RestRoutes.All.GroupBy(static route => PathOf(route.Template)))
        {
            _json.WriteStartObject(path.Key);
            foreach (var route in path)
            {
                if (_operations.TryGetValue($"{route.Method} {route.Template}", out var part))
                    WriteOperation(route, part);
            }

            _json.WriteEndObject();
        }

        _json.WriteEndObject();
        WriteComponents();
        _json.WriteEndObject();
        _json.Flush();
        return _output.ToArray();
    }

    void WriteTags()
    {
        _json.WriteStartArray("tags"u8);
        foreach (var tag in RestRoutes.All.Select(route => _operations.TryGetValue($"{route.Method} {route.Template}", out var part) ? part.GetProperty("tag").GetString() : null).OfType<string>().Distinct())
        {
            _json.WriteStartObject();
            _json.WriteString("name"u8, tag);
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
    }

    /// <summary>What stands for several segments is one parameter, whose text has slashes.</summary>
    static string PathOf(string template) => template.Replace("…", "", StringComparison.Ordinal);

    void WriteOperation(RestRoute route, JsonElement part)
    {
#pragma warning disable CA1308 // OpenAPI names methods in lower case.
        _json.WriteStartObject(route.Method.ToLowerInvariant());
#pragma warning restore CA1308
        _json.WriteStartArray("tags"u8);
        _json.WriteStringValue(part.GetProperty("tag").GetString());
        _json.WriteEndArray();
        _json.WriteString("operationId"u8, part.GetProperty("id").GetString());
        _json.WriteString("summary"u8, part.GetProperty("is").GetString());
        _json.WriteString("description"u8, string.Join(' ', ((string?[])[TextOf(part, "more"), Needs(route.Access)]).OfType<string>()));
        WriteSecurity(route);
        WriteParameters(route, part);
        if (part.TryGetProperty("request", out var request))
        {
            _json.WriteStartObject("requestBody"u8);
            _json.WriteBoolean("required"u8, route.Body == RestBody.Required);
            WriteContent(Answer.Json, request);
            _json.WriteEndObject();
        }

        _json.WriteStartObject("responses"u8);
        foreach (var answer in part.GetProperty("answers").EnumerateObject())
            WriteAnswer(answer.Name, answer.Value);
        foreach (var refused in CodesOf(route, part).GroupBy(RestRefusals.StatusOf).OrderBy(static group => group.Key))
            WriteRefusals(refused.Key, [.. refused]);
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    static string? TextOf(JsonElement part, string name) => part.TryGetProperty(name, out var text) ? text.GetString() : null;

    static string Needs(RestAccess access) => access switch
    {
        { IsOpen: true } => "Needs no token.",
        { IsPage: true } => "Needs no token, unless `api.public_docs` is false.",
        { IsRoot: true } => "Needs a root token, or the admin master key.",
        { IsLogProofs: true } => "Needs `log.read`, on whatever resources.",
        { Action: { } action } => $"Needs `{AccessActions.NameOf(action)}`.",
        _ => "Needs a token, whatever it allows.",
    };

    void WriteSecurity(RestRoute route)
    {
        _json.WriteStartArray("security"u8);
        // An empty one among several: it may be left out.
        if (route.Access.IsPage || route.OpenBy is not null)
            Requirement(null);
        if (!route.Access.IsOpen)
            Requirement("bearer");
        if (route.IsAdmin)
            Requirement("adminKey");
        _json.WriteEndArray();

        void Requirement(string? scheme)
        {
            _json.WriteStartObject();
            if (scheme is not null)
            {
                _json.WriteStartArray(scheme);
                _json.WriteEndArray();
            }

            _json.WriteEndObject();
        }
    }

    void WriteParameters(RestRoute route, JsonElement part)
    {
        _json.WriteStartArray("parameters"u8);
        foreach (var segment in route.Template.Split('/').Where(static segment => segment.StartsWith('{')))
            Refer("parameters", $"path.{segment.Trim('{', '}', '…')}");
        foreach (var name in route.Parameters)
            Refer("parameters", part.TryGetProperty("query", out var query) && query.TryGetProperty(name, out var other) ? other.GetString()! : name);
        if (part.TryGetProperty("headers", out var headers))
        {
            foreach (var header in headers.EnumerateArray())
                Refer("parameters", header.GetString()!);
        }

        _json.WriteEndArray();
    }

    void WriteAnswer(string status, JsonElement answer)
    {
        _json.WriteStartObject(status);
        _json.WriteString("description"u8, answer.GetProperty("is").GetString());
        if (answer.TryGetProperty("headers", out var headers))
        {
            _json.WriteStartObject("headers"u8);
            foreach (var header in headers.EnumerateArray())
            {
                _json.WritePropertyName(header.GetString()!);
                Refer("headers", header.GetString()!);
            }

            _json.WriteEndObject();
        }

        if (answer.TryGetProperty("schema", out _))
            WriteContent(TextOf(answer, "media") ?? Answer.Json, answer);
        _json.WriteEndObject();
    }

    void WriteContent(string media, JsonElement body)
    {
        _json.WriteStartObject("content"u8);
        WriteMedia(media, body);
        if (body.TryGetProperty("also", out var also))
        {
            foreach (var other in also.EnumerateObject())
                WriteMedia(other.Name, other.Value);
        }

        _json.WriteEndObject();
    }

    void WriteMedia(string media, JsonElement body)
    {
        _json.WriteStartObject(media);
        _json.WritePropertyName("schema"u8);
        WriteSchema(body.GetProperty("schema"));
        if (body.TryGetProperty("example", out var example))
        {
            _json.WritePropertyName("example"u8);
            example.WriteTo(_json);
        }

        _json.WriteEndObject();
    }

    void WriteSchema(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.String)
        {
            schema.WriteTo(_json);
            return;
        }

        var name = schema.GetString()!;
        if (name[0] != '[')
        {
            Refer("schemas", name);
            return;
        }

        _json.WriteStartObject();
        _json.WriteString("type"u8, "array"u8);
        _json.WritePropertyName("items"u8);
        Refer("schemas", name.Trim('[', ']'));
        _json.WriteEndObject();
    }

    void WriteRefusals(int status, RefusalCode[] codes)
    {
        _json.WriteStartObject(status.ToString(CultureInfo.InvariantCulture));
        _json.WriteString("description"u8, $"{ReasonPhrases.GetReasonPhrase(status)}: {string.Join(", ", codes.Select(static code => $"`{Refusal.NameOf(code)}`"))}.");
        if (codes.Any(static code => code is RefusalCode.Overloaded or RefusalCode.TooManyRequests))
        {
            _json.WriteStartObject("headers"u8);
            _json.WritePropertyName("Retry-After"u8);
            Refer("headers", "Retry-After");
            _json.WriteEndObject();
        }

        _json.WriteStartObject("content"u8);
        _json.WriteStartObject(Answer.Json);
        _json.WriteStartObject("schema"u8);
        _json.WriteStartArray("allOf"u8);
        Refer("schemas", "Error");
        _json.WriteStartObject();
        _json.WriteStartObject("properties"u8);
        _json.WriteStartObject("code"u8);
        WriteCodes(codes);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndArray();
        _json.WriteEndObject();
        _json.WriteStartObject("examples"u8);
        foreach (var code in codes)
        {
            _json.WritePropertyName(Refusal.NameOf(code));
            Refer("examples", Refusal.NameOf(code));
        }

        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    void WriteCodes(IEnumerable<RefusalCode> codes)
    {
        _json.WriteStartArray("enum"u8);
        foreach (var code in codes)
            _json.WriteStringValue(Refusal.NameOf(code));
        _json.WriteEndArray();
    }

    /// <summary>Whether a mirror refuses it.</summary>
    static bool WritesHistory(RestRoute route) => route.Method != "GET"
        && (route.Access.Action is AccessAction.AggregateAppend or AccessAction.AggregateArchive or AccessAction.RecordsImport
            || (route.LeavesEntry && route.Template.StartsWith("/admin/schemas", StringComparison.Ordinal)) || route.Template == "/admin/replication/pull");

    /// <summary>What a route may refuse with: every route, every route of its kind, and it alone.</summary>
    static SortedSet<RefusalCode> CodesOf(RestRoute route, JsonElement part)
    {
        var codes = new SortedSet<RefusalCode> { RefusalCode.InvalidArgument, RefusalCode.UnknownMember, RefusalCode.NotFound, RefusalCode.Overloaded, RefusalCode.Unavailable, RefusalCode.Internal };
        if (!route.Access.IsOpen)
            codes.UnionWith([RefusalCode.Unauthenticated, RefusalCode.PermissionDenied]);
        if (route.Surface == Surface.Rest)
            codes.Add(RefusalCode.IntegrityViolation);
        if (route.Template.Contains('{', StringComparison.Ordinal))
            codes.Add(RefusalCode.InvalidName);
        if (route.Body != RestBody.None)
        {
            codes.UnionWith([
                RefusalCode.InvalidPayload, RefusalCode.LimitExceeded, RefusalCode.RequestTimeout, RefusalCode.RequestTooLarge, RefusalCode.UnsupportedMediaType,
            ]);
        }

        if (WritesHistory(route))
            codes.Add(RefusalCode.ReadOnly);
        if (route.IsAdmin)
            codes.Add(RefusalCode.TooManyRequests);
        if (part.TryGetProperty("refuses", out var refuses))
            codes.UnionWith(refuses.EnumerateArray().Select(static code => Enum.GetValues<RefusalCode>().First(one => Refusal.NameOf(one) == code.GetString())));
        return codes;
    }

    void WriteComponents()
    {
        _json.WriteStartObject("components"u8);
        foreach (var kind in _components.EnumerateObject())
        {
            _json.WriteStartObject(kind.Name == "errors" ? "examples" : kind.Name);
            foreach (var one in kind.Value.EnumerateObject())
            {
                if (kind.Name == "errors")
                    WriteErrorExample(Enum.GetValues<RefusalCode>().First(code => Refusal.NameOf(code) == one.Name), one.Value.GetString()!);
                else
                    one.WriteTo(_json);
            }

            if (kind.Name == "schemas")
            {
                _json.WriteStartObject("Code"u8);
                WriteCodes(Enum.GetValues<RefusalCode>());
                _json.WriteEndObject();
            }

            _json.WriteEndObject();
        }

        _json.WriteEndObject();
    }

    void WriteErrorExample(RefusalCode code, string message)
    {
        _json.WriteStartObject(Refusal.NameOf(code));
        _json.WritePropertyName("value"u8);
        using var error = new PooledBuffer();
        RestRefusals.Write(error, new Refusal(code, message));
        _json.WriteRawValue(error.Written.Span);
        _json.WriteEndObject();
    }

    void Refer(string kind, string name)
    {
        _json.WriteStartObject();
        _json.WriteString("$ref"u8, $"#/components/{kind}/{name}");
        _json.WriteEndObject();
    }
}
