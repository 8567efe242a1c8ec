using EventDbx.Reading;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Verification;

/// <summary>Everything a caller can read, each answer a line; a violation is an answer too.</summary>
internal static class TamperAnswers
{
    /// <summary>How a line begins whose answer was <see cref="RefusalCode.IntegrityViolation"/>.</summary>
    public const string Violation = "VIOLATION ";

    public static List<string> All(Database database)
    {
        var session = database.OpenSession();
        var answers = new List<string>();
        var aggregates = new List<AggregateKey>();
        foreach (var filter in (AggregateFilter[])[new(), new() { Archived = true }, new() { Archived = false }, new() { Type = "order" }])
        {
            Add(answers, "list", () => string.Join(' ', session.GetAggregates(filter, null, 0, 1000).Items.Select(item =>
            {
                aggregates.Add(item.Aggregate);
                return Text(item);
            })));
        }

        Add(answers, "feed", () => string.Join('\n', Feed(session).Select(item => item.Event is { } e ? e.Text() : $"{item.Position} {item.Control!.Kind} {item.Control.Subject} {item.Control.CreatedAt} {item.Control.Actor?.User} {Encoding.UTF8.GetString(item.Control.Body.Span)} {item.Control.Hash}")));
        foreach (var aggregate in aggregates.Distinct().Order())
        {
            Add(answers, $"{aggregate} state", () => Text(session.GetAggregate(aggregate)));
            foreach (var version in (ulong[])[0, 1, 2, 1000, 1001])
                Add(answers, $"{aggregate} state at {version}", () => Text(session.GetAggregate(aggregate, version)));
            Add(answers, $"{aggregate} events", () => Events(session, aggregate));
            Add(answers, $"{aggregate} snapshots", () => string.Join('\n', session.GetSnapshots(aggregate, null, 1000).Items.Select(item => $"{Text(item.State)} {item.CreatedAt} {item.Comment} {item.Automatic}")));
        }

        Add(answers, "schemas", () => Encoding.UTF8.GetString(session.GetSchemas().Write()));
        foreach (var token in TamperStore.Tokens)
            Add(answers, $"token {token}", () => database.FindTokenUse(token).ToString());

        return answers;
    }

    /// <summary>The same without what the log does not bind: what tokens have spent, and snapshots that were made from their event by themselves.</summary>
    public static IEnumerable<string> OfHistory(IReadOnlyList<string> answers) => answers
        .Where(answer => !answer.StartsWith("token ", StringComparison.Ordinal))
        .Select(answer => answer.Contains(" snapshots: ", StringComparison.Ordinal)
            ? string.Join('\n', answer.Replace(" snapshots: ", " snapshots:\n", StringComparison.Ordinal).Split('\n').Where(line => line.Length > 0 && !line.EndsWith(" True", StringComparison.Ordinal)))
            : answer);

    static void Add(List<string> answers, string what, Func<string> read)
    {
        try
        {
            answers.Add($"{what}: {read()}");
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            answers.Add($"{Violation}{what}: {refused.Message}");
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
        {
            answers.Add($"{what}: not found");
        }
    }

    static List<FeedItem> Feed(Session session)
    {
        var items = new List<FeedItem>();
        for (ulong after = 0; session.ReadFeed(after, 1000, includeControl: true) is { Items.Count: > 0 } page; after = page.ReachedPosition)
            items.AddRange(page.Items);
        return items;
    }

    static string Events(Session session, AggregateKey aggregate)
    {
        var text = new StringBuilder();
        for (ulong? from = 1; from is { } at;)
        {
            var page = session.GetEvents(aggregate, at, 1000);
            foreach (var item in page.Items)
                text.AppendLine(item.Text());
            from = page.NextVersion > at ? page.NextVersion : null;
        }

        return text.ToString();
    }

    static string Text(AggregateState state) =>
        $"{state.Aggregate} v{state.Version} {state.MerkleRoot} {state.Archived} {state.CreatedAt} {state.UpdatedAt} {state.StateAsJson(typed: true)}";
}
