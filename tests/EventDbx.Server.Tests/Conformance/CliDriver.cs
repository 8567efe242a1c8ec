using System.Globalization;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Conformance;

/// <summary><c>dbx</c>, whole command lines. Whether a server runs on its directory makes no difference to what it says.</summary>
internal sealed class CliDriver(CommandLine line, IAsyncDisposable? server = null, ulong entriesBefore = 0) : IDriver
{
    public ulong EntriesBefore => entriesBefore;

    public async Task ApplySchemasAsync(string schemas)
    {
        line.Input = schemas;
        Assert.IsType<JsonArray>(await RunAsync("schema", "apply", "-"));
    }

    public Task<JsonNode?> AppendAsync(Append append) => RunAsync(
        "aggregate", "apply", append.Patch is null ? $"--payload={append.Payload}" : $"--patch={append.Patch}",
        append.Note is null ? null : $"--note={append.Note}",
        append.EventId is null ? null : $"--event-id={append.EventId}",
        append.ExpectedVersion is { } expected ? string.Create(CultureInfo.InvariantCulture, $"--expected-version={expected}") : null,
        "--", append.Type, append.Id, append.Event);

    public Task<JsonNode?> CreateAsync(string type, string id, string? comment) => RunAsync(
        "aggregate", "create", comment is null ? null : $"--comment={comment}", "--", type, id)
        .Then(answer => ((JsonObject)answer).Remove("state"));

    public Task<JsonNode?> RemoveAsync(string type, string id) => RunAsync("aggregate", "remove", "--", type, id).Then(answer => ((JsonObject)answer).Clear());

    public Task<JsonNode?> ArchiveAsync(string type, string id, string? comment) => RunAsync(
        "aggregate", "archive", comment is null ? null : $"--comment={comment}", "--", type, id)
        .Then(answer => ((JsonObject)answer).Remove("comment"));

    public Task<JsonNode?> RestoreAsync(string type, string id, string? comment) => RunAsync(
        "aggregate", "restore", comment is null ? null : $"--comment={comment}", "--", type, id)
        .Then(answer => ((JsonObject)answer).Remove("comment"));

    public Task<JsonNode?> GetAsync(string type, string id, ulong? version, string? at, string? fields, bool typed) => RunAsync(
        "aggregate", "get",
        version is { } wanted ? string.Create(CultureInfo.InvariantCulture, $"--version={wanted}") : null,
        at is null ? null : $"--at={at}", fields is null ? null : $"--fields={fields}", typed ? "--typed" : null, "--", type, id);

    public Task<JsonNode?> GetEventAsync(string type, string id, ulong version) => Task.FromResult<JsonNode?>(null);

    public Task<JsonNode?> ReplayAsync(string type, string id, long skip, long take) => RunAsync(
        "aggregate", "replay", string.Create(CultureInfo.InvariantCulture, $"--skip={skip}"), string.Create(CultureInfo.InvariantCulture, $"--take={take}"),
        "--", type, id);

    public async Task<JsonNode?> ListAsync(Listed listed)
    {
        var outcome = await line.RunAsync([.. Given(
            "aggregate", "list", "--json", string.Create(CultureInfo.InvariantCulture, $"--take={listed.Take}"),
            listed.Skip is { } skip ? string.Create(CultureInfo.InvariantCulture, $"--skip={skip}") : null,
            listed.Cursor is null ? null : $"--cursor={listed.Cursor}", listed.Type is null ? null : $"--type={listed.Type}",
            listed.IdPrefix is null ? null : $"--id-prefix={listed.IdPrefix}",
            listed.Archived is { } archived ? $"--archived={(archived ? "true" : "false")}" : null)]);
        const string next = "next cursor: ";
        return outcome.Code != Cli.Output.ExitCode.Done ? Answer(outcome) : new JsonObject
        {
            ["items"] = JsonNode.Parse(outcome.Out),
            ["cursor"] = outcome.Error.StartsWith(next, StringComparison.Ordinal) ? outcome.Error[next.Length..].TrimEnd() : null,
        };
    }

    public Task<JsonNode?> VerifyAsync(string type, string id, bool quick) => RunAsync("aggregate", "verify", quick ? "--quick" : null, "--", type, id)
        .Then(answer =>
        {
            ((JsonObject)answer).Remove("aggregate_id");
            ((JsonObject)answer).Remove("aggregate_type");
        });

    public Task<JsonNode?> VerifyAllAsync() => RunAsync("verify", "--all").Then(answer =>
    {
        foreach (var other in ((JsonObject)answer).Select(member => member.Key).Except(["events", "aggregates", "archived"]).ToList())
            ((JsonObject)answer).Remove(other);
    });

    public Task<JsonNode?> ProveEventAsync(string type, string id, ulong version, ulong? size) => RunAsync(
        "aggregate", "proof", size is { } tree ? string.Create(CultureInfo.InvariantCulture, $"--size={tree}") : null, "--", type, id, version.ToString(CultureInfo.InvariantCulture))
        .Then(Proven.Receipt);

    public Task<JsonNode?> ProveAggregateAsync(string type, string id, ulong from, ulong? to) => RunAsync(
        "aggregate", "proof", string.Create(CultureInfo.InvariantCulture, $"--from={from}"), to is { } until ? string.Create(CultureInfo.InvariantCulture, $"--to={until}") : null, "--", type, id)
        .Then(Proven.Consistency);

    public async Task<JsonNode?> EvidenceAsync(string type, params string[] ids)
    {
        var outcome = await line.RunAsync(["--json", "aggregate", "export", "--evidence", "--output=-", "--", type, .. ids]);
        return outcome.Code == Cli.Output.ExitCode.Done ? Proven.Bundle(outcome.Out) : Answer(outcome);
    }

    public async Task<JsonNode?> ImportAsync(IReadOnlyList<string> lines)
    {
        line.Input = string.Join('\n', lines);
        var answer = (await RunAsync("import", "-"))!;
        return answer["refused"] is { } refused
            ? new JsonObject { ["refused"] = refused["code"]!.GetValue<string>() }
            : new JsonObject { ["lines"] = answer["lines"]!.DeepClone(), ["appended"] = answer["appended"]!.DeepClone(), ["known"] = answer["known"]!.DeepClone() };
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null)
            await server.DisposeAsync();
        line.Dispose();
    }

    async Task<JsonNode?> RunAsync(params string?[] arguments) => Answer(await line.RunAsync(["--json", .. Given(arguments)]));

    static IEnumerable<string> Given(params string?[] arguments) => arguments.OfType<string>();

    static JsonNode? Answer(Outcome outcome)
    {
        // Nothing but the answer on one stream, nothing but the refusal on the other.
        if (outcome.Code == Cli.Output.ExitCode.Done)
        {
            Assert.Equal("", outcome.Error);
            return JsonNode.Parse(outcome.Out, documentOptions: new() { MaxDepth = 200 });
        }

        Assert.Equal("", outcome.Out);
        return new JsonObject { ["refused"] = JsonNode.Parse(outcome.Error) };
    }
}

internal static class Answers
{
    /// <summary>Changes an answer that is no refusal.</summary>
    public static async Task<JsonNode?> Then(this Task<JsonNode?> asked, Action<JsonNode> change)
    {
        var answer = await asked;
        if (answer is not null && answer["refused"] is null)
            change(answer);
        return answer;
    }
}
