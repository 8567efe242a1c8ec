using System.Diagnostics;
using System.Text;
using EventDbx.Server.Configuration;
using EventDbx.Server.GraphQL;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>What asks for too much is refused before it costs much; what stays just within is answered.</summary>
public sealed class LimitTests(RestServer server) : IClassFixture<RestServer>
{
    /// <summary>What only a hang, or work that grows with the square of a request, exceeds.</summary>
    static readonly TimeSpan Hang = TimeSpan.FromSeconds(60);

    /// <summary>More than what a refusal allocates here, bodies of a megabyte and their texts included; comparing some hundred fields in pairs takes several times that.</summary>
    const long BytesMax = 20 * 1024 * 1024;

    [Theory]
    [InlineData("depth 50")]
    [InlineData("depth 50 through fragments")]
    [InlineData("a megabyte of aliases")]
    [InlineData("64 KB of aliases")]
    [InlineData("100,000 brackets")]
    [InlineData("100,000 lists in a literal")]
    [InlineData("brackets in strings and comments do not count, those behind do")]
    [InlineData("fragments that double twenty times")]
    [InlineData("2,001 directives")]
    [InlineData("introspection of introspection")]
    [InlineData("300 fields of one name that differ")]
    [InlineData("33 fragments")]
    [InlineData("149 fragments")]
    [InlineData("nine of one name")]
    [InlineData("nine of one name in as many fragments")]
    [InlineData("nine of one name inside fields of one name")]
    [InlineData("nine of one name in an operation that does not run")]
    [InlineData("nine of one name in a fragment that nobody spreads")]
    [InlineData("many operations that spread one fragment")]
    [InlineData("101 variables")]
    [InlineData("1,900 variables")]
    [InlineData("nine directives at one place")]
    [InlineData("1,900 arguments")]
    public async Task Too_much_is_refused_cheaply(string name)
    {
        var query = Query(name);
        // What the first request of all loads is not its own.
        (await server.QueryAsync("{ aggregates { version } }")).Data();
        var body = GraphQLCalls.Body(query, null, query.StartsWith("query A ", StringComparison.Ordinal) ? "A" : null);
        await server.SendAsync("POST", "/graphql", body);

        var (reply, elapsed, allocated) = await CostAsync(() => server.SendAsync("POST", "/graphql", body));

        Assert.Equal("limit_exceeded", reply.ErrorCode());
        Assert.True(elapsed < Hang, $"{name}: {elapsed}");
        Assert.True(allocated < BytesMax, $"{name}: {allocated} bytes");
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {elapsed.TotalMilliseconds:0.0} ms, {allocated} bytes, client included");
    }

    /// <summary>What an answer costs. Other tests allocate meanwhile, so it may be a later one that shows it.</summary>
    static async Task<(T Answer, TimeSpan Elapsed, long Allocated)> CostAsync<T>(Func<Task<T>> ask)
    {
        for (var attempt = 1; ; attempt++)
        {
            var (clock, before) = (Stopwatch.StartNew(), GC.GetTotalAllocatedBytes(precise: true));
            var answer = await ask();
            var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
            if (allocated < BytesMax || attempt == 5)
                return (answer, clock.Elapsed, allocated);
        }
    }

    static string Query(string name) => name switch
    {
        "depth 50" => "{ __schema { types " + string.Concat(Enumerable.Repeat("{ ofType ", 48)) + "{ name }" + new string('}', 50),
        "depth 50 through fragments" => "{ __schema { types { ...F0 } } } " + string.Concat(Enumerable.Range(0, 16).Select(i => $"fragment F{i} on __Type {{ ofType {{ ofType {{ ofType {{ ...F{i + 1} }} }} }} }} ")) + "fragment F16 on __Type { name }",
        "a megabyte of aliases" => "{" + string.Concat(Enumerable.Range(0, 70_000).Select(i => $" a{i}:__typename")) + "}",
        "64 KB of aliases" => "{" + string.Concat(Enumerable.Range(0, 3_500).Select(i => $" a{i}:__typename")) + "}",
        "100,000 brackets" => new string('{', 100_000),
        "100,000 lists in a literal" => "mutation { appendEvent(input: { aggregate_type: \"a\", aggregate_id: \"b\", event_type: \"c\", payload: " + new string('[', 50_000),
        "brackets in strings and comments do not count, those behind do" => "# {{{{\n{ a: aggregate(aggregate_type: \"{{{\\\"{\", aggregate_id: \"\"\"{ \\\"\"\" {\"\"\") { version } " + new string('{', 100),
        "fragments that double twenty times" => "{ ...F0 } " + string.Concat(Enumerable.Range(0, 20).Select(i => $"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }} ")) + "fragment F20 on Query { __typename }",
        "2,001 directives" => "{ __typename " + string.Concat(Enumerable.Repeat("@skip(if:false) ", 1_001)) + "}",
        "300 fields of one name that differ" => "{" + Differing(ServerLimits.GraphQLFieldsMax) + "}",
        "33 fragments" => Spreading(33),
        "149 fragments" => Spreading(149),
        "nine of one name" => "{" + Differing(9) + "}",
        "nine of one name in as many fragments" => "{" + string.Concat(Enumerable.Range(0, 9).Select(i => $" ...F{i}")) + "}" + string.Concat(Enumerable.Range(0, 9).Select(i => $" fragment F{i} on Query {{ a: __typename }}")),
        "nine of one name inside fields of one name" => "{" + string.Concat(Enumerable.Repeat(" aggregates { version version version }", 3)) + "}",
        "nine of one name in an operation that does not run" => "query A { __typename } query B { " + Differing(9) + "}",
        "nine of one name in a fragment that nobody spreads" => "{ __typename } fragment F on Query {" + Differing(9) + "}",
        "many operations that spread one fragment" => "query A { __typename }" + string.Concat(Enumerable.Range(0, 10).Select(i => $" query Q{i} {{ ...F }}")) + " fragment F on Query {" + string.Concat(Enumerable.Range(0, 100).Select(i => $" a{i}:__typename")) + "}",
        "101 variables" => Declaring(101),
        "1,900 variables" => Declaring(1_900),
        "nine directives at one place" => "{ __typename " + string.Concat(Enumerable.Repeat("@skip(if:false) ", 9)) + "}",
        "1,900 arguments" => "{ event(" + string.Concat(Enumerable.Range(0, 1_900).Select(i => $"a{i}:1 ")) + ") { version } }",
        _ => "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
    };

    /// <summary>Fields of one response name that cannot be one.</summary>
    static string Differing(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $" event(version:{i})"));

    static string Spreading(int count) => "{" + string.Concat(Enumerable.Range(0, count).Select(i => $" ...F{i}")) + "}" + string.Concat(Enumerable.Range(0, count).Select(i => $" fragment F{i} on Query {{ a{i}: __typename }}"));

    static string Declaring(int count) => $"query({string.Concat(Enumerable.Range(0, count).Select(i => $"$v{i}:Int "))}) {{ __typename }}";

    [Fact]
    public async Task A_variable_of_ten_thousand_levels_is_refused_cheaply_wherever_it_goes()
    {
        var deep = new string('[', 10_000) + new string(']', 10_000);
        foreach (var variables in (string[])[$$"""{"p":{{deep}}}""", $$"""{"other":{{deep}}}"""])
        {
            var (reply, elapsed, allocated) = await CostAsync(() => server.QueryAsync("""mutation($p: JSON) { appendEvent(input: { aggregate_type: "a", aggregate_id: "deep", event_type: "c", payload: $p }) { version } }""", variables));
            Assert.Equal((400, "limit_exceeded"), (reply.Status, reply.Code));
            Assert.True(elapsed < Hang && allocated < BytesMax, $"{elapsed}, {allocated} bytes");
        }
    }

    [Fact]
    public async Task What_is_just_within_the_limits_is_answered()
    {
        // As deep as a payload may be, by both ways.
        var payload = new string('[', Limits.PayloadDepthMax) + new string(']', Limits.PayloadDepthMax);
        var input = $$"""{ aggregate_type: "a", aggregate_id: "within", event_type: "c", payload: {{payload}} }""";
        (await server.QueryAsync($$"""mutation { appendEvents(input: [{{input}}]) { known } }""")).Data();
        (await server.QueryAsync("mutation($input: [AppendEventInput!]!) { appendEvents(input: $input) { known } }", $$"""{"input":[{"aggregate_type":"a","aggregate_id":"within","event_type":"c","payload":{{payload}}}]}""")).Data();
        // As many fields, as many of one name, and as deep.
        (await server.QueryAsync("{ ...F ...F" + string.Concat(Enumerable.Repeat(" __typename", ServerLimits.GraphQLSameNameMax - 1)) + "} fragment F on Query { __typename }")).Data();
        (await server.QueryAsync("{" + string.Concat(Enumerable.Range(0, ServerLimits.GraphQLFieldsMax).Select(i => $" a{i}:__typename")) + "}")).Data();
        (await server.QueryAsync("{ __schema { types { fields { type " + string.Concat(Enumerable.Repeat("{ ofType ", 10)) + "{ name }" + new string('}', 14))).Data();
        // A payload too deep is the engine's to refuse.
        var tooDeep = await server.QueryAsync($$"""mutation { appendEvent(input: { aggregate_type: "a", aggregate_id: "x", event_type: "c", payload: [{{payload}}] }) { version } }""");
        Assert.Equal("limit_exceeded", tooDeep.ErrorCode());
        Assert.Contains("payload", tooDeep.Json.GetProperty("errors")[0].GetProperty("message").GetString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_worst_that_is_within_the_limits_is_validated_in_a_moment()
    {
        const int Names = ServerLimits.GraphQLFieldsMax / ServerLimits.GraphQLSameNameMax;
        // Each pair of equal names is compared by validation, and each that differs is an error; so is what is not known.
        var equal = "{" + string.Concat(Enumerable.Range(0, Names * ServerLimits.GraphQLSameNameMax).Select(i => $" a{i % Names}: __typename")) + "}";
        var nested = "{" + string.Concat(Enumerable.Range(0, 100).Select(i => $" a{i % 50}: aggregates(take: 1, type: \"none\") {{ version state }}")) + "}";
        var fragments = "{" + string.Concat(Enumerable.Range(0, 4).Select(i => $" a{i}: __schema {{ " + string.Concat(Enumerable.Range(0, 32).Select(j => $" ...F{j}")) + " }")) + "}"
            + string.Concat(Enumerable.Range(0, 32).Select(i => $" fragment F{i} on __Schema {{ a{i}: __typename }}"));
        var repeated = "{" + string.Concat(Enumerable.Repeat(" ...F", 149)) + "} fragment F on Query { __typename }";
        var differing = "{" + string.Concat(Enumerable.Range(0, Names * ServerLimits.GraphQLSameNameMax).Select(i => $" a{i % Names}: event(version:{i})")) + "}";
        var arguments = "{" + string.Concat(Enumerable.Range(0, 60).Select(i => $" a{i}: event({string.Concat(Enumerable.Range(0, 31).Select(j => $"aggregate_typ{j}:1 "))})")) + "}";
        var spreads = "{ __typename" + string.Concat(Enumerable.Range(0, 290).Select(i => $" ...F{i}")) + "}";
        var longest = $"{{ {new string('a', 60_000)} }}";
        foreach (var (query, runs) in new[] { (equal, true), (nested, true), (Spreading(ServerLimits.GraphQLFragmentsMax), true), (fragments, true), (repeated, true), (Declaring(ServerLimits.GraphQLVariablesMax), false), (differing, false), (arguments, false), (spreads, false), (longest, false) })
        {
            await server.QueryAsync(query);
            var (reply, elapsed, allocated) = await CostAsync(() => server.QueryAsync(query));
            TestContext.Current.TestOutputHelper?.WriteLine($"{query[..40]}: {elapsed.TotalMilliseconds:0.0} ms, {allocated} bytes");
            if (runs)
                reply.Data();
            else
                Assert.Equal("invalid_argument", reply.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("code").GetString());
            Assert.True(elapsed < Hang, $"{query[..40]}: {elapsed}");
            Assert.True(allocated < BytesMax, $"{query[..40]}: {allocated} bytes");
        }
    }

    [Fact]
    public async Task The_introspection_of_an_ide_is_within_the_limits() =>
        Assert.True((await server.QueryAsync(Introspection.Query)).Data().GetProperty("__schema").GetProperty("types").GetArrayLength() > 20);

    [Fact]
    public async Task Lists_cost_what_their_take_says_as_a_literal_a_variable_and_by_default()
    {
        await using var large = new RestServer();
        Directory.CreateDirectory(Path.GetDirectoryName(large.ConfigPath)!);
        await File.WriteAllTextAsync(large.ConfigPath, "page_limit = 1000\nlist_page_size = 10\n", TestContext.Current.CancellationToken);
        await large.InitializeAsync();
        // 50 fields on each of 1,000 is one too many.
        var fields = string.Concat(Enumerable.Range(0, 50).Select(i => $" f{i}: version"));
        var query = $"query($take: Int) {{ aggregates(take: $take) {{{fields} }} }}";

        (await large.QueryAsync($"{{ aggregates {{{fields} }} }}")).Data();
        (await large.QueryAsync($"{{ aggregates(take: 900) {{{fields} }} }}")).Data();
        (await large.QueryAsync(query, """{"take":900}""")).Data();
        Assert.Equal("limit_exceeded", (await large.QueryAsync($"{{ aggregates(take: 1000) {{{fields} }} }}")).ErrorCode());
        Assert.Equal("limit_exceeded", (await large.QueryAsync($"{{ aggregates(take: 2000000000) {{{fields} }} }}")).ErrorCode());
        Assert.Equal("limit_exceeded", (await large.QueryAsync(query, """{"take":1000}""")).ErrorCode());
        Assert.Equal("limit_exceeded", (await large.QueryAsync($"query($take: Int = 1000) {{ aggregates(take: $take) {{{fields} }} }}")).ErrorCode());
        Assert.Equal("limit_exceeded", (await large.QueryAsync($"{{ aggregateEvents(aggregate_type: \"a\", aggregate_id: \"b\") {{{fields} }} }}")).ErrorCode());
        Assert.Equal("limit_exceeded", (await large.QueryAsync($"{{ aggregatesPage(take: 1000) {{ items {{ ...on Aggregate {{{fields} }} }} }} }}")).ErrorCode());
    }

    [Fact]
    public async Task An_answer_gathers_payloads_and_states_only_so_far()
    {
        var filler = new string('x', 1_000_000);
        for (var i = 0; i < 4; i++)
            await server.AppendAsync("large", "1", "e", $$"""{"f{{i}}":"{{filler}}"}""");
        const string Events = "aggregateEvents(aggregate_type: \"large\", aggregate_id: \"1\") { payload }";
        var some = (await server.QueryAsync("{" + string.Concat(Enumerable.Range(0, 4).Select(i => $" a{i}: {Events}")) + "}")).Data();
        Assert.Equal(4, some.EnumerateObject().Count());

        foreach (var field in (string[])[Events, "aggregate(aggregate_type: \"large\", aggregate_id: \"1\") { state }", "aggregates(type: \"large\") { state }", "event(aggregate_type: \"large\", aggregate_id: \"1\", version: 1) { payload }"])
        {
            var reply = await server.QueryAsync("{" + string.Concat(Enumerable.Range(0, 40).Select(i => $" a{i}: {field}")) + "}");
            Assert.Equal("limit_exceeded", reply.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("code").GetString());
            Assert.True(reply.Body.Length < ServerLimits.GraphQLAnswerBytesMax + (2 * Limits.PageBytesMax), field);
        }

        // What was gathered is given back, a moment after the last byte was sent.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (server.Host.GraphQL.Gathered != 0)
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_text_is_looked_at_without_allocating()
    {
        var query = Query("64 KB of aliases");
        DocumentScan.Check(query);
        var before = GC.GetAllocatedBytesForCurrentThread();
        DocumentScan.Check(query);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        foreach (var unended in (string[])["\"", "\"\"\"", "\"\\", "#", "\"\"\"\\\"\"\""])
            DocumentScan.Check(unended);
    }
}
