using System.Globalization;
using System.Text.Json;
using EventDbx.Server.OpenApi;
using EventDbx.Server.Rest;
using EventDbx.Server.Tests.Rest;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace EventDbx.Server.Tests.OpenApi;

/// <summary><c>/openapi.json</c> is what the code does. A route that is not in it is described in one of the parts in <c>src/EventDbx.Server/OpenApi</c>.</summary>
public sealed class DocumentTests(RestServer server) : IClassFixture<RestServer>
{
    static readonly byte[] s_bytes = OpenApiWriter.Write("2.1.0-test");
    static readonly JsonElement s_document = JsonDocument.Parse(s_bytes).RootElement;
    static readonly JsonShape s_shape = new(s_document);

    static string PathOf(RestRoute route) => route.Template.Replace("…", "", StringComparison.Ordinal);

    static string MethodOf(RestRoute route) => route.Method.ToLower(CultureInfo.InvariantCulture);

    static JsonElement OperationOf(RestRoute route) => s_document.GetProperty("paths").GetProperty(PathOf(route)).GetProperty(MethodOf(route));

    static IEnumerable<(string Path, string Method, JsonElement Operation)> Operations =>
        s_document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => (path.Name, method.Name, method.Value)));

    [Fact]
    public void It_has_every_route_and_describes_none_that_there_is_not()
    {
        Assert.Equal(RestRoutes.All.Select(CredentialTests.KeyOf).Order(StringComparer.Ordinal), OpenApiWriter.Described().Order(StringComparer.Ordinal));
        Assert.Equal(RestRoutes.All.Select(route => $"{MethodOf(route)} {PathOf(route)}").Order(), Operations.Select(one => $"{one.Method} {one.Path}").Order());
        Assert.Equal(RestRoutes.All.Length, Operations.Select(one => one.Operation.GetProperty("operationId").GetString()).Distinct().Count());
    }

    [Fact]
    public void It_has_every_parameter_of_every_route_and_no_other()
    {
        foreach (var route in RestRoutes.All)
        {
            var parameters = OperationOf(route).GetProperty("parameters").EnumerateArray().Select(one => s_shape.Resolve(one.GetProperty("$ref").GetString()!)).ToList();
            IEnumerable<string> In(string place) => parameters.Where(one => one.GetProperty("in").GetString() == place).Select(one => one.GetProperty("name").GetString()!);
            Assert.Equal(route.Parameters, In("query"));
            Assert.Equal(route.Template.Split('/').Where(segment => segment.StartsWith('{')).Select(segment => segment.Trim('{', '}', '…')), In("path"));
            Assert.Equal(route.Conditional, In("header").Contains("Idempotency-Key"));
            Assert.Equal(route.Body != RestBody.None, OperationOf(route).TryGetProperty("requestBody", out var body));
            Assert.True(route.Body == RestBody.None || body.GetProperty("required").GetBoolean() == (route.Body == RestBody.Required), CredentialTests.KeyOf(route));
            var schemes = OperationOf(route).GetProperty("security").EnumerateArray().Select(one => string.Join('+', one.EnumerateObject().Select(scheme => scheme.Name)));
            Assert.Equal(route.Access.IsOpen ? [] : route.Access.IsPage || route.OpenBy is not null ? ["", "bearer"] : route.IsAdmin ? ["bearer", "adminKey"] : ["bearer"], schemes);
        }
    }

    [Fact]
    public void Every_code_of_an_error_stands_under_its_status_and_none_is_left_out()
    {
        var seen = new HashSet<string>();
        foreach (var (path, method, operation) in Operations)
        {
            foreach (var answer in operation.GetProperty("responses").EnumerateObject().Where(answer => string.CompareOrdinal(answer.Name, "400") >= 0 && answer.Name != "412"))
            {
                var json = answer.Value.GetProperty("content").GetProperty("application/json");
                var codes = json.GetProperty("schema").GetProperty("allOf")[1].GetProperty("properties").GetProperty("code").GetProperty("enum").EnumerateArray().Select(code => code.GetString()!).ToList();
                Assert.Equal(codes, json.GetProperty("examples").EnumerateObject().Select(example => example.Name));
                foreach (var code in codes)
                    Assert.True(StatusOf(code) == answer.Name, $"{method} {path}: {code} under {answer.Name}");
                seen.UnionWith(codes);
            }
        }

        var all = Enum.GetValues<RefusalCode>().Select(Refusal.NameOf).ToList();
        // Of a path, not of an operation on it: the document says it once.
        Assert.Equal(all.Except(["method_not_allowed"]).Order(), seen.Order());
        Assert.Contains("`method_not_allowed` (405)", s_document.GetProperty("info").GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Equal(all, s_shape.Resolve("#/components/schemas/Code").GetProperty("enum").EnumerateArray().Select(code => code.GetString()));
        Assert.Equal(all.Order(), s_document.GetProperty("components").GetProperty("examples").EnumerateObject().Select(one => one.Name).Order());

        static string StatusOf(string code) => RestRefusals.StatusOf(Enum.GetValues<RefusalCode>().First(one => Refusal.NameOf(one) == code)).ToString(CultureInfo.InvariantCulture);
    }

    [Fact]
    public void A_stock_reader_finds_nothing_wrong_with_it()
    {
        using var bytes = new MemoryStream(s_bytes);
        var read = OpenApiModelFactory.Load(bytes, "json", new OpenApiReaderSettings());
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        Assert.Equal(OpenApiSpecVersion.OpenApi3_1, read.Diagnostic.SpecificationVersion);
        Assert.Equal(RestRoutes.All.Length, read.Document!.Paths.Sum(path => path.Value.Operations!.Count));
        Assert.Empty(read.Document.Validate(ValidationRuleSet.GetDefaultRuleSet()));
    }

    [Fact]
    public void Every_example_is_of_the_schema_that_it_stands_beside()
    {
        var examples = 0;
        Walk(s_document);
        Assert.True(examples > 40, $"{examples} examples");
        foreach (var error in s_document.GetProperty("components").GetProperty("examples").EnumerateObject())
            Assert.Empty(s_shape.ProblemsOf(s_shape.Resolve("#/components/schemas/Error"), error.Value.GetProperty("value")));

        void Walk(JsonElement at)
        {
            if (at.ValueKind == JsonValueKind.Array)
            {
                foreach (var one in at.EnumerateArray())
                    Walk(one);
            }
            else if (at.ValueKind == JsonValueKind.Object)
            {
                if (at.TryGetProperty("schema", out var schema) && at.TryGetProperty("example", out var example))
                {
                    examples++;
                    Assert.Empty(s_shape.ProblemsOf(schema, example));
                }

                foreach (var one in at.EnumerateObject())
                    Walk(one.Value);
            }
        }
    }

    [Fact]
    public async Task Every_route_answers_as_the_document_says()
    {
        await server.AppendAsync("m", "1", "e", """{"a":1,"b":{"c":[null,true,"x"]}}""");
        await server.SendAsync("POST", "/v1/events/batch", """{"events":[{"aggregate_type":"m","aggregate_id":"1","event_type":"e","patch":[{"op":"add","path":"/a","value":2}],"note":"n"}]}""");
        foreach (var route in RestRoutes.All)
        {
            var row = CredentialTests.Table.GetValueOrDefault(CredentialTests.KeyOf(route)) ?? new(route.Template, null, 0, 200);
            if (row.Before is not null)
                await row.Before(server.Owner);
            var body = row.Body ?? (route.Body == RestBody.Required ? $$"""{"token":"{{await server.TokenForAsync("*")}}"}""" : null);
            var target = row.Target.Replace("TOKEN", await server.TokenForAsync("*"), StringComparison.Ordinal);
            if (route.Method == "GET" && target == "/v1/events")
                target += "?include=control,salt";
            var reply = await server.SendAsync(route.Method, target, body);
            Assert.True(reply.Status == row.Allowed, $"{CredentialTests.KeyOf(route)}: {reply.Status} {reply.Body}");
            Documented(route, reply);
            // And refusals: nobody, a parameter that there is not, and what is not there.
            foreach (var refused in (Reply[])[await server.SendAsync(route.Method, target, body, token: null), await server.SendAsync(route.Method, $"{target.Split('?')[0]}?no=1", body)])
                Documented(route, refused);
        }
    }

    [Fact]
    public async Task Requests_as_the_document_shows_them_are_taken()
    {
        var sent = 0;
        foreach (var route in RestRoutes.All.Where(route => route.Body != RestBody.None))
        {
            var example = OperationOf(route).GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("example").GetRawText();
            // Of these the examples name what only another server has: a token, a key, a secret; or another node, which is not there.
            if (route.Template.StartsWith("/admin/tokens/", StringComparison.Ordinal) || route.Template == "/admin/key/rotate" || (route.Method == "POST" && route.Template.StartsWith("/admin/replication/", StringComparison.Ordinal)))
                continue;
            var target = route.Template
                .Replace("{type}", route.IsAdmin ? "order" : "example", StringComparison.Ordinal).Replace("{id}", "1", StringComparison.Ordinal).Replace("{name}", "standby", StringComparison.Ordinal);
            if (route.IsAdmin && route.Template.Contains("{type}", StringComparison.Ordinal))
                target = target.Replace("/order", route.Method == "PATCH" ? "/declared" : "/invoice", StringComparison.Ordinal);
            if (route.Method == "PATCH")
                Assert.Equal(201, (await server.SendAsync("POST", "/admin/schemas", """{"aggregate":"declared","events":["order-placed"]}""")).Status);
            var reply = await server.SendAsync(route.Method, target, example);
            Assert.True(reply.Status is >= 200 and < 300, $"{CredentialTests.KeyOf(route)}: {reply.Status} {reply.Body}");
            Documented(route, reply);
            // By its key it would be known to the other tests, too.
            if (route.Template.EndsWith("{peer}", StringComparison.Ordinal))
                Assert.Equal(200, (await server.SendAsync("DELETE", target)).Status);
            sent++;
        }

        Assert.True(sent >= 15, $"{sent} examples were sent");
    }

    /// <summary>Whether an answer is one of those that the document has for a route.</summary>
    static void Documented(RestRoute route, Reply reply)
    {
        var key = CredentialTests.KeyOf(route);
        Assert.True(OperationOf(route).GetProperty("responses").TryGetProperty(reply.Status.ToString(CultureInfo.InvariantCulture), out var answer), $"{key} answers {reply.Status}, which is not in the document: {reply.Body}");
        if (!answer.TryGetProperty("content", out var content))
        {
            Assert.Equal("", reply.Body);
            return;
        }

        Assert.True(content.TryGetProperty(reply["Content-Type"]!, out var media), $"{key} answers {reply["Content-Type"]}");
        if (reply["Content-Type"] == "application/json")
        {
            var problems = s_shape.ProblemsOf(media.GetProperty("schema"), reply.Json);
            Assert.True(problems.Count == 0, $"{key}: {string.Join("; ", problems)}\n{reply.Body}");
        }

        if (reply["ETag"] is not null)
            Assert.True(answer.GetProperty("headers").TryGetProperty("ETag", out _), key);
    }
}
