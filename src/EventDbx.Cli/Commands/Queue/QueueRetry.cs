using System.Globalization;

namespace EventDbx.Cli.Commands.Queue;

/// <summary><c>dbx queue retry</c>: dead events are tried once more, now.</summary>
internal static class QueueRetry
{
    static readonly Option<string> EventId = Options.Text("--event-id", "UUID", "This event alone (default: every dead one).");

    public static Verb Create() => new("retry", "Try the dead events again, now.")
    {
        Remarks = ["What is taken is dead no more. What fails stays dead; the exit code is 0 all the same, and `--json` says which."],
        Examples =
        [
            new("dbx queue retry", "All of them."),
            new("dbx queue retry --event-id 45c3013e-9b95-4ed0-9af9-1a465f81d3cf", "One."),
            new("dbx queue retry --plugin hook --json", "Those of one plugin, as JSON."),
        ],
        Options = { QueueCommand.Plugin, EventId, AccessToken.Option },
        Run = (call, cancellation) =>
        {
            Guid? id = call.Get(EventId) is not { } text ? null
                : EventIds.TryParse(text.Trim(), out var parsed, out var refusal) ? parsed : throw new UsageException($"`{EventId.Name}`: {refusal.Message}");
            return Link.ToExistingAsync(
                call,
                store => RunAsync(call, store, id, cancellation),
                absent: () =>
                {
                    call.Shell.Out.Write(call.Json ? Json([], 0) : $"{None}\n");
                    return ExitCode.Done;
                },
                cancellation);
        },
    };

    const string None = "no dead plugin events to retry";

    static async Task<ExitCode> RunAsync(Call call, IStore store, Guid? id, CancellationToken cancellation)
    {
        var plugin = QueueCommand.PluginOf(call);
        var kinds = (await store.ListPluginsAsync(cancellation).ConfigureAwait(false)).ToLookup(one => one.Name ?? one.Kind, one => one.Label, StringComparer.Ordinal);
        var before = (await store.GetQueueAsync(plugin, 0, cancellation).ConfigureAwait(false)).Dead;
        List<RetryOutcome> outcomes = [];
        await foreach (var outcome in store.RetryDeadAsync(plugin, id, cancellation).ConfigureAwait(false))
        {
            outcomes.Add(outcome);
            if (!call.Json)
                await call.Shell.Out.WriteAsync(PlainText.Line(Line(outcome, kinds[outcome.Entry.Plugin].FirstOrDefault() ?? outcome.Entry.Plugin))).ConfigureAwait(false);
        }

        var remaining = (await store.GetQueueAsync(plugin, 0, cancellation).ConfigureAwait(false)).Dead;
        await call.Shell.Out.WriteAsync(
            call.Json ? Json(outcomes, remaining)
            : outcomes.Count > 0 ? Summary(outcomes, remaining)
            : before == 0 ? $"{None}\n"
            : "no dead plugin events match the provided event id\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Line(RetryOutcome outcome, string label)
    {
        var what = $"{outcome.Entry.EventId} ({outcome.Entry.Aggregate})";
        return outcome.Gone ? $"event {what} not found; removing from dead queue"
            : outcome.Failure is { } why ? $"plugin '{label}' failed to process event {what} - {why}"
            : $"event {what} retried successfully";
    }

    static string Summary(List<RetryOutcome> outcomes, long remaining)
    {
        var failed = outcomes.Where(outcome => outcome.Failure is not null).Select(outcome => outcome.Entry.EventId).ToList();
        return string.Create(CultureInfo.InvariantCulture, $"retry summary: {outcomes.Count - failed.Count} succeeded, {failed.Count} failed, {remaining} remaining\n")
            + (failed.Count == 0 ? "" : $"events still pending: {string.Join(", ", failed)}\n");
    }

    static string Json(List<RetryOutcome> outcomes, long remaining)
    {
        var json = new JsonText().BeginObject().Name("events").BeginArray();
        foreach (var outcome in outcomes)
            json.Value(outcome.Json);
        var failed = outcomes.Count(outcome => outcome.Failure is not null);
        return json.EndArray().Member("failed", (long)failed).Member("remaining", remaining).Member("succeeded", (long)(outcomes.Count - failed)).EndObject().ToString();
    }
}
