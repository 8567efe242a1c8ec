using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Crash;

/// <summary>One of everything that a rebuild has to bring back, and the answers it is asked for.</summary>
internal sealed class Content
{
    readonly List<(EventDraft Draft, ulong Position)> _withId = [];
    int _rounds;

    public Content Copy()
    {
        var copy = new Content { _rounds = _rounds };
        copy._withId.AddRange(_withId);
        return copy;
    }

    /// <summary>Some twenty commits: single events, client ids, batches, created, removed, archived and restored aggregates, a state in rows.</summary>
    public async Task AddAsync(LiveStore store, int rounds = 1)
    {
        var session = store.Database.OpenSession(new Actor("group", "user"));
        for (; rounds > 0; rounds--)
        {
            var round = ++_rounds;
            for (var i = 0; i < 4; i++)
                await AppendAsync(store, session, Draft($"o-{i}", round, i, withId: i % 2 == 0));
            await AppendAsync(store, session, Draft("large", round, 0, withId: false, bytes: 2500));
            await AppendAsync(store, session, [.. Enumerable.Range(0, 7).Select(i => Draft($"b-{i % 3}", round, i, withId: i == 3))]);
            await session.CreateAsync(Key($"empty-{round}"), "made", default);
            store.Note();
            await session.CreateAsync(Key($"brief-{round}"), null, default);
            await session.RemoveAsync(Key($"brief-{round}"), default);
            store.Note();
            await AppendAsync(store, session, Draft($"shelved-{round}", round, 0, withId: true));
            await session.ArchiveAsync(Key($"shelved-{round}"), "gone", default);
            store.Note();
            await session.ArchiveAsync(Key("large"), null, default);
            await session.RestoreAsync(Key("large"), "back", default);
            store.Note();
        }
    }

    /// <summary>Aggregates old enough to have fold points, one with its state in rows.</summary>
    public async Task AddOldAsync(LiveStore store)
    {
        var session = store.Database.OpenSession();
        foreach (var (id, bytes) in new[] { ("old", 20), ("old-and-large", 3000) })
        {
            await AppendAsync(store, session, [.. Enumerable.Range(0, 3).Select(i => Draft(id, 1000 + i, i, withId: false, bytes))]);
            for (var i = 0; i < 3; i++)
                await AppendAsync(store, session, [.. Enumerable.Range(0, 400).Select(n => Draft(id, 2000 + n, i, withId: n == 7 && i == 1, 10))]);
        }
    }

    async Task AppendAsync(LiveStore store, Session session, params EventDraft[] drafts)
    {
        var results = drafts is [var draft] ? [await session.AppendAsync(draft, default)] : await session.AppendBatchAsync(drafts, default);
        _withId.AddRange(drafts.Zip(results, static (d, r) => (d, r.Record.Position)).Where(static p => p.d.EventId is not null));
        store.Note();
    }

    static EventDraft Draft(string id, int round, int place, bool withId, int bytes = 40)
    {
        return new()
        {
            Aggregate = Key(id), EventType = place % 2 == 0 ? "even" : "odd", Note = place == 1 ? $"round {round}" : null,
            EventId = withId ? new Guid(round, (short)place, (short)id[^1], 1, 2, 3, 4, 5, 6, 7, 8) : null,
            Payload = Encoding.UTF8.GetBytes($$"""{"round":{{round}},"f{{(bytes > 1000 ? round : round % 5)}}":"{{new string((char)('a' + (round % 26)), bytes)}}","n":{{place}}.0}"""),
        };
    }

    static AggregateKey Key(string id) => TestStore.Aggregate("thing", id);

    /// <summary>Everything a session answers, in lines: lists, states now and at old versions, events, the log, repeated requests.</summary>
    /// <param name="database">Whom to ask.</param>
    /// <param name="size">The log is read up to here.</param>
    public async Task<string> AskAsync(Database database, ulong size)
    {
        var session = database.OpenSession();
        var lines = new StringBuilder();
        foreach (var archived in (bool?[])[null, true, false])
        {
            lines.AppendLine($"# archived {archived}");
            foreach (var item in session.GetAggregates(new() { Archived = archived }, null, 0, 1000).Items)
                lines.AppendLine(Show(item, withState: false));
        }

        foreach (var item in session.GetAggregates(new(), null, 0, 1000).Items)
            Ask(session, item, lines);
        for (ulong at = 0; at < size;)
        {
            var page = session.ReadFeed(at, 1000, includeControl: true);
            foreach (var entry in page.Items.Where(i => i.Position <= size))
                lines.AppendLine(entry.Event is { } e ? Show(e) : Show(entry.Control!));
            at = page.ReachedPosition;
        }

        foreach (var (draft, _) in _withId.Where(d => d.Position <= size))
        {
            var repeated = await session.AppendAsync(draft, default);
            Assert.False(repeated.Appended, $"{draft.EventId} was appended again");
            lines.AppendLine($"again {Show(repeated.Record)}");
        }

        return lines.ToString();
    }

    static void Ask(Session session, AggregateState item, StringBuilder lines)
    {
        lines.AppendLine(Show(session.GetAggregate(item.Aggregate), withState: true));
        foreach (var version in ((ulong[])[0, 1, item.Version / 2, 999, 1000, 1001, item.Version - 1]).Where(v => v < item.Version))
            lines.AppendLine(Show(session.GetAggregate(item.Aggregate, version), withState: true));
        for (ulong? from = 1; from is { } next;)
        {
            var page = session.GetEvents(item.Aggregate, next, 1000);
            foreach (var e in page.Items)
                lines.AppendLine(Show(e));
            from = page.NextVersion;
        }
    }

    static string Show(AggregateState s, bool withState) =>
        $"{s.Aggregate} {s.Version} {s.MerkleRoot} {s.Archived} {s.CreatedAt} {s.UpdatedAt} {(withState ? s.StateAsJson(typed: true) : "")}";

    static string Show(EventRecord e) =>
        $"{e.Position} {e.Aggregate} {e.Version} {e.EventType} {e.EventId} {e.CreatedAt} {e.Actor?.Group}/{e.Actor?.User} {e.Note} {e.Hash} {e.MerkleRoot} {Encoding.UTF8.GetString(e.Payload.Span)}";

    static string Show(ControlRecord c) =>
        $"{c.Position} {c.Kind} {c.Subject} {c.CreatedAt} {c.Actor?.Group}/{c.Actor?.User} {c.Hash} {Encoding.UTF8.GetString(c.Body.Span)}";
}
